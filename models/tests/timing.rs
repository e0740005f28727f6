//! The timing report against REFERENCE figures of the released median net, and against what the
//! reference interpreter does when a weight is changed.

use convrnn_graph::timing::{ParameterTiming, Timing};
use convrnn_graph::{Interpreter, ParameterGroup, Parameters, Presentation, StepGraph, Tensor};
use convrnn_models::Architecture;
use std::fmt::Write;

/// The released median net on scalars: eleven layers of one channel and one position, cells on
/// layers 4 to 10, its five feedback edges.
fn scalar_median() -> Architecture {
    let mut text = String::from(
        "name = \"rgc-median-scalar\"\ninput = { channels = 1, height = 1, width = 1 }\n\
         presentation = { steps = 17, image_steps = 12 }\n",
    );
    for layer in 1..=11 {
        text.push_str("[[layer]]\nconvolution = { kernel = 1, channels = 1 }\n");
        if (4..=10).contains(&layer) {
            text.push_str("cell = { kind = \"reciprocal-gated\", kernel = 1 }\n");
        }
    }
    for (from, to) in [(8, 5), (9, 6), (10, 7), (7, 6), (10, 9)] {
        writeln!(text, "[[feedback]]\nfrom = {from}\nto = {to}\nentry = \"cell-input\"").unwrap();
    }
    Architecture::parse(&text, "rgc-median-scalar").unwrap_or_else(|error| panic!("{error}"))
}

/// Weights of alternating sign, biases zero.
fn weights(graph: &StepGraph) -> Parameters<f64> {
    let values = graph
        .parameters
        .iter()
        .enumerate()
        .map(|(index, parameter)| match parameter.group {
            ParameterGroup::Bias | ParameterGroup::CellBias => vec![0.0; parameter.elements()],
            _ => (0..parameter.elements()).map(|i| 0.7 + 0.05 * ((index * 7 + i * 3) % 11) as f64).collect(),
        })
        .collect();
    Parameters { values }
}

fn last_logits(graph: &StepGraph, parameters: &Parameters<f64>, steps: usize, frame: &Tensor) -> Vec<f64> {
    let mut interpreter = Interpreter::new(graph, parameters);
    interpreter.logits(std::iter::repeat_n(frame, steps)).pop().unwrap()
}

#[test]
fn the_median_net_on_scalars_has_the_published_timing() {
    let architecture = scalar_median();
    let timing = Timing::new(&architecture.lower().unwrap());
    let graph = architecture.lower().unwrap();
    assert_eq!(timing.first_image_step, Some(11));
    let part = |name: &str, source: Option<&str>| {
        let id = graph.parameter_named(name).unwrap_or_else(|| panic!("{name}"));
        let is_it =
            |part: &&ParameterTiming| part.parameter == id && (part.part.is_none() || part.part.as_deref() == source);
        timing.parameters.iter().find(is_it).unwrap_or_else(|| panic!("{name} {source:?}")).first_step.unwrap()
    };
    let first = |name: &str| part(name, None);
    for layer in 4..=10 {
        for (gate, step) in [("ch", 12), ("hh", 12), ("hc", 13), ("cc", 13)] {
            assert_eq!(first(&format!("layer{layer}.cell.w_{gate}.weight")), step, "layer {layer} {gate}");
        }
    }
    for ((from, to), step) in [((7, 6), 13), ((10, 9), 13), ((8, 5), 15), ((9, 6), 15), ((10, 7), 15)] {
        let source = format!("layer{from}.output");
        assert_eq!(part(&format!("layer{to}.cell.feedback_input.weight"), Some(&source)), step, "{from} -> {to}");
    }
    assert_eq!(timing.minimal_unroll(false), Some(13));
    assert_eq!(timing.minimal_unroll(true), Some(15));
    // With T = 17 and the image off after 12 the blank never reaches the logits; it would at 23.
    assert_eq!(timing.first_blank_step(&architecture.presentation), None);
    let longer = Presentation { steps: 30, ..architecture.presentation };
    assert_eq!(timing.first_blank_step(&longer), Some(23));
}

#[test]
fn a_changed_weight_changes_the_logits_at_its_reported_step_and_not_before() {
    let graph = scalar_median().lower().unwrap();
    let parameters = weights(&graph);
    let frame = Tensor::full(graph.frame, 0.9);
    for part in Timing::new(&graph).parameters {
        let name = &graph.parameters[part.parameter.0].name;
        let step = part.first_step.unwrap_or_else(|| panic!("{name} never takes effect"));
        let mut changed = parameters.clone();
        changed.values[part.parameter.0][part.channels.0] += 0.125;
        let differs =
            |steps| last_logits(&graph, &parameters, steps, &frame) != last_logits(&graph, &changed, steps, &frame);
        assert!(differs(step), "{name} at {step}");
        assert!(step == 1 || !differs(step - 1), "{name} at {}", step - 1);
    }
}

#[test]
fn a_snapshot_of_the_states_continues_to_the_bit() {
    let graph = convrnn_models::catalogue::find("rgc-28-m4").unwrap().lower().unwrap();
    let mut parameters = weights(&graph);
    for values in &mut parameters.values {
        for (index, value) in values.iter_mut().enumerate() {
            *value = (*value - 0.9) * if index % 2 == 0 { 0.3 } else { -0.25 };
        }
    }
    let frames: Vec<Tensor> = (0..6)
        .map(|step| {
            let values =
                (0..graph.frame.elements()).map(|i| (((i * 31 + step * 17) % 23) as f64 - 11.0) / 11.0).collect();
            Tensor::new(graph.frame, values)
        })
        .collect();
    let mut whole = Interpreter::new(&graph, &parameters);
    let expected: Vec<_> = frames.iter().map(|frame| whole.step(frame)).collect();
    let mut first = Interpreter::new(&graph, &parameters);
    for frame in &frames[..3] {
        first.step(frame);
    }
    let mut second = Interpreter::new(&graph, &parameters);
    second.restore(first.states().to_vec());
    for (frame, expected) in frames[3..].iter().zip(&expected[3..]) {
        assert_eq!(&second.step(frame), expected);
    }
    assert_ne!(expected[4][graph.logits.0], expected[5][graph.logits.0], "the run is not a constant");
}
