//! libtorch's gradients against central differences of the f64 reference, and against the timing
//! report: a weight that is said to matter from step T on has a gradient of exactly zero at T - 1.

use convrnn_graph::timing::{ParameterTiming, Timing};
use convrnn_graph::{
    Activation, Interpreter, Operation, ParameterGroup, Parameters, Presentation, StepGraph, Tensor as Reference,
    Wanted,
};
use convrnn_models::Architecture;
use convrnn_trainer::executor::{Executor, RunOptions};
use convrnn_trainer::parameters::initialize;
use std::fmt::Write;
use tch::{Device, Kind, Tensor};

/// A small linear congruential generator (Knuth's MMIX constants), for choices and values.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }

    fn unit(&mut self) -> f64 {
        self.below(1 << 30) as f64 / f64::from(1 << 30)
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

/// Cells as written in a file.
const CELLS: [&str; 11] = [
    "kind = \"reciprocal-gated\", KERNEL",
    "kind = \"reciprocal-gated\", KERNEL",
    "kind = \"vanilla\", KERNEL",
    "kind = \"time-decay\", initial = 0.6",
    "kind = \"gru\", KERNEL",
    "kind = \"lstm\", KERNEL",
    "kind = \"lstm\", peepholes = true, depth = 2, KERNEL",
    "kind = \"ugrnn\", KERNEL",
    "kind = \"intersection\", KERNEL",
    "kind = \"reciprocal-gated\", form = \"released-median\", KERNEL",
    "kind = \"search\", hidden = { gate = { reads = [\"next-memory\"], KERNEL }, keep = { reads = [\"hidden\", \"input\"], \
     affine = \"sum\", squash = \"tanh\" } }, memory = { gate = { reads = [\"hidden\"], affine = \"separable\", KERNEL }, \
     keep = { reads = [\"memory\"], KERNEL, factor = -0.7 }, activation = \"tanh\" }",
];

/// Three or four layers on a tiny map, cells in two of them, two feedback edges, a skip, and now and then a second edge
/// between two layers.
fn random_architecture(seed: u64) -> Architecture {
    let mut random = Random(seed);
    for _ in 0..8 {
        random.below(2);
    }
    let layers = 3 + random.below(2);
    let side = 4 + random.below(3);
    let steps = layers + 2 + random.below(2);
    let image_steps = 1 + random.below(steps);
    let mut text = format!(
        "name = \"random-{seed}\"\ninput = {{ channels = 1, height = {side}, width = {} }}\n\
         presentation = {{ steps = {steps}, image_steps = {image_steps}, blank = 0.3 }}\n",
        side + random.below(2)
    );
    let first_cell = 1 + random.below(layers - 2);
    for layer in 1..=layers {
        let has_cell = layer == first_cell || layer == first_cell + 1;
        let last = layer == layers;
        let kernel = 1 + random.below(3);
        let channels = if last { 3 } else { 1 + random.below(2) };
        // Behind a stride or other padding the cell has another map than the layer's input.
        let stride = if layer <= 2 && random.below(3) == 0 { 2 } else { 1 };
        let padding = if has_cell { random.pick(&["", "", ", padding = 1"]) } else { "" };
        let _ = writeln!(
            text,
            "[[layer]]\nconvolution = {{ kernel = {kernel}, channels = {channels}, stride = {stride}{padding}{} }}",
            random.pick(&["", "", ", norm = \"batch\""])
        );
        if has_cell {
            let kind = random.pick(&CELLS);
            let kernel = format!("kernel = {}", 1 + random.below(3));
            let _ = writeln!(text, "cell = {{ {} }}", kind.replace("KERNEL", &kernel));
        }
        let _ = writeln!(text, "activation = \"{}\"", if last { "none" } else { random.pick(&["elu", "tanh"]) });
        if !last && random.below(3) == 0 {
            text.push_str("pool = { kernel = 2 }\n");
        }
        if last {
            let _ = writeln!(text, "average = \"{}\"", random.pick(&["before", "after"]));
        }
    }
    let mut edges = vec![(layers, 1), (layers - 1, 1), (layers, 2)];
    edges.remove(random.below(3));
    edges.push([(1, 3), (1, layers), (layers - 2, layers)][random.below(3)]);
    for (from, to) in edges {
        let entries = ["concatenate", "cell-input", "cell-hidden", "cell-output"];
        let has_cell = to == first_cell || to == first_cell + 1;
        let entries = if has_cell { &entries[..] } else { &entries[..2] };
        let first = random.below(entries.len());
        for number in 0..1 + usize::from(random.below(3) == 0) {
            let (kind, entry) =
                (if from > to { "feedback" } else { "skip" }, entries[(first + number) % entries.len()]);
            let resize = random.pick(&["bilinear-aligned-corners", "bilinear-half-pixel", "nearest"]);
            let _ = writeln!(text, "[[{kind}]]\nfrom = {from}\nto = {to}\nentry = \"{entry}\"\nresize = \"{resize}\"");
        }
    }
    Architecture::parse(&text, "random").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The released median net on scalars: eleven layers of one channel and one position, cells on
/// layers 4 to 10, its five feedback edges.
fn scalar_median() -> Architecture {
    let mut text = String::from(
        "name = \"rgc-median-scalar\"\ninput = { channels = 1, height = 1, width = 1 }\n\
         presentation = { steps = 17, image_steps = 12 }\n",
    );
    for layer in 1..=11 {
        text.push_str("[[layer]]\nconvolution = { kernel = 1, channels = 1 }\n");
        match layer {
            4..=10 => text.push_str("cell = { kind = \"reciprocal-gated\", kernel = 1 }\n"),
            11 => text.push_str("average = \"before\"\n"),
            _ => {}
        }
    }
    for (from, to) in [(8, 5), (9, 6), (10, 7), (7, 6), (10, 9)] {
        let _ = writeln!(text, "[[feedback]]\nfrom = {from}\nto = {to}\nentry = \"cell-input\"");
    }
    Architecture::parse(&text, "rgc-median-scalar").unwrap_or_else(|error| panic!("{error}"))
}

/// Weights as trained nets start, biases drawn too or zero.
fn values(graph: &StepGraph, seed: u64, zero_biases: bool) -> Parameters<f64> {
    let mut random = Random(seed ^ 0x5eed);
    let mut parameters = initialize(graph, seed).to_f64();
    for (parameter, values) in graph.parameters.iter().zip(&mut parameters.values) {
        if matches!(parameter.group, ParameterGroup::Bias | ParameterGroup::CellBias) {
            values.iter_mut().for_each(|value| *value = if zero_biases { 0.0 } else { random.unit() - 0.5 });
        }
    }
    parameters
}

fn leaves(graph: &StepGraph, parameters: &Parameters<f64>) -> Vec<Tensor> {
    let shaped = graph.parameters.iter().zip(&parameters.values);
    shaped
        .map(|(parameter, values)| {
            let shape: Vec<i64> = parameter.shape.iter().map(|&size| size as i64).collect();
            Tensor::from_slice(values).view(shape.as_slice()).set_requires_grad(parameter.group.is_trained())
        })
        .collect()
}

fn image(graph: &StepGraph, random: &mut Random) -> Reference {
    Reference::new(graph.frame, (0..graph.frame.elements()).map(|_| 2.0 * random.unit() - 1.0).collect())
}

fn batch(images: &[Reference]) -> Tensor {
    let shape = images[0].shape;
    let values: Vec<f64> = images.iter().flat_map(|image| image.values.clone()).collect();
    Tensor::from_slice(&values).view([images.len(), shape.channels, shape.height, shape.width].map(|size| size as i64))
}

/// A weighted sum of the last logits of all images: its gradient reaches everything that they do.
fn reference_loss(
    graph: &StepGraph,
    parameters: &Parameters<f64>,
    presentation: &Presentation,
    images: &[Reference],
) -> f64 {
    let blank = Reference::full(graph.frame, presentation.blank);
    let mut sum = 0.0;
    for (number, image) in images.iter().enumerate() {
        let frames = (1..=presentation.steps).map(|step| if presentation.shows_image(step) { image } else { &blank });
        let logits = Interpreter::new(graph, parameters).logits(frames).pop().unwrap();
        sum += logits.iter().enumerate().map(|(class, logit)| coefficient(number, class) * logit).sum::<f64>();
    }
    sum
}

fn coefficient(image: usize, class: usize) -> f64 {
    1.0 + 0.5 * image as f64 - 0.75 * class as f64
}

fn gradients(
    graph: &StepGraph,
    parameters: &Parameters<f64>,
    presentation: &Presentation,
    images: &[Reference],
    trimming: bool,
) -> Vec<Vec<f64>> {
    let leaves = leaves(graph, parameters);
    let executor = Executor::new(graph, Kind::Double, Device::Cpu).unwrap();
    let options = RunOptions { trimming, ..RunOptions::new(Wanted::LastLogits) };
    let count = images.len();
    let logits =
        executor.run(&leaves, &batch(images), presentation, options).unwrap().last_logits(count as i64).unwrap();
    let classes = graph.classes();
    let coefficients: Vec<f64> =
        (0..count * classes).map(|index| coefficient(index / classes, index % classes)).collect();
    let loss = (logits * Tensor::from_slice(&coefficients).view([count as i64, classes as i64])).sum(Kind::Double);
    if !loss.requires_grad() {
        return parameters.values.iter().map(|values| vec![0.0; values.len()]).collect();
    }
    loss.backward();
    let gradient = |leaf: &Tensor| {
        let gradient = leaf.grad();
        let gradient = if gradient.defined() { gradient } else { leaf.zeros_like() };
        Vec::<f64>::try_from(gradient.detach().contiguous().view([-1])).unwrap()
    };
    leaves.iter().map(gradient).collect()
}

#[test]
fn every_gradient_equals_central_differences_of_the_reference() {
    let mut checked = 0;
    for seed in 0..24 {
        let architecture = random_architecture(seed);
        let graph = architecture.lower().unwrap();
        let presentation = architecture.presentation;
        let mut random = Random(seed + 1000);
        let images = [image(&graph, &mut random), image(&graph, &mut random)];
        let parameters = values(&graph, seed, false);
        let trimmed = gradients(&graph, &parameters, &presentation, &images, true);
        let whole = gradients(&graph, &parameters, &presentation, &images, false);
        let trained = graph.parameters.iter().enumerate().filter(|(_, parameter)| parameter.group.is_trained());
        for (index, parameter) in trained {
            let scale = trimmed[index].iter().fold(1e-3, |largest: f64, value| largest.max(value.abs()));
            for (trimmed, whole) in trimmed[index].iter().zip(&whole[index]) {
                assert!((trimmed - whole).abs() <= 1e-10 * scale, "{seed} {}: {trimmed} {whole}", parameter.name);
            }
            // A few elements of every tensor.
            for _ in 0..3 {
                let element = random.below(parameter.elements());
                let step = 1e-5;
                let shifted = |by: f64| {
                    let mut changed = parameters.clone();
                    changed.values[index][element] += by;
                    reference_loss(&graph, &changed, &presentation, &images)
                };
                let expected = (shifted(step) - shifted(-step)) / (2.0 * step);
                let found = trimmed[index][element];
                assert!(
                    (found - expected).abs() <= 2e-6 * scale,
                    "random-{seed} {}[{element}]: gradient {found}, central difference {expected}",
                    parameter.name
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 1000, "{checked} elements");
}

/// The gradients of one part of a weight: its range of input channels; the whole of a bias.
fn part_is_zero(graph: &StepGraph, part: &convrnn_graph::timing::ParameterTiming, gradients: &[Vec<f64>]) -> bool {
    let parameter = &graph.parameters[part.parameter.0];
    let gradient = &gradients[part.parameter.0];
    if part.channels == (0, 0) {
        return gradient.iter().all(|&value| value == 0.0);
    }
    let area: usize = parameter.shape[2..].iter().product();
    let inputs = parameter.shape[1];
    let in_part = |index: usize| (part.channels.0..part.channels.1).contains(&(index / area % inputs));
    gradient.iter().enumerate().filter(|&(index, _)| in_part(index)).all(|(_, &value)| value == 0.0)
}

/// With zero biases, every part's gradient is exactly zero one step below the reported one, and not
/// zero at it.
fn assert_timing(graph: &StepGraph, seed: u64) -> usize {
    let parameters = values(graph, seed, true);
    let mut random = Random(seed + 2000);
    let images = [image(graph, &mut random), image(graph, &mut random)];
    let timing = Timing::new(graph);
    let last = timing.parameters.iter().filter_map(|part| part.first_step).max().unwrap();
    for trimming in [true, false] {
        let by_step: Vec<Vec<Vec<f64>>> = (1..=last)
            .map(|steps| gradients(graph, &parameters, &Presentation::held(steps), &images, trimming))
            .collect();
        for part in &timing.parameters {
            let name = format!("{} {:?} trimming {trimming}", graph.parameters[part.parameter.0].name, part.part);
            let first = part.first_step.unwrap_or_else(|| panic!("{name} never takes effect"));
            assert!(!part_is_zero(graph, part, &by_step[first - 1]), "{name}: zero at step {first}");
            assert!(
                first == 1 || part_is_zero(graph, part, &by_step[first - 2]),
                "{name}: not zero at step {}",
                first - 1
            );
        }
    }
    timing.parameters.len()
}

#[test]
fn gradients_vanish_below_the_reported_step_and_not_at_it() {
    let mut checked = 0;
    for seed in 0..24 {
        let graph = random_architecture(seed).lower().unwrap();
        // A relu at exactly zero passes a change in one direction only, and libtorch's gradient there is zero.
        let has_relu = |node: &convrnn_graph::Node| node.operation == Operation::Activation(Activation::Relu);
        if !graph.nodes.iter().any(has_relu) {
            checked += assert_timing(&graph, seed);
        }
    }
    assert!(checked > 200, "{checked} parts");
    checked += assert_timing(&convrnn_models::catalogue::find("rgc-28-m4").unwrap().lower().unwrap(), 3);
    assert!(checked > 210, "{checked} parts");
}

#[test]
fn the_scalar_median_net_reports_the_published_steps() {
    let graph = scalar_median().lower().unwrap();
    let timing = Timing::new(&graph);
    assert_eq!(timing.first_image_step, Some(11));
    let first = |name: String| {
        let id = graph.parameter_named(&name).unwrap_or_else(|| panic!("{name}"));
        timing.parameters.iter().find(|part| part.parameter == id).and_then(|part| part.first_step)
    };
    let fed_back = |from: usize, to: usize| {
        let id = graph.parameter_named(&format!("layer{to}.cell.feedback_input.weight"));
        let source = format!("layer{from}.output");
        let is_it = |part: &&ParameterTiming| {
            Some(part.parameter) == id && part.part.as_ref().is_none_or(|part| *part == source)
        };
        timing.parameters.iter().find(is_it).and_then(|part| part.first_step)
    };
    for layer in 4..=10 {
        for (gate, step) in [("ch", 12), ("hh", 12), ("hc", 13), ("cc", 13)] {
            assert_eq!(first(format!("layer{layer}.cell.w_{gate}.weight")), Some(step), "layer {layer}, W_{gate}");
        }
    }
    for ((from, to), step) in [((7, 6), 13), ((10, 9), 13), ((8, 5), 15), ((9, 6), 15), ((10, 7), 15)] {
        assert_eq!(fed_back(from, to), Some(step), "feedback {from} -> {to}");
    }
    for seed in 0..3 {
        assert_timing(&graph, seed);
    }
}
