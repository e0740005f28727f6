//! How large a network's states are, by layer and time step.

use crate::data::{Batch, BatchPlan, Batches, SharedDataset, Subset};
use crate::error::Result;
use crate::evaluation::frames;
use crate::executor::{Executor, RunOptions};
use convrnn_graph::Wanted;
use convrnn_models::checkpoint::Description;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tch::{Kind, Tensor};

/// Images that norms are measured on, every class in its share.
const IMAGES: usize = 16;

/// The norm of a layer's states over time.
///
/// ```text
/// by_step[t - 1] = sqrt(mean of v^2)      v: every element of every state the layer writes, after step t, all images
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerNorm {
    /// Name of the layer.
    pub layer: String,
    /// By time step, from step 1.
    pub by_step: Vec<f64>,
}

/// The images that norms are measured on; the same for the same set.
///
/// # Errors
/// Images that cannot be read.
pub fn batch(images: &SharedDataset) -> Result<Option<Batch>> {
    let count = IMAGES.min(images.len());
    let chosen: SharedDataset = Arc::new(Subset::stratified(Arc::clone(images), count, 0)?);
    Ok(Batches::new(chosen, BatchPlan::evaluate(count))?.next().transpose()?)
}

/// Measures the states of every layer that has any.
///
/// # Errors
/// Those of libtorch.
pub fn measure(
    executor: &Executor,
    parameters: &[Tensor],
    description: &Description,
    batch: &Batch,
) -> Result<Vec<LayerNorm>> {
    let graph = executor.graph();
    let frames = frames(batch, &description.preprocessing, executor)?;
    let options = RunOptions::new(Wanted::Everything);
    let run = tch::no_grad(|| executor.run(parameters, &frames, &description.presentation, options))?;
    let mut norms = Vec::new();
    for (layer, name) in graph.layers.iter().enumerate() {
        let states: Vec<usize> = (0..graph.states.len()).filter(|&state| graph.states[state].layer == layer).collect();
        if states.is_empty() {
            continue;
        }
        let elements: usize = states.iter().map(|&state| graph.states[state].shape.elements()).sum();
        let mut by_step = Vec::with_capacity(run.states.len());
        for step in &run.states {
            let mut squares = 0.0;
            for &state in &states {
                let tensor = &step[state];
                // A state that does not depend on the image has a batch of one.
                squares += tensor.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])? / tensor.size()[0] as f64;
            }
            by_step.push((squares / elements as f64).sqrt());
        }
        norms.push(LayerNorm { layer: name.clone(), by_step });
    }
    Ok(norms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{ImageShape, MemoryDataset};
    use crate::parameters::{initialize, to_tensors};
    use convrnn_graph::{Interpreter, Presentation};
    use convrnn_models::{Preprocessing, catalogue};
    use tch::Device;

    #[test]
    fn norms_are_those_of_the_reference() {
        let graph = catalogue::find("rgc-28-m4").unwrap().lower().unwrap();
        let pixels: Vec<u8> = (0..2 * 28 * 28).map(|index| (index * 7 % 251) as u8).collect();
        let shape = ImageShape { channels: 1, height: 28, width: 28 };
        let names = vec!["a".into(), "b".into()];
        let images: SharedDataset = Arc::new(MemoryDataset::new(shape, names.clone(), pixels, vec![0, 1]).unwrap());
        let preprocessing = Preprocessing {
            channels: 1,
            height: 28,
            width: 28,
            mean: vec![0.5],
            standard_deviation: vec![0.25],
            decoding: Default::default(),
        };
        let presentation = Presentation::held(5);
        let description = Description { class_names: names, preprocessing, presentation };
        let parameters = initialize(&graph, 3);
        let executor = Executor::new(&graph, Kind::Float, Device::Cpu).unwrap();
        let tensors = to_tensors(&graph, &parameters, Device::Cpu).unwrap();
        let found = measure(&executor, &tensors, &description, &batch(&images).unwrap().unwrap()).unwrap();

        let parameters = parameters.to_f64();
        let mut squares = vec![vec![0.0; graph.layers.len()]; 5];
        for image in 0..2 {
            let mut interpreter = Interpreter::new(&graph, &parameters);
            let frame = description.preprocessing.normalize(&images.image(image).unwrap().pixels);
            let frame = convrnn_graph::Tensor::new(graph.frame, frame.into_iter().map(f64::from).collect());
            for squares in &mut squares {
                interpreter.step(&frame);
                for (state, declared) in interpreter.states().iter().zip(&graph.states) {
                    squares[declared.layer] += state.values.iter().map(|value| value * value).sum::<f64>();
                }
            }
        }
        assert!(found.len() >= 3);
        for norm in &found {
            let layer = graph.layers.iter().position(|name| *name == norm.layer).unwrap();
            let states = graph.states.iter().filter(|state| state.layer == layer);
            let elements: usize = states.map(|state| state.shape.elements()).sum();
            for (step, value) in norm.by_step.iter().enumerate() {
                let expected = (squares[step][layer] / (2 * elements) as f64).sqrt();
                assert!(
                    (value - expected).abs() < 1e-5 * expected.max(1.0),
                    "{} {step}: {value} {expected}",
                    norm.layer
                );
            }
        }
        assert!(found[0].by_step[0] > 0.0);
    }
}
