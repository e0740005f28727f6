//! `step.onnx`: one time step, states in and out.

use super::operation::OperationWriter;
use super::proto::{ModelWriter, Size};
use super::protobuf::ModelProto;
use super::{IMAGE, LOGITS, Source, Values};
use convrnn_graph::{Read, Shape};

/// Name of the input that takes a state of the previous step.
pub fn past(state: &str) -> String {
    format!("past_{state}")
}

/// Name of the output that gives a state after this step.
pub fn present(state: &str) -> String {
    format!("present_{state}")
}

/// One step. Inputs `image` `[batch, C, H, W]` (normalised) and `past_<state>`; outputs `logits`
/// `[batch, classes]`, the taps by name and `present_<state>`. Zero states start a run. Every node is
/// named by its path in the step graph, and so is its value.
pub fn step_model(source: &Source<'_>, values: Values, metadata: &[(String, String)]) -> ModelProto {
    let graph = source.graph;
    let operations = OperationWriter { graph, parameters: source.parameters };
    let mut model = ModelWriter::default();
    model.input(IMAGE, &Size::of_map(graph.frame));
    for state in &graph.states {
        model.input(&past(&state.name), &Size::of_map(state.shape));
    }
    for node in &graph.nodes {
        let inputs: Vec<String> = node
            .inputs
            .iter()
            .map(|&read| match read {
                Read::Frame => IMAGE.to_owned(),
                Read::Node(other) => graph.nodes[other.0].name.clone(),
                Read::State(state) => past(&graph.states[state.0].name),
            })
            .collect();
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        operations.emit(&mut model, node, &inputs, &node.name);
    }
    let logits = &graph.nodes[graph.logits.0].name;
    model.node("Flatten", LOGITS, &[logits], vec![]);
    model.output(LOGITS, &[Size::Batch, Size::Fixed(graph.classes())]);
    let named = |model: &mut ModelWriter, name: &str, value: &str, shape: Shape| {
        if name != value {
            model.node("Identity", name, &[value], vec![]);
        }
        model.output(name, &Size::of_map(shape));
    };
    for tap in &graph.taps {
        let node = &graph.nodes[tap.node.0];
        named(&mut model, &tap.name, &node.name, node.shape);
    }
    for state in &graph.states {
        named(&mut model, &present(&state.name), &graph.nodes[state.next.0].name, state.shape);
    }
    match values {
        Values::Named => {}
        Values::Every => {
            for node in graph.nodes.iter().filter(|node| graph.taps.iter().all(|tap| tap.name != node.name)) {
                model.output(&node.name, &Size::of_map(node.shape));
            }
        }
    }
    model.finish(&graph.name, metadata)
}
