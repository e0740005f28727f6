//! Which state blew up, when the loss is no longer a sensible number.

use super::Trainer;
use crate::error::{Explosion, Result, TrainerError};
use crate::executor::{Executor, RunOptions};
use crate::run_folder::LAST;
use convrnn_graph::Wanted;
use tch::Tensor;

impl Trainer {
    /// Runs the images again with every state recorded and names the first state that is not finite,
    /// or else the largest.
    pub(super) fn explain_explosion(&self, executor: &Executor, frames: &Tensor, loss: f64) -> Result<TrainerError> {
        let presentation = &self.training.description.presentation;
        let options = RunOptions::new(Wanted::Everything);
        let run = tch::no_grad(|| executor.run(&self.parameters, frames, presentation, options))?;
        let mut worst = (0.0, 0, 1);
        'steps: for (step, states) in run.states.iter().enumerate() {
            for (index, state) in states.iter().enumerate() {
                // The maximum of values with a NaN is NaN.
                let magnitude = state.f_abs()?.f_max()?.f_double_value(&[])?;
                if !magnitude.is_finite() {
                    worst = (magnitude, index, step + 1);
                    break 'steps;
                }
                if magnitude > worst.0 {
                    worst = (magnitude, index, step + 1);
                }
            }
        }
        let (magnitude, index, time_step) = worst;
        let (state, layer) = match self.graph.states.get(index) {
            Some(state) => (state.name.clone(), self.graph.layers[state.layer].clone()),
            None => ("none".into(), "a network without states".into()),
        };
        Ok(TrainerError::Exploded(Box::new(Explosion {
            step: self.state.step + 1,
            epoch: self.state.epoch + 1,
            loss,
            state,
            layer,
            magnitude,
            time_step,
            checkpoint: self.folder.join(LAST).display().to_string(),
        })))
    }
}
