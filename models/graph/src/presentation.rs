//! What is on show at each step.

use serde::{Deserialize, Serialize};

/// An image for some steps, then a blank, for `steps` in all. Steps count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presentation {
    /// Total number of steps, T.
    pub steps: usize,
    /// The image is on show in steps 1 to this one.
    pub image_steps: usize,
    /// Value of every element of the frame afterwards, after normalisation; 0 is the mean gray.
    #[serde(default)]
    pub blank: f64,
}

/// The longest run of one presentation, in steps.
pub const LONGEST: usize = 60_000;

/// Largest magnitude of the blank; normalised frames lie within a few units.
pub const LARGEST_BLANK: f64 = 1e6;

/// A schedule that cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum PresentationError {
    #[error("steps is 0: show the image for at least one step")]
    NoSteps,
    #[error("steps is {0}, expected at most {LONGEST}: ten minutes of 10 ms steps")]
    TooLong(usize),
    #[error("image_steps is {image_steps}, expected 1 to {steps} (steps)")]
    ImageSteps { image_steps: usize, steps: usize },
    #[error("blank is {0}, expected a number between -{LARGEST_BLANK} and {LARGEST_BLANK}")]
    Blank(f64),
}

impl Presentation {
    /// The image in every step.
    pub const fn held(steps: usize) -> Self {
        Self { steps, image_steps: steps, blank: 0.0 }
    }

    /// Whether the image is on show in step `step` (from 1).
    pub fn shows_image(&self, step: usize) -> bool {
        step <= self.image_steps
    }

    /// Verifies the numbers.
    pub fn check(&self) -> Result<(), PresentationError> {
        if self.steps == 0 {
            return Err(PresentationError::NoSteps);
        }
        if self.steps > LONGEST {
            return Err(PresentationError::TooLong(self.steps));
        }
        if self.image_steps == 0 || self.image_steps > self.steps {
            return Err(PresentationError::ImageSteps { image_steps: self.image_steps, steps: self.steps });
        }
        if !self.blank.is_finite() || self.blank.abs() > LARGEST_BLANK {
            return Err(PresentationError::Blank(self.blank));
        }
        Ok(())
    }
}
