//! Running programs on the host, the very files that devices run.

use super::aligned::AlignedBytes;
use convrnn_runtime::{Frame, FrameError, LoadError, Program, Session, arena_length};

/// A program that could not be run.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum RunError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Shows a frame from zero states for `image_steps` steps, then the blank, and gives the class
/// scores of each of `steps` steps.
pub fn run_presentation(
    program: &AlignedBytes,
    frame: Frame<'_>,
    steps: usize,
    image_steps: usize,
) -> Result<Vec<Vec<f32>>, RunError> {
    // The length is believed only after the whole program has been verified.
    Program::new_checked(program)?;
    let mut arena = AlignedBytes::zeroed(arena_length(program));
    let mut session = Session::new(program, &mut arena)?;
    session.present(frame)?;
    let mut logits = Vec::with_capacity(steps);
    for step in 0..steps {
        if step == image_steps {
            session.present_blank();
        }
        session.step();
        let scores = session.logits_raw();
        logits.push((0..scores.len()).filter_map(|class| scores.real(class)).collect());
    }
    Ok(logits)
}
