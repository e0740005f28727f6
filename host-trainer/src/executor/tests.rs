//! The executor against the f64 reference, value by value.

use super::*;
use crate::parameters::initialize;
use convrnn_graph::{Interpreter, Parameters};
use convrnn_models::catalogue;

fn double_tensors(graph: &StepGraph, parameters: &Parameters<f64>) -> Vec<Tensor> {
    let shaped = graph.parameters.iter().zip(&parameters.values);
    shaped
        .map(|(parameter, values)| {
            let shape: Vec<i64> = parameter.shape.iter().map(|&size| size as i64).collect();
            Tensor::from_slice(values).view(shape.as_slice())
        })
        .collect()
}

/// Deterministic pixels in about ±1.
fn images(graph: &StepGraph, count: usize) -> Vec<convrnn_graph::Tensor> {
    let elements = graph.frame.elements();
    let value = |image: usize, i: usize| (((i * 37 + image * 101 + i / 7) % 41) as f64 - 20.0) / 20.0;
    (0..count)
        .map(|image| convrnn_graph::Tensor::new(graph.frame, (0..elements).map(|i| value(image, i)).collect()))
        .collect()
}

fn batch(images: &[convrnn_graph::Tensor]) -> Tensor {
    let shape = images[0].shape;
    let values: Vec<f64> = images.iter().flat_map(|image| image.values.clone()).collect();
    let size = [images.len(), shape.channels, shape.height, shape.width].map(|extent| extent as i64);
    Tensor::from_slice(&values).view(size)
}

fn difference(tensor: &Tensor, image: i64, expected: &[f64]) -> f64 {
    let image = if tensor.size()[0] == 1 { 0 } else { image };
    let values = Vec::<f64>::try_from(tensor.get(image).contiguous().view([-1])).unwrap();
    assert_eq!(values.len(), expected.len());
    values.iter().zip(expected).map(|(found, expected)| (found - expected).abs()).fold(0.0, f64::max)
}

#[test]
fn every_value_of_every_step_equals_the_reference() {
    for (name, presentation) in [
        ("rgc-28-m4", Presentation { steps: 7, image_steps: 2, blank: -0.25 }),
        ("vanilla-28", Presentation { steps: 6, image_steps: 6, blank: 0.0 }),
        ("rgc-32", Presentation { steps: 5, image_steps: 1, blank: 0.0 }),
    ] {
        let graph = catalogue::find(name).unwrap().lower().unwrap();
        let parameters = initialize(&graph, 5).to_f64();
        let tensors = double_tensors(&graph, &parameters);
        let images = images(&graph, 2);
        let executor = Executor::new(&graph, Kind::Double, Device::Cpu).unwrap();
        let blank = convrnn_graph::Tensor::full(graph.frame, presentation.blank);
        for trimming in [true, false] {
            let options = RunOptions { trimming, ..RunOptions::new(Wanted::Everything) };
            let run = executor.run(&tensors, &batch(&images), &presentation, options).unwrap();
            for (number, image) in images.iter().enumerate() {
                let mut interpreter = Interpreter::new(&graph, &parameters);
                for step in 1..=presentation.steps {
                    let frame = if presentation.shows_image(step) { image } else { &blank };
                    let expected = interpreter.step(frame);
                    for (node, expected) in expected.iter().enumerate() {
                        let found = difference(&run.values[step - 1][node], number as i64, &expected.values);
                        assert!(found < 1e-12, "{name} step {step} {}: {found}", graph.nodes[node].name);
                    }
                    for (state, expected) in interpreter.states().iter().enumerate() {
                        assert!(difference(&run.states[step - 1][state], number as i64, &expected.values) < 1e-12);
                    }
                }
            }
        }
    }
}

#[test]
fn trimmed_logits_and_those_of_everything_are_the_same() {
    let graph = catalogue::find("rgc-28").unwrap().lower().unwrap();
    let parameters = initialize(&graph, 6).to_f64();
    let tensors = double_tensors(&graph, &parameters);
    let images = batch(&images(&graph, 3));
    let executor = Executor::new(&graph, Kind::Double, Device::Cpu).unwrap();
    let presentation = Presentation { steps: 9, image_steps: 5, blank: 0.0 };
    let run = |wanted| executor.run(&tensors, &images, &presentation, RunOptions::new(wanted)).unwrap();
    let every = run(Wanted::EveryLogits).every_logits(3).unwrap();
    assert_eq!(every.size(), [3, 9, 10]);
    let last = run(Wanted::LastLogits);
    assert!(last.logits[..8].iter().all(Option::is_none));
    let gap = (every.select(1, 8) - last.last_logits(3).unwrap()).abs().max().double_value(&[]);
    assert!(gap < 1e-12, "{gap}");
    // The first three steps cannot know the image.
    let early = every.narrow(1, 0, 3);
    assert_eq!((early.get(0) - early.get(2)).abs().max().double_value(&[]), 0.0);
    assert!((every.select(1, 3).get(0) - every.select(1, 3).get(2)).abs().max().double_value(&[]) > 1e-3);
}

#[test]
fn without_recurrence_every_image_driven_step_gives_the_same_logits() {
    let graph = catalogue::find("rgc-28").unwrap().lower().unwrap();
    let tensors = double_tensors(&graph, &initialize(&graph, 7).to_f64());
    let images = batch(&images(&graph, 2));
    let executor = Executor::new(&graph, Kind::Double, Device::Cpu).unwrap();
    let options = RunOptions { ablation: Ablation::Recurrence, ..RunOptions::new(Wanted::EveryLogits) };
    let run = executor.run(&tensors, &images, &Presentation::held(8), options).unwrap();
    let logits = run.every_logits(2).unwrap();
    let step = |step: i64| logits.select(1, step - 1);
    assert_eq!((step(4) - step(8)).abs().max().double_value(&[]), 0.0, "layers alone, nothing remembered");
    assert!((step(3) - step(4)).abs().max().double_value(&[]) > 1e-3, "the image still reaches the logits");
    let whole = executor.run(&tensors, &images, &Presentation::held(8), RunOptions::new(Wanted::EveryLogits)).unwrap();
    let whole = whole.every_logits(2).unwrap();
    assert!((whole.select(1, 7) - step(8)).abs().max().double_value(&[]) > 1e-3, "recurrence makes a difference");
}

#[test]
fn sequences_with_resets_equal_the_reference() {
    let graph = catalogue::find("rgc-28-m4").unwrap().lower().unwrap();
    let parameters = initialize(&graph, 5).to_f64();
    let tensors = double_tensors(&graph, &parameters);
    let images = images(&graph, 6);
    // Two runs: each shows three images of its own, one of them twice, a blank between, and forgets once.
    let shown = |image, resets| Shown { image, resets };
    let frames = Frames {
        images: (0..3).map(|number| batch(&images[2 * number..2 * number + 2])).collect(),
        steps: vec![
            shown(Some(0), false),
            shown(Some(0), false),
            shown(Some(1), false),
            shown(None, false),
            shown(Some(2), true),
            shown(Some(2), false),
            shown(Some(0), false),
            shown(Some(1), false),
        ],
        blank: -0.25,
    };
    let executor = Executor::new(&graph, Kind::Double, Device::Cpu).unwrap();
    let blank = convrnn_graph::Tensor::full(graph.frame, frames.blank);
    let run = |wanted, trimming| {
        executor.run_frames(&tensors, &frames, RunOptions { trimming, ..RunOptions::new(wanted) }).unwrap()
    };
    let chosen = [8, 4];
    let trimmed = run(Wanted::LogitsAt(&chosen), true);
    for trimming in [true, false] {
        let everything = run(Wanted::Everything, trimming);
        for number in 0..2 {
            let mut interpreter = Interpreter::new(&graph, &parameters);
            for (index, shown) in frames.steps.iter().enumerate() {
                if shown.resets {
                    interpreter.reset();
                }
                let expected = interpreter.step(shown.image.map_or(&blank, |image| &images[2 * image + number]));
                for (node, expected) in expected.iter().enumerate() {
                    let found = difference(&everything.values[index][node], number as i64, &expected.values);
                    assert!(found < 1e-12, "step {} {}: {found}", index + 1, graph.nodes[node].name);
                }
                let logits = trimmed.logits[index].as_ref();
                assert_eq!(logits.is_some(), chosen.contains(&(index + 1)));
                let gap = logits.map(|logits| difference(logits, number as i64, &expected[graph.logits.0].values));
                assert!(gap.is_none_or(|gap| gap < 1e-12), "{gap:?}");
            }
        }
    }
}
