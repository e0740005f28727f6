//! Which integer operations a float graph becomes.

use crate::builder::{ConvolutionSpec, GraphBuilder};
use crate::graph::{Read, StateKind, StepGraph};
use crate::operation::{Activation, Operation, Padding, Pool};
use crate::parameters::Initializer;
use crate::passes::fuse_gates;
use crate::quantize::*;
use crate::shape::Shape;
use crate::testing::{random_frames, random_parameters};
use rand::SeedableRng;
use std::collections::HashSet;

/// Layer 1: convolution, relu, pool. Layer 2: a gated cell and a classifier.
fn gated() -> StepGraph {
    let mut builder = GraphBuilder::new("gated", Shape::new(1, 8, 8));
    let output = builder.declare_state("layer1.output".into(), 0, StateKind::Output, Shape::new(3, 4, 4));
    builder.enter_layer("layer1");
    let spec = ConvolutionSpec { bias: Some(Initializer::Zeros), ..ConvolutionSpec::new(3, 3) };
    let conv = builder.convolution("conv", &[Read::Frame], spec.clone()).expect("fits");
    let relu = builder.activation("relu", Activation::Relu, Read::Node(conv)).expect("fits");
    let pool = Pool { kernel: [2, 2], stride: [2, 2], padding: Padding::NONE };
    let pool = builder.node("pool", Operation::MaxPool(pool), &[Read::Node(relu)]).expect("fits");
    builder.tap("output", pool);
    builder.write_state(output, pool);
    builder.enter_layer("layer2");
    let input = Read::Node(builder.convolution("conv", &[Read::State(output)], spec).expect("fits"));
    let hidden = builder.state("hidden", StateKind::Cell, Shape::new(3, 4, 4));
    let mut gates = Vec::new();
    for name in ["first", "second"] {
        let spec = ConvolutionSpec::new(3, 3);
        let sum = builder.convolution(&format!("w_{name}"), &[Read::State(hidden)], spec).expect("fits");
        let gate = builder.activation(&format!("s_{name}"), Activation::Sigmoid, Read::Node(sum)).expect("fits");
        gates.push(Read::Node(builder.affine(&format!("g_{name}"), -1.0, 1.0, Read::Node(gate)).expect("fits")));
    }
    let passed = builder.multiply("passed", gates[0], input).expect("fits");
    let kept = builder.multiply("kept", gates[1], Read::State(hidden)).expect("fits");
    let sum = builder.add("sum", Read::Node(passed), Read::Node(kept)).expect("fits");
    let next = builder.activation("next", Activation::Elu, Read::Node(sum)).expect("fits");
    builder.write_state(hidden, next);
    let class = builder.convolution("class", &[Read::Node(next)], ConvolutionSpec::new(4, 1)).expect("fits");
    let logits = builder.node("logits", Operation::GlobalAverage, &[Read::Node(class)]).expect("fits");
    builder.finish(logits).expect("valid")
}

/// Before gates are fused.
fn quantized() -> QuantizedGraph {
    let graph = gated();
    let parameters = random_parameters(&graph, &mut rand_chacha::ChaCha8Rng::seed_from_u64(1));
    let frames = random_frames(graph.frame, 20, 1);
    let calibration = Calibration::of_sequences(&graph, &parameters, &[frames.iter().collect()]).expect("finite");
    let pixels = PixelScale { mean: &[0.5], standard_deviation: &[0.25] };
    let options = QuantizeOptions { passes: false, ..QuantizeOptions::default() };
    quantize(&graph, &parameters, &calibration, pixels, &options).expect("quantises").graph
}

fn kind(operation: &QuantizedOperation) -> &'static str {
    match operation {
        QuantizedOperation::Convolution(_) => "convolution",
        QuantizedOperation::Add { .. } => "add",
        QuantizedOperation::Multiply { .. } => "multiply",
        QuantizedOperation::Lookup(_) => "lookup",
        QuantizedOperation::Rescale(_) => "rescale",
        QuantizedOperation::MaxPool(_) => "max-pool",
        QuantizedOperation::GlobalAverage { .. } => "average",
        QuantizedOperation::Resize(_) => "resize",
        QuantizedOperation::GatedSum(_) => "gated-sum",
    }
}

#[test]
fn nodes_fuse_and_views_are_shared() {
    let graph = quantized();
    let found: Vec<(&str, &str, Element)> =
        graph.nodes.iter().map(|node| (node.name.as_str(), kind(&node.operation), node.output.element)).collect();
    let expected = [
        ("layer1.relu", "convolution", Element::I8),
        ("layer1.pool", "max-pool", Element::I8),
        ("layer2.conv", "convolution", Element::I16),
        ("layer2.hidden.view", "rescale", Element::I8),
        ("layer2.w_first", "convolution", Element::I16),
        ("layer2.g_first", "lookup", Element::I16),
        ("layer2.w_second", "convolution", Element::I16),
        ("layer2.g_second", "lookup", Element::I16),
        ("layer2.passed", "multiply", Element::I16),
        ("layer2.kept", "multiply", Element::I16),
        ("layer2.sum", "add", Element::I16),
        ("layer2.next", "lookup", Element::I16),
        ("layer2.next.view", "rescale", Element::I8),
        ("layer2.class", "convolution", Element::I16),
        ("layer2.logits", "average", Element::I16),
    ];
    assert_eq!(found, expected);
    // Saturation is the relu, both gates have one table, and states are as wide as they must be.
    assert_eq!(graph.nodes[0].output.zero_point, -128);
    let mut tables: HashSet<&Lookup> = HashSet::new();
    for node in &graph.nodes {
        if let QuantizedOperation::Lookup(lookup) = &node.operation {
            tables.insert(lookup);
        }
    }
    assert_eq!(tables.len(), 2);
    let elements: Vec<Element> = graph.states.iter().map(|state| state.value.element).collect();
    assert_eq!(elements, [Element::I8, Element::I16]);
    assert_eq!(graph.taps[0].node, graph.states[0].next);
}

#[test]
fn a_cell_update_becomes_one_operation() {
    let graph = fuse_gates(&quantized());
    let found: Vec<(&str, &str)> =
        graph.nodes.iter().map(|node| (node.name.as_str(), kind(&node.operation))).skip(4).collect();
    let expected = [
        ("layer2.w_first", "convolution"),
        ("layer2.w_second", "convolution"),
        ("layer2.next", "gated-sum"),
        ("layer2.next.view", "rescale"),
        ("layer2.class", "convolution"),
        ("layer2.logits", "average"),
    ];
    assert_eq!(found, expected);
    let QuantizedOperation::GatedSum(spec) = &graph.nodes[6].operation else { panic!("just compared") };
    let forms: Vec<&str> = spec.tables.iter().map(|table| table.as_ref().map_or("none", form)).collect();
    // The factors of a product keep their order: gate, then input or state.
    assert_eq!(forms, ["fine", "none", "fine", "none"]);
    assert_eq!(spec.function.as_ref().map(form), Some("interpolated"));
}

fn form(table: &Lookup) -> &'static str {
    match table {
        Lookup::Direct(_) => "direct",
        Lookup::Interpolated(_) => "interpolated",
        Lookup::Fine(_) => "fine",
    }
}

/// The name under which damage is found, and the damage.
type Damage = (&'static str, fn(&mut QuantizedGraph));

#[test]
fn damage_is_found() {
    let sound = quantized();
    sound.check().expect("sound");
    let damage: [Damage; 12] = [
        ("frame", |graph| graph.frame.element = Element::I16),
        ("layer1.relu", |graph| graph.nodes[0].output.scale = 0.0),
        ("layer1.relu", |graph| graph.nodes[0].output.zero_point = 128),
        ("layer1.pool", |graph| graph.nodes[1].output.shape.height = 3),
        ("layer1.pool", |graph| graph.nodes[1].output.scale *= 2.0),
        ("layer2.conv", |graph| graph.nodes[2].inputs = vec![Read::Node(crate::NodeId(7))]),
        ("layer2.conv", |graph| graph.nodes[2].layer = 9),
        ("layer2.w_first", |graph| {
            if let QuantizedOperation::Convolution(spec) = &mut graph.nodes[4].operation {
                spec.bias[0] = i32::MAX;
            }
        }),
        ("layer2.g_first", |graph| {
            if let QuantizedOperation::Lookup(Lookup::Interpolated(table)) = &mut graph.nodes[5].operation {
                table.pop();
            }
        }),
        ("layer2.passed", |graph| {
            graph.nodes[8].operation = QuantizedOperation::Multiply { rescale: Rescale { multiplier: 1, shift: 1 } };
        }),
        ("layer1.output", |graph| graph.states[0].next = graph.logits),
        ("logits", |graph| graph.logits = crate::NodeId(999)),
    ];
    for (name, wound) in damage {
        let mut graph = sound.clone();
        wound(&mut graph);
        let error = graph.check().expect_err(name);
        assert_eq!(error.name, name, "{error}");
    }
}
