//! Writes down what libtorch computes, step by step, for other engines to be compared with.

use crate::data::batches::evaluation_batches;
use crate::data::{BatchPlan, Batches, SharedDataset, Subset};
use crate::error::{Result, TrainerError};
use crate::evaluation::{EVALUATION_BATCH, frames};
use crate::executor::{Executor, RunOptions, whole_batch};
use crate::parameters::{from_tensors, to_f32};
use convrnn_graph::Wanted;

use convrnn_models::Trace;
use convrnn_models::digest::of_weights;
use convrnn_models::{Architecture, checkpoint::Description};
use std::sync::Arc;
use tch::{TchError, Tensor};

/// The network of a trace.
pub struct Traced<'a> {
    /// The architecture.
    pub architecture: &'a Architecture,
    /// Class names, preprocessing, presentation.
    pub description: &'a Description,
    /// Weights as tensors.
    pub parameters: &'a [Tensor],
}

/// Runs `count` images, evenly spaced over a set,
/// and records the logits of every step, and for `recorded` of them, spread over the classes, every
/// state and every node's value. The recorded ones come first.
pub fn trace(
    executor: &Executor,
    traced: &Traced,
    images: &SharedDataset,
    count: usize,
    recorded: usize,
) -> Result<Trace> {
    let available = images.len();
    if count == 0 || count > available || recorded > count {
        return Err(TrainerError::Invalid {
            what: "--images and --record",
            expected: format!("1 to {available} images, no more recorded than traced"),
            found: format!("{count} images, {recorded} recorded"),
            hint: "every recorded image takes as much space as all values of all steps".into(),
        });
    }
    let graph = executor.graph();
    let mut trace = Trace {
        architecture: traced.architecture.clone(),
        description: traced.description.clone(),
        weights: Some(of_weights(graph, &from_tensors(traced.parameters)?)),
        frames: Vec::with_capacity(count * graph.frame.elements()),
        labels: Vec::with_capacity(count),
        logits: Vec::new(),
        recorded,
        states: vec![Vec::new(); graph.states.len()],
        values: vec![Vec::new(); graph.nodes.len()],
    };
    let (recorded, rest) = draw(available, count, recorded);
    if !recorded.is_empty() {
        // One image at a time: every value of every step is a lot of memory.
        let recorded: SharedDataset = Arc::new(Subset::new(Arc::clone(images), recorded)?);
        for batch in Batches::new(recorded, BatchPlan::evaluate(1))? {
            add(&mut trace, executor, traced, batch?, Wanted::Everything)?;
        }
    }
    if !rest.is_empty() {
        let rest: SharedDataset = Arc::new(Subset::new(Arc::clone(images), rest)?);
        for batch in evaluation_batches(&rest, EVALUATION_BATCH)? {
            add(&mut trace, executor, traced, batch?, Wanted::EveryLogits)?;
        }
    }
    Ok(trace)
}

/// Indices of the images to record and of the others, evenly spaced: sets are often sorted by class,
/// so the first images would be of one class.
fn draw(available: usize, count: usize, recorded: usize) -> (Vec<usize>, Vec<usize>) {
    let is_recorded = |place: usize| (place + 1) * recorded / count != place * recorded / count;
    let (chosen, rest): (Vec<usize>, Vec<usize>) = (0..count).partition(|&place| is_recorded(place));
    let indices = |places: Vec<usize>| places.into_iter().map(|place| place * available / count).collect();
    (indices(chosen), indices(rest))
}

fn add(
    trace: &mut Trace,
    executor: &Executor,
    traced: &Traced,
    batch: crate::data::Batch,
    wanted: Wanted,
) -> Result<()> {
    let Description { preprocessing, presentation, .. } = traced.description;
    let frames = frames(&batch, preprocessing, executor)?;
    let count = batch.len() as i64;
    let run = tch::no_grad(|| executor.run(traced.parameters, &frames, presentation, RunOptions::new(wanted)))?;
    trace.logits.extend(to_f32(&run.every_logits(count)?)?);
    let extend = |into: &mut [Vec<f32>], step: &[Tensor]| -> Result<(), TchError> {
        for (into, tensor) in into.iter_mut().zip(step) {
            into.extend(to_f32(&whole_batch(tensor, count)?)?);
        }
        Ok(())
    };
    for (values, states) in run.values.iter().zip(&run.states) {
        extend(&mut trace.values, values)?;
        extend(&mut trace.states, states)?;
    }
    trace.frames.extend(batch.images);
    trace.labels.extend(batch.labels);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_drawn_from_all_over_the_set() {
        assert_eq!(draw(100, 4, 2), (vec![25, 75], vec![0, 50]));
        assert_eq!(draw(5, 5, 0), (vec![], vec![0, 1, 2, 3, 4]));
        let (recorded, rest) = draw(10_000, 1000, 7);
        assert_eq!((recorded.len(), rest.len()), (7, 993));
        let mut all: Vec<usize> = recorded.into_iter().chain(rest).collect();
        all.sort_unstable();
        assert_eq!(all, (0..1000).map(|place| place * 10).collect::<Vec<_>>());
    }
}
