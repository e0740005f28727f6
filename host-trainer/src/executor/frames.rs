//! What a run is shown, step by step.

use convrnn_graph::{Presentation, StepInput};
use tch::{TchError, Tensor};

/// What happens at one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Which of [`Frames::images`] is on show; none for the blank.
    pub image: Option<usize>,
    /// Whether every state is zero again before this step.
    pub resets: bool,
}

/// A sequence of frames for a batch of runs. A frame that stays on show is one tensor, so that the
/// executor knows without comparing that it has not changed.
#[derive(Debug)]
pub struct Frames {
    /// Distinct frames, each `[batch, channels, height, width]` after normalisation.
    pub images: Vec<Tensor>,
    /// By step, from step 1.
    pub steps: Vec<Shown>,
    /// Value of every element of a blank frame.
    pub blank: f64,
}

impl Frames {
    /// One image for each run, on show as the presentation says.
    pub fn presented(images: &Tensor, presentation: &Presentation) -> Self {
        let shown = |step| Shown { image: presentation.shows_image(step).then_some(0), resets: false };
        let steps = (1..=presentation.steps).map(shown).collect();
        Self { images: vec![images.shallow_clone()], steps, blank: presentation.blank }
    }

    /// Number of runs.
    pub fn batch(&self) -> i64 {
        self.images[0].size()[0]
    }

    /// The runs from `start` to before `end`.
    pub fn rows(&self, start: i64, end: i64) -> Result<Self, TchError> {
        let rows = |tensor: &Tensor| tensor.f_narrow(0, start, end - start);
        let images = self.images.iter().map(rows).collect::<Result<_, _>>()?;
        Ok(Self { images, steps: self.steps.clone(), blank: self.blank })
    }

    /// What the analysis of a run needs to know.
    pub fn inputs(&self) -> Vec<StepInput> {
        let input = |shown: &Shown| StepInput { shows_image: shown.image.is_some(), resets: shown.resets };
        self.steps.iter().map(input).collect()
    }
}
