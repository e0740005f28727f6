//! Writes down what libtorch computes, step by step, for other engines to be compared with.

use crate::data::batches::evaluation_batches;
use crate::data::{BatchPlan, Batches, SharedDataset, Subset, counted};
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

/// Runs `count` images of a set, a random sample with every class in its share ([`Subset::stratified`]), and records the
/// logits of every step, and for the first `recorded` of them every state and every node's value. Every leading part of
/// the trace shows all classes alike. The same for the same seed.
pub fn trace(
    executor: &Executor,
    traced: &Traced,
    images: &SharedDataset,
    count: usize,
    recorded: usize,
    seed: u64,
) -> Result<Trace> {
    let available = images.len();
    if count == 0 || count > available || recorded > count {
        return Err(TrainerError::Invalid {
            what: "--images and --record",
            expected: format!("1 to {}, no more recorded than traced", counted(available, "images")),
            found: format!("{}, {recorded} recorded", counted(count, "images")),
            hint: "every recorded image takes as much space as all values of all steps".into(),
        });
    }
    let sample: SharedDataset = Arc::new(Subset::stratified(Arc::clone(images), count, seed)?);
    let graph = executor.graph();
    let mut trace = Trace {
        architecture: traced.architecture.clone(),
        description: traced.description.clone(),
        weights: Some(of_weights(graph, &from_tensors(traced.parameters)?)),
        frames: Vec::with_capacity(count * graph.frame.elements()),
        labels: Vec::with_capacity(count),
        indices: Some((0..count).map(|index| sample.place(index) as i64).collect()),
        logits: Vec::new(),
        recorded,
        states: vec![Vec::new(); graph.states.len()],
        values: vec![Vec::new(); graph.nodes.len()],
    };
    if recorded > 0 {
        // One image at a time: every value of every step is a lot of memory.
        let recorded: SharedDataset = Arc::new(Subset::new(Arc::clone(&sample), (0..recorded).collect())?);
        for batch in Batches::new(recorded, BatchPlan::evaluate(1))? {
            add(&mut trace, executor, traced, batch?, Wanted::Everything)?;
        }
    }
    if recorded < count {
        let rest: SharedDataset = Arc::new(Subset::new(sample, (recorded..count).collect())?);
        for batch in evaluation_batches(&rest, EVALUATION_BATCH)? {
            add(&mut trace, executor, traced, batch?, Wanted::EveryLogits)?;
        }
    }
    Ok(trace)
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
    use crate::data::{ImageShape, MemoryDataset};
    use crate::parameters::{initialize, to_tensors};
    use convrnn_graph::Presentation;
    use convrnn_models::safetensors_file::TensorFile;
    use convrnn_models::{Preprocessing, catalogue};
    use tch::{Device, Kind};

    /// Images that cycle through four classes, as rendered ones do, each of one gray of its own.
    fn cycling(graph: &convrnn_graph::StepGraph, count: usize) -> SharedDataset {
        let shape = ImageShape { channels: 1, height: graph.frame.height, width: graph.frame.width };
        let names = (0..graph.classes()).map(|class| class.to_string()).collect();
        let pixels = (0..count).flat_map(|index| vec![index as u8; shape.bytes()]).collect();
        let labels = (0..count as u32).map(|index| index % 4).collect();
        Arc::new(MemoryDataset::new(shape, names, pixels, labels).unwrap())
    }

    #[test]
    fn a_trace_of_images_that_cycle_shows_all_classes_in_every_leading_part() {
        let architecture = catalogue::find("rgc-28-m4").unwrap();
        let graph = architecture.lower().unwrap();
        let images = cycling(&graph, 40);
        let preprocessing = Preprocessing {
            channels: 1,
            height: 28,
            width: 28,
            mean: vec![0.5],
            standard_deviation: vec![0.25],
            decoding: Default::default(),
        };
        let class_names = images.class_names().to_vec();
        let description = Description { class_names, preprocessing, presentation: Presentation::held(2) };
        let parameters = to_tensors(&graph, &initialize(&graph, 1), Device::Cpu).unwrap();
        let executor = Executor::new(&graph, Kind::Float, Device::Cpu).unwrap();
        let traced = Traced { architecture: &architecture, description: &description, parameters: &parameters };
        let run = |seed| trace(&executor, &traced, &images, 20, 3, seed).unwrap();
        let trace = run(1);
        let indices = trace.indices.clone().unwrap();
        assert_eq!((trace.images(), indices.len(), trace.recorded), (20, 20, 3));
        for (image, &index) in indices.iter().enumerate() {
            assert_eq!(trace.labels[image], index % 4, "the label is that of the place");
            assert_eq!(trace.frame(image)[0], index as u8, "and so is the frame");
        }
        for length in 1..=20 {
            let of = |class| trace.labels[..length].iter().filter(|&&label| label == class).count();
            let counts: Vec<usize> = (0..4).map(of).collect();
            assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{length}: {counts:?}");
        }
        // Every second image would be of even classes only.
        assert!((0..4).all(|class| trace.labels.iter().filter(|&&label| label == class).count() == 5));
        assert_eq!(run(1).indices, trace.indices);
        assert_ne!(run(2).indices, trace.indices);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.safetensors");
        trace.write(&path, &graph).unwrap();
        assert_eq!(Trace::read(&path).unwrap().0.indices, trace.indices);
        // As older versions wrote it.
        let mut file = TensorFile::read(&path).unwrap();
        file.tensors.retain(|tensor| tensor.name != "indices");
        file.write(&path).unwrap();
        let (old, _) = Trace::read(&path).unwrap();
        assert_eq!((old.indices, &old.labels), (None, &trace.labels));
    }
}
