//! What can go wrong in training.

use crate::data::DataError;
use crate::memory::is_want_of_memory;
use convrnn_models::{ArchitectureError, FileError};
use std::path::PathBuf;
use tch::TchError;

/// An error of the trainer.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum TrainerError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
    #[error("libtorch: {}", first_line(.0))]
    Torch(#[source] TchError),
    #[error(
        "out of memory: libtorch found no room for {} {place}; training needs memory for every image of a batch at every time \
         step: give a smaller --batch (--batch N/2 with --accumulate 2 has as many images a training step), fewer --steps, a smaller \
         image size, or an architecture with fewer channels; evaluation takes 250 images a thread: give fewer --threads",
        wanted.as_deref().unwrap_or("a tensor")
    )]
    OutOfMemory { wanted: Option<String>, place: &'static str },
    #[error("cannot {action} {path}: {source}")]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error(
        "{path} exists already; a run is never overwritten: choose another --run, or continue it with --resume {path}"
    )]
    RunExists { path: PathBuf },
    #[error("{path}: another program trains in this run folder; wait until it ends, or stop it")]
    RunInUse { path: PathBuf },
    #[error("{what}: expected {expected}, found {found}; {hint}")]
    Invalid { what: &'static str, expected: String, found: String, hint: String },
    #[error("{path}: {message}")]
    Content { path: PathBuf, message: String },
    #[error(transparent)]
    Match(#[from] convrnn_models::matched::MatchError),
    #[error(transparent)]
    Exploded(Box<Explosion>),
    #[error("cannot draw {path}: {message}")]
    Plot { path: PathBuf, message: String },
}

/// A loss or gradient that is no longer a sensible number.
#[derive(Debug, thiserror::Error)]
#[error(
    "training exploded at step {step} (epoch {epoch}): {reason}; {} {state} of {layer}, {magnitude:e} at time step \
     {time_step}; {}. {}",
    if *.is_exploded { "the first to explode is" } else { "no state has exploded yet, the largest is" },
    match .step {
        1 => "the weights a run starts from explode over so many time steps: give fewer (--steps), zero states between the \
              images of a stream (--sequence stream-reset=N), or a cell whose states stay bounded",
        _ => "start a run with a lower --learning-rate or --clip, or a longer --warm-up (a resumed one keeps its own)",
    },
    match .checkpoint {
        Some(path) => format!("The last good checkpoint is {path}"),
        None => "There is no checkpoint from before it".into(),
    }
)]
pub struct Explosion {
    /// Training step, from 1.
    pub step: u64,
    /// From 1.
    pub epoch: usize,
    /// What is wrong, for instance "the loss is NaN".
    pub reason: String,
    /// Mean loss of the batch.
    pub loss: f64,
    /// Whether a state or the logits are not finite or too large; otherwise `state` is the largest.
    pub is_exploded: bool,
    /// Path of the state that exploded first: earliest in time, then from the first layer on.
    pub state: String,
    /// The layer that writes it.
    pub layer: String,
    /// Its largest absolute value.
    pub magnitude: f64,
    /// Time step at which it has that value, from 1.
    pub time_step: usize,
    /// The last checkpoint whose weights have been seen to give a sensible loss.
    pub checkpoint: Option<String>,
}

impl From<TchError> for TrainerError {
    /// Tells want of memory from other faults of libtorch by its words: there is no code for it. On a CPU they are `[enforce
    /// fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 3288334336 bytes.
    /// Error code 12 (Cannot allocate memory)`, on a GPU `CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has ...`.
    fn from(error: TchError) -> Self {
        let text = error.to_string();
        let between = |start: &str, end: &str| {
            let rest = text.split_once(start)?.1;
            Some(rest.split_once(end)?.0.to_owned()).filter(|amount| amount.len() < 32)
        };
        if text.contains("CUDA out of memory") {
            let wanted = between("Tried to allocate ", ". ");
            return TrainerError::OutOfMemory { wanted, place: "on the GPU" };
        }
        if is_want_of_memory(&text) {
            let wanted = between("tried to allocate ", " bytes").map(|bytes| format!("{bytes} bytes"));
            return TrainerError::OutOfMemory { wanted, place: "in main memory" };
        }
        TrainerError::Torch(error)
    }
}

impl TrainerError {
    /// Wraps an operating system error with what was tried and where.
    pub fn io(action: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| TrainerError::Io { action, path, source }
    }
}

/// libtorch's messages go on with a C++ stack trace; the first line says what happened.
fn first_line(error: &TchError) -> String {
    error.to_string().lines().next().unwrap_or("unknown error").trim_matches('"').to_owned()
}

/// Result of the trainer.
pub type Result<T, E = TrainerError> = std::result::Result<T, E>;
