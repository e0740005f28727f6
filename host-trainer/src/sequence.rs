//! How images become sequences of frames: still, moving, or one after the other.
//!
//! A presentation says for how many steps an image is on show; a sequence says what the image does
//! meanwhile and what comes before and after it. Every random choice is a function of (seed, epoch,
//! index of the image).

use crate::data::Batch;
use crate::data::random::{Purpose, Stream};
use crate::error::{Result, TrainerError};
use crate::evaluation::frames;
use crate::executor::{Executor, Frames, Shown};
use convrnn_graph::Presentation;
use convrnn_models::Preprocessing;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use tch::{TchError, Tensor};

/// What the frames of a run show. As text, also in `training.toml`: `still`, `shift=1.5`, `stream=3`,
/// `stream-reset=3`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Sequence {
    /// One image that does not move.
    #[default]
    Still,
    /// One image that moves along one of eight directions, drawn for each image: at image step t it is
    /// displaced by `round(pixels * (t - (image_steps + 1) / 2))` rows, columns or both, so that it is
    /// centred in the middle of its presentation. What comes in at the border is the mean.
    Shift {
        /// Pixels a step.
        pixels: f64,
    },
    /// Several images in one run, each presented in full after the one before.
    Stream {
        /// Images a run.
        images: usize,
        /// Whether all states are zero again before each image; otherwise they are carried over.
        resets: bool,
    },
}

/// The eight directions, in rows and columns.
const DIRECTIONS: [[i64; 2]; 8] = [[-1, 0], [-1, 1], [0, 1], [1, 1], [1, 0], [1, -1], [0, -1], [-1, -1]];

impl Sequence {
    /// Images that one run shows.
    pub fn images_per_run(&self) -> usize {
        match self {
            Sequence::Still | Sequence::Shift { .. } => 1,
            Sequence::Stream { images, .. } => *images,
        }
    }

    /// The same for another number of images a run: the end of a data set may not fill a stream.
    pub fn with_images(self, count: usize) -> Self {
        match self {
            Sequence::Still | Sequence::Shift { .. } => self,
            Sequence::Stream { resets, .. } => Sequence::Stream { images: count, resets },
        }
    }

    /// Verifies ranges, and that an image stays in sight.
    pub fn check(&self, presentation: &Presentation, height: usize, width: usize) -> Result<()> {
        let invalid = |expected: String| {
            let hint = "a shift is in pixels a step, a stream in images a run".into();
            Err(TrainerError::Invalid { what: "--sequence", expected, found: self.to_string(), hint })
        };
        match *self {
            Sequence::Still => Ok(()),
            Sequence::Shift { pixels } => {
                let side = height.min(width) as f64;
                let most = side / (presentation.image_steps.max(2) - 1) as f64;
                if pixels > 0.0 && pixels <= most {
                    return Ok(());
                }
                let steps = presentation.image_steps;
                invalid(format!(
                    "a shift above 0 and at most {most:.3} pixels a step ({height}x{width} pixels, {steps} image steps)"
                ))
            }
            Sequence::Stream { images, .. } => {
                let most = convrnn_graph::presentation::LONGEST / presentation.steps.max(1);
                if (1..=most).contains(&images) { Ok(()) } else { invalid(format!("1 to {most} images a run")) }
            }
        }
    }

    /// The frames of a batch whose images are `[runs * images_per_run, channels, height, width]`, those
    /// of one run after the other; `directions` are [`Scenes::directions`].
    pub fn frames(
        &self,
        images: &Tensor,
        directions: Option<&Tensor>,
        presentation: &Presentation,
    ) -> Result<Frames, TchError> {
        match *self {
            Sequence::Still => Ok(Frames::presented(images, presentation)),
            Sequence::Shift { pixels } => match directions {
                Some(directions) => shifted(images, directions, pixels, presentation),
                None => Err(TchError::Torch("a shifting image needs a direction".into())),
            },
            Sequence::Stream { images: count, resets } => {
                let size = images.size();
                let runs = images.f_view([-1, count as i64, size[1], size[2], size[3]])?;
                let image = |number| runs.f_select(1, number as i64);
                let shown = |number: usize, step: usize| Shown {
                    image: presentation.shows_image(step).then_some(number),
                    resets: resets && step == 1 && number > 0,
                };
                Ok(Frames {
                    images: (0..count).map(image).collect::<Result<_, _>>()?,
                    steps: (0..count)
                        .flat_map(|number| (1..=presentation.steps).map(move |step| shown(number, step)))
                        .collect(),
                    blank: presentation.blank,
                })
            }
        }
    }

    fn directions(&self, seed: u64, epoch: u64, indices: &[usize]) -> Option<Vec<i64>> {
        let draw = |&index: &usize| DIRECTIONS[Stream::new(seed, Purpose::Motion, epoch, index as u64).below(8)];
        match self {
            Sequence::Shift { .. } => Some(indices.iter().flat_map(draw).collect()),
            Sequence::Still | Sequence::Stream { .. } => None,
        }
    }
}

/// Displacement at a step, in pixels.
fn displacement(pixels: f64, step: usize, image_steps: usize) -> i64 {
    (pixels * (step as f64 - (image_steps + 1) as f64 / 2.0)).round() as i64
}

/// Row r, column c of a frame shows row `r - d * down`, column `c - d * right` of the image, or 0, the
/// mean, where there is none.
fn shifted(images: &Tensor, directions: &Tensor, pixels: f64, presentation: &Presentation) -> Result<Frames, TchError> {
    let Presentation { steps, image_steps, blank } = *presentation;
    let displacements: Vec<i64> = (1..=image_steps).map(|step| displacement(pixels, step, image_steps)).collect();
    let border = displacements.iter().map(|moved| moved.abs()).max().unwrap_or(0);
    let &[count, channels, height, width] = images.size().as_slice() else {
        return Err(TchError::Torch("images have four dimensions".into()));
    };
    let padded = images.f_constant_pad_nd([border; 4])?;
    let padded_width = width + 2 * border;
    let padded = padded.f_view([count, channels, -1])?;
    let options = (tch::Kind::Int64, images.device());
    let rows = Tensor::f_arange(height, options)?.f_view([1, -1, 1])?;
    let columns = Tensor::f_arange(width, options)?.f_view([1, 1, -1])?;
    let direction = |axis| directions.f_select(1, axis)?.f_view([-1, 1, 1]);
    let (down, right) = (direction(0)?, direction(1)?);
    let frame = |moved: i64| -> Result<Tensor, TchError> {
        let from =
            |places: &Tensor, direction: &Tensor| places.f_sub(&direction.f_mul_scalar(moved)?)?.f_add_scalar(border);
        let (rows, columns) = (from(&rows, &down)?, from(&columns, &right)?);
        let places = rows.f_mul_scalar(padded_width)?.f_add(&columns)?;
        let places = places.f_view([count, 1, -1])?.f_expand([count, channels, height * width], false)?;
        padded.f_gather(2, &places, false)?.f_view([count, channels, height, width])
    };
    // A displacement that lasts several steps is one frame.
    let mut distinct = displacements.clone();
    distinct.dedup();
    let shown = |step: usize| Shown {
        image: displacements.get(step - 1).and_then(|moved| distinct.iter().position(|other| other == moved)),
        resets: false,
    };
    Ok(Frames {
        images: distinct.iter().map(|&moved| frame(moved)).collect::<Result<_, _>>()?,
        steps: (1..=steps).map(shown).collect(),
        blank,
    })
}

impl fmt::Display for Sequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sequence::Still => write!(formatter, "still"),
            Sequence::Shift { pixels } => write!(formatter, "shift={pixels}"),
            Sequence::Stream { images, resets: false } => write!(formatter, "stream={images}"),
            Sequence::Stream { images, resets: true } => write!(formatter, "stream-reset={images}"),
        }
    }
}

impl FromStr for Sequence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected still, shift=PIXELS, stream=IMAGES or stream-reset=IMAGES".to_owned();
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let images = || value.parse().map_err(|_| wrong());
        match name {
            "still" if value.is_empty() => Ok(Sequence::Still),
            "shift" => Ok(Sequence::Shift { pixels: value.parse().map_err(|_| wrong())? }),
            "stream" => Ok(Sequence::Stream { images: images()?, resets: false }),
            "stream-reset" => Ok(Sequence::Stream { images: images()?, resets: true }),
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Sequence {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Sequence> for String {
    fn from(sequence: Sequence) -> String {
        sequence.to_string()
    }
}

/// A batch as tensors: images, where they move to, and what they are.
#[derive(Debug)]
pub struct Scenes {
    /// `[images, channels, height, width]` after normalisation.
    pub images: Tensor,
    /// Rows and columns of each image's direction, `[images, 2]`; none where nothing moves.
    pub directions: Option<Tensor>,
    /// Classes, `[images]`.
    pub labels: Tensor,
}

impl Scenes {
    /// Takes a batch to the executor's device. `seed` and `epoch` name the random choices.
    pub fn new(
        batch: &Batch,
        preprocessing: &Preprocessing,
        executor: &Executor,
        sequence: &Sequence,
        (seed, epoch): (u64, u64),
    ) -> Result<Self, TchError> {
        let place = |tensor: Tensor| tensor.f_to_device(executor.device());
        let directions = sequence.directions(seed, epoch, &batch.indices);
        let directions = directions.map(|values| place(Tensor::f_from_slice(&values)?.f_view([-1, 2])?)).transpose()?;
        let labels = place(Tensor::f_from_slice(&batch.labels)?)?;
        Ok(Self { images: frames(batch, preprocessing, executor)?, directions, labels })
    }

    /// Number of images.
    pub fn len(&self) -> i64 {
        self.labels.size()[0]
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The images from `start` to before `end`.
    pub fn rows(&self, start: i64, end: i64) -> Result<Self, TchError> {
        let rows = |tensor: &Tensor| tensor.f_narrow(0, start, end - start);
        let directions = self.directions.as_ref().map(rows).transpose()?;
        Ok(Self { images: rows(&self.images)?, directions, labels: rows(&self.labels)? })
    }

    /// The frames of these images.
    pub fn frames(&self, sequence: &Sequence, presentation: &Presentation) -> Result<Frames, TchError> {
        sequence.frames(&self.images, self.directions.as_ref(), presentation)
    }

    /// Classes by run, `[runs, images_per_run]`.
    pub fn labels_by_run(&self, sequence: &Sequence) -> Result<Tensor, TchError> {
        self.labels.f_view([-1, sequence.images_per_run() as i64])
    }
}

#[cfg(test)]
#[path = "sequence_tests.rs"]
mod tests;
