//! Which layer blew up first, when the loss is no longer a sensible number.

use super::Trainer;
use crate::error::{Explosion, Result, TrainerError};
use crate::executor::{Executor, Frames, Normalization, RunOptions};
use crate::run_folder::{BEST, LAST};
use convrnn_graph::{Operation, StateKind, StepGraph, Wanted};
use tch::{TchError, Tensor};

/// A state larger than this has exploded: states of trained networks stay within some tens.
const LARGEST_STATE: f64 = 1e4;
/// Images that are run at a time, since every value of every step is kept.
const CHUNK: i64 = 16;

/// A state or the logits at one step.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    /// Time step, from 1.
    time_step: usize,
    /// Place of the state in [`order`]; the number of states for the logits.
    index: usize,
    /// Largest absolute value; NaN where one is not a number.
    magnitude: f64,
}

impl Place {
    fn is_exploded(&self) -> bool {
        !self.magnitude.is_finite() || self.magnitude > LARGEST_STATE
    }

    /// Whether this place explains an explosion better: exploded earlier, or, where neither did, larger.
    fn is_worse_than(&self, other: &Self) -> bool {
        match (self.is_exploded(), other.is_exploded()) {
            (true, true) => (self.time_step, self.index) < (other.time_step, other.index),
            (false, false) => self.magnitude > other.magnitude,
            (exploded, _) => exploded,
        }
    }
}

impl Trainer {
    /// Runs the images again with every state recorded and says where it began: the first state, in time
    /// and then from the first layer on, that is not finite or above [`LARGEST_STATE`].
    pub(super) fn explain_explosion(
        &self,
        executor: &Executor,
        parameters: &[Tensor],
        frames: &Frames,
        normalization: Normalization,
        reason: String,
        loss: f64,
    ) -> Result<TrainerError> {
        let options = RunOptions { normalization, ..RunOptions::new(Wanted::Everything) };
        let batch = frames.batch();
        // Statistics of a part of a batch are not those of the batch.
        let normalizes = self.graph.nodes.iter().any(|node| matches!(node.operation, Operation::BatchNorm(_)));
        let chunk = if normalizes && normalization == Normalization::Batch { batch } else { CHUNK };
        let order = order(&self.graph);
        let mut worst: Option<Place> = None;
        for start in (0..batch).step_by(chunk as usize) {
            let part = frames.rows(start, (start + chunk).min(batch))?;
            let run = tch::no_grad(|| executor.run_frames(parameters, &part, options))?;
            for (step, (states, logits)) in (1..).zip(run.states.iter().zip(&run.logits)) {
                let ordered = order.iter().map(|&state| &states[state]);
                for (index, tensor) in ordered.chain(logits).enumerate() {
                    let place = Place { time_step: step, index, magnitude: magnitude(tensor)? };
                    if worst.as_ref().is_none_or(|worst| place.is_worse_than(worst)) {
                        worst = Some(place);
                    }
                }
            }
        }
        let worst = worst.unwrap_or(Place { time_step: 1, index: self.graph.states.len(), magnitude: loss });
        let state = order.get(worst.index).copied();
        let (state, layer) = name(&self.graph, state);
        Ok(TrainerError::Exploded(Box::new(Explosion {
            step: self.state.step + 1,
            epoch: self.state.epoch + 1,
            reason,
            loss,
            is_exploded: worst.is_exploded(),
            state,
            layer,
            magnitude: worst.magnitude,
            time_step: worst.time_step,
            checkpoint: self.last_good_checkpoint(),
        })))
    }

    /// `last`, unless it holds the very weights that just failed; then `best`, if there is one.
    fn last_good_checkpoint(&self) -> Option<String> {
        let best = self.folder.join(BEST);
        let good = match self.saved_step < self.state.step {
            true => Some(self.folder.join(LAST)),
            false => Some(best).filter(|best| best.is_dir()),
        };
        good.map(|path| path.display().to_string())
    }
}

/// The maximum of values with a NaN is NaN.
fn magnitude(tensor: &Tensor) -> Result<f64, TchError> {
    tensor.f_abs()?.f_max()?.f_double_value(&[])
}

/// The states from the first layer on; within a layer those of its cell before its output, which follows from them.
fn order(graph: &StepGraph) -> Vec<usize> {
    let mut order: Vec<usize> = (0..graph.states.len()).collect();
    order.sort_by_key(|&state| (graph.states[state].layer, graph.states[state].kind == StateKind::Output));
    order
}

/// Name and layer of a state, or of the logits.
fn name(graph: &StepGraph, state: Option<usize>) -> (String, String) {
    match state.and_then(|state| graph.states.get(state)) {
        Some(state) => (state.name.clone(), graph.layers[state.layer].clone()),
        None => ("the logits".into(), graph.layers[graph.nodes[graph.logits.0].layer].clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_before_the_outputs_that_follow_from_them_and_lower_layers_first() {
        let graph = convrnn_models::catalogue::find("rgc-28").unwrap().lower().unwrap();
        let names: Vec<&str> = order(&graph).into_iter().map(|state| graph.states[state].name.as_str()).collect();
        let expected = [
            "layer1.output",
            "layer2.hidden",
            "layer2.memory",
            "layer2.output",
            "layer3.hidden",
            "layer3.memory",
            "layer3.output",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn what_exploded_first_in_time_and_then_by_layer_is_the_cause() {
        let place = |time_step, index, magnitude| Place { time_step, index, magnitude };
        assert!(place(3, 5, f64::NAN).is_exploded() && place(3, 5, f64::INFINITY).is_exploded());
        assert!(!place(3, 5, 100.0).is_exploded());
        assert!(place(3, 5, 1e5).is_worse_than(&place(4, 0, f64::NAN)), "earlier");
        assert!(place(3, 1, 1e5).is_worse_than(&place(3, 2, f64::INFINITY)), "same step, earlier layer");
        assert!(place(9, 9, 1e5).is_worse_than(&place(1, 0, 50.0)), "exploded before large");
        assert!(!place(1, 0, 50.0).is_worse_than(&place(9, 9, f64::NAN)));
        assert!(place(2, 2, 60.0).is_worse_than(&place(1, 0, 50.0)), "the largest where none exploded");
    }
}
