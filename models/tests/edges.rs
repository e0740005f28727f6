//! Skips, second edges between two layers, and cells behind changes of size: the numbers, by hand.

use convrnn_graph::timing::Timing;
use convrnn_graph::{Interpreter, Operation, Parameters, Read, StepGraph, Tensor};
use convrnn_models::Architecture;

fn architecture(size: (usize, usize), rest: &str) -> Architecture {
    let text = format!(
        "name = \"net\"\ninput = {{ channels = 1, height = {}, width = {} }}\n\
         presentation = {{ steps = 8, image_steps = 8 }}\n{rest}",
        size.0, size.1
    );
    Architecture::parse(&text, "net.toml").unwrap_or_else(|error| panic!("{error}"))
}

/// Layers of one weight and a bias without activation.
fn chain(layers: usize, edges: &str) -> StepGraph {
    let layer = "[[layer]]\nconvolution = { kernel = 1, channels = 1 }\nactivation = \"none\"\n";
    architecture((1, 1), &format!("{}{edges}", layer.repeat(layers))).lower().unwrap()
}

/// Every parameter's values, by a function of its name and their number.
fn parameters(graph: &StepGraph, values: impl Fn(&str, usize) -> Vec<f64>) -> Parameters<f64> {
    let one = |parameter: &convrnn_graph::Parameter| values(&parameter.name, parameter.elements());
    Parameters { values: graph.parameters.iter().map(one).collect() }
}

#[test]
fn a_skip_brings_the_output_of_the_step_before() {
    let graph = chain(4, "[[skip]]\nfrom = 1\nto = 4\n");
    // Powers of two show which terms a sum holds.
    let values = parameters(&graph, |name, count| match (name, count) {
        ("layer4.conv.weight", 2) => vec![1.0, 64.0],
        ("layer4.conv.weight", _) => panic!("the skip's channels follow those of the layer below"),
        (name, count) if name.ends_with("bias") => vec![0.0; count],
        (_, count) => vec![2.0; count],
    });
    let frames: Vec<Tensor> = [1.0, 10.0, 100.0, 1000.0].iter().map(|&x| Tensor::full(graph.frame, x)).collect();
    let logits = Interpreter::new(&graph, &values).logits(&frames);
    // In step t: 8 F_(t-3) by the arrows, 64 * 2 F_(t-1) by the skip.
    let expected = [0.0, 128.0, 1280.0, 12800.0 + 8.0];
    assert_eq!(logits.concat(), expected);
    let timing = Timing::new(&graph);
    assert_eq!(timing.first_image_step, Some(2), "the image takes the skip");
    let marked: Vec<(Option<&str>, bool, bool)> = timing
        .parameters
        .iter()
        .filter(|part| graph.parameters[part.parameter.0].name == "layer4.conv.weight")
        .map(|part| (part.part.as_deref(), part.feedback, part.skip))
        .collect();
    assert_eq!(marked, [(Some("layer3.output"), false, false), (Some("layer1.output"), false, true)]);
}

#[test]
fn skips_and_feedback_that_are_added_have_a_convolution_each() {
    let edge = |kind, from, to| format!("[[{kind}]]\nfrom = {from}\nto = {to}\nentry = \"cell-input\"\n");
    let graph = chain(5, &[edge("skip", 1, 4), edge("skip", 2, 4), edge("feedback", 5, 4)].concat());
    let shape = |name: &str| graph.parameters[graph.parameter_named(name).unwrap().0].shape.clone();
    assert_eq!(shape("layer4.skip_input.weight"), [1, 2, 1, 1]);
    assert_eq!(shape("layer4.feedback_input.weight"), [1, 1, 1, 1]);
    let values = parameters(&graph, |name, count| match name {
        "layer4.skip_input.weight" => vec![10.0, 100.0],
        name if name.ends_with("bias") => vec![0.0; count],
        _ => vec![1.0; count],
    });
    let frames: Vec<Tensor> = [1.0, 0.0, 0.0, 0.0, 0.0].iter().map(|&x| Tensor::full(graph.frame, x)).collect();
    let mut interpreter = Interpreter::new(&graph, &values);
    let tap = graph.taps.iter().find(|tap| tap.name == "layer4.output").unwrap().node.0;
    let found: Vec<f64> = frames.iter().map(|frame| interpreter.step(frame)[tap].values[0]).collect();
    // Skip from layer 1 in step 2, from layer 2 in step 3; in step 4 the arrows, and what step 2 sent through layer 5.
    assert_eq!(found, [0.0, 10.0, 100.0, 1.0 + 10.0, 100.0]);
}

#[test]
fn two_edges_between_two_layers_enter_in_two_ways() {
    let layers = "[[layer]]\nconvolution = { kernel = 3, channels = 2, stride = 2 }\ncell = { kind = \"vanilla\", kernel = 1 }\n\
                  [[layer]]\nconvolution = { kernel = 1, channels = 3 }\naverage = \"after\"\n";
    let edges = "[[feedback]]\nfrom = 2\nto = 1\n[[feedback]]\nfrom = 2\nto = 1\nentry = \"cell-hidden\"\nresize = \"nearest\"\n";
    let graph = architecture((6, 5), &format!("{layers}{edges}")).lower().unwrap();
    let size = |name: &str| {
        let node = &graph.nodes[graph.node_named(name).unwrap_or_else(|| panic!("{name}")).0];
        assert_eq!(graph.read_name(node.inputs[0]), "layer2.output");
        (node.shape.height, node.shape.width)
    };
    assert_eq!(size("layer1.feedback.layer2.concatenate.resize"), (6, 5));
    assert_eq!(size("layer1.feedback.layer2.cell-hidden.resize"), (3, 3));
}

/// One layer with a search cell whose input adds the layer's own, then an average.
fn with_residual(convolution: &str) -> StepGraph {
    let cell = "cell = { kind = \"search\", hidden = { residual = true, activation = \"relu\" } }";
    let last = "[[layer]]\nconvolution = { kernel = 1, channels = 1 }\naverage = \"after\"\n";
    architecture((4, 4), &format!("[[layer]]\nconvolution = {convolution}\n{cell}\n{last}")).lower().unwrap()
}

#[test]
fn a_residual_of_a_cell_takes_the_stride_of_the_convolution_or_the_size_of_its_result() {
    let frame = |graph: &StepGraph| Tensor::new(graph.frame, (0..16).map(f64::from).collect());
    // The convolution gives nothing, the 1x1 of the residual 1: the cell's output is what the residual brings.
    let brings = |graph: &StepGraph| {
        let values = parameters(graph, |name, count| vec![f64::from(u8::from(name.contains("residual"))); count]);
        let next = graph.node_named("layer1.cell.next_ch").unwrap().0;
        Interpreter::new(graph, &values).step(&frame(graph))[next].values.clone()
    };
    let strided = with_residual("{ kernel = 3, channels = 1, stride = 2 }");
    assert_eq!(brings(&strided), [0.0, 2.0, 8.0, 10.0], "every second row and column, as a ResNet's");
    // Two convolutions, strides 2 and 1.
    let twice = with_residual("[{ kernel = 3, channels = 2, stride = 2 }, { kernel = 1, channels = 1 }]");
    assert_eq!(brings(&twice), [0.0, 2.0, 8.0, 10.0]);
    // 4 positions to 3: at 0, 1.5 and 3, aligned corners.
    let valid = with_residual("{ kernel = 2, channels = 1, padding = \"valid\" }");
    assert_eq!(brings(&valid), [0.0, 1.5, 3.0, 6.0, 7.5, 9.0, 12.0, 13.5, 15.0]);
    // Padding that makes the map larger: 4 positions to 6.
    let larger = with_residual("{ kernel = 1, channels = 1, padding = 1 }");
    let brought = brings(&larger);
    assert_eq!((brought.len(), brought[0], brought[35]), (36, 0.0, 15.0));
    assert!((brought[1] - 0.6).abs() < 1e-12, "{}", brought[1]);
}

#[test]
fn a_gate_sees_the_layer_below_on_the_cells_map() {
    let cell = "cell = { kind = \"search\", hidden = { gate = { reads = [\"below\", \"hidden\"], kernel = 1 } } }";
    let layer = |convolution: &str| format!("[[layer]]\nconvolution = {convolution}\n{cell}\naverage = \"after\"\n");
    let strided = architecture((6, 5), &layer("{ kernel = 3, channels = 2, stride = 2 }")).lower().unwrap();
    let gate = &strided.nodes[strided.node_named("layer1.cell.w_ch").unwrap().0];
    let Read::Node(below) = gate.inputs[0] else { panic!("the frame is resized first") };
    let below = &strided.nodes[below.0];
    assert!(matches!(below.operation, Operation::Resize(_)) && below.inputs == [Read::Frame], "{below:?}");
    assert_eq!((below.shape.channels, below.shape.height, below.shape.width), (1, 3, 3));
    // Where the size is the same the gate reads the frame as it is.
    let same = architecture((6, 5), &layer("{ kernel = 3, channels = 2 }")).lower().unwrap();
    assert_eq!(same.nodes[same.node_named("layer1.cell.w_ch").unwrap().0].inputs[0], Read::Frame);
}

#[test]
fn a_residual_of_a_layer_goes_around_any_change_of_size() {
    let text = "[[layer]]\nconvolution = { kernel = 2, channels = 2, padding = \"valid\" }\nresidual = { norm = \"batch\" }\n\
                average = \"after\"\n";
    let graph = architecture((4, 4), text).lower().unwrap();
    let names: Vec<&str> = graph.nodes.iter().map(|node| &*node.name).collect();
    let expected = ["conv", "residual.resize", "residual", "residual_norm", "residual_sum", "activation", "average"];
    assert_eq!(names, expected.map(|name| format!("layer1.{name}")));
}

#[test]
fn one_number_pads_all_sides() {
    let padded = |padding: &str| {
        let text = format!(
            "[[layer]]\nconvolution = {{ kernel = 3, channels = 2, padding = {padding} }}\naverage = \"after\"\n"
        );
        architecture((5, 4), &text)
    };
    assert_eq!(padded("1"), padded("[1, 1, 1, 1]"));
    assert_eq!(padded("2").lower().unwrap().nodes[0].shape.to_string(), "2x7x6");
    let again = Architecture::parse(&padded("1").to_toml(), "again").unwrap();
    assert_eq!(again, padded("1"));
}

/// A net whose second layer lets through what its memory holds: `h = tanh(w * c) . x`, `c` grown from `h`.
const SHUT: &str = "[[layer]]\nconvolution = { kernel = 3, channels = 3 }\n\
    [[layer]]\nconvolution = { kernel = 3, channels = 3 }\n\
    cell = { kind = \"search\", hidden = { gate = { reads = [\"memory\"], squash = \"tanh\", offset = 0.0, factor = 1.0 } }, \
    memory = { gate = { reads = [\"hidden\"], squash = \"tanh\", offset = 0.0, factor = 1.0, bias = true }, \
    keep = { reads = [], offset = 0.9, factor = 0.0 } } }\n\
    [[layer]]\nconvolution = { kernel = 1, channels = 4 }\nactivation = \"none\"\naverage = \"after\"\n";

/// A net whose first layer opens its gate by a bias.
const LATE: &str = "[[layer]]\nconvolution = { kernel = 3, channels = 3 }\n\
    cell = { kind = \"search\", hidden = { \
    gate = { reads = [\"memory\"], squash = \"tanh\", offset = 0.0, factor = 1.0, bias = true }, keep = { reads = [\"hidden\"] } }, \
    memory = { gate = { reads = [] , factor = 0.0 } } }\n\
    [[layer]]\nconvolution = { kernel = 1, channels = 4 }\nactivation = \"none\"\naverage = \"after\"\n";

#[test]
fn the_first_image_driven_step_is_that_of_the_weights() {
    for (text, biases, expected) in [
        (SHUT, 0.0, None),
        // In step 1 biases alone fill the memory, which opens the gate in step 2, where the image arrives.
        (SHUT, 0.1, Some(3)),
        (LATE, 0.0, Some(3)),
        (LATE, 0.1, Some(2)),
    ] {
        let graph = architecture((9, 9), text).lower().unwrap();
        let values = parameters(&graph, |name, count| {
            (0..count).map(|i| if name.ends_with("bias") { biases } else { 0.3 - 0.1 * (i % 5) as f64 }).collect()
        });
        let found = convrnn_graph::first_image_steps(&graph, &values)[graph.logits.0];
        let [left, right] = [0.5, -0.7].map(|level| {
            let frame = Tensor::full(graph.frame, level);
            Interpreter::new(&graph, &values).logits(std::iter::repeat_n(&frame, 12))
        });
        let differs = (1..=12).find(|step| left[step - 1] != right[step - 1]);
        assert_eq!((found, differs), (expected, expected), "biases {biases}\n{text}");
        let by_reads = Timing::new(&graph).first_image_step;
        assert!(by_reads.is_some_and(|by_reads| found.is_none_or(|found| by_reads <= found)), "{by_reads:?}");
    }
}
