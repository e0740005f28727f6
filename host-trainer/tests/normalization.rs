//! Batch normalisation in training, and a ResNet-18 of one graph against an implementation of its own.

use convrnn_graph::{Operation, ParameterGroup, Presentation, StepGraph, Wanted};
use convrnn_models::catalogue;
use convrnn_trainer::executor::{Executor, Normalization, Run, RunOptions};
use convrnn_trainer::gradient::update_statistics;
use convrnn_trainer::parameters::initialize;
use tch::nn::ModuleT;
use tch::{Device, Kind, Tensor, nn};

/// Parameters as training starts them, moved a little so that no two channels are alike.
fn leaves(graph: &StepGraph, kind: Kind) -> Vec<Tensor> {
    let start = initialize(graph, 9);
    let parameters = graph.parameters.iter().zip(&start.values).enumerate();
    parameters
        .map(|(index, (parameter, values))| {
            let shape: Vec<i64> = parameter.shape.iter().map(|&size| size as i64).collect();
            let tensor = Tensor::from_slice(values).view(shape.as_slice()).to_kind(kind);
            let tensor = match parameter.group {
                ParameterGroup::Normalization | ParameterGroup::Statistics => {
                    let elements = parameter.elements() as i64;
                    let wave = (Tensor::arange(elements, (kind, Device::Cpu)) * 1.7 + index as f64).sin() * 0.3;
                    tensor + wave
                }
                _ => tensor,
            };
            tensor.set_requires_grad(parameter.group.is_trained())
        })
        .collect()
}

fn images(graph: &StepGraph, count: i64, kind: Kind) -> Tensor {
    let size = [count, graph.frame.channels as i64, graph.frame.height as i64, graph.frame.width as i64];
    let elements = size.iter().product::<i64>();
    ((Tensor::arange(elements, (kind, Device::Cpu)) * 0.37).sin() * 1.5).view(size)
}

fn run(graph: &StepGraph, leaves: &[Tensor], images: &Tensor, presentation: &Presentation, trimming: bool) -> Run {
    let executor = Executor::new(graph, images.kind(), Device::Cpu).unwrap();
    let normalization = Normalization::Batch;
    let options = RunOptions { trimming, normalization, ..RunOptions::new(Wanted::LastLogits) };
    executor.run(leaves, images, presentation, options).unwrap()
}

fn difference(left: &Tensor, right: &Tensor) -> f64 {
    (left - right).abs().max().double_value(&[])
}

#[test]
fn trimming_changes_neither_gradients_nor_statistics() {
    // The image goes while layers are still needed, so that a normalisation sees image and blank in turn.
    let text = "name = \"norms\"\ninput = { channels = 1, height = 9, width = 9 }\n\
                presentation = { steps = 8, image_steps = 3, blank = 0.4 }\n\
                [[layer]]\nconvolution = { kernel = 3, channels = 3, norm = \"batch\" }\npool = { kernel = 2 }\n\
                [[layer]]\nconvolution = { kernel = 3, channels = 4, norm = \"batch\" }\n\
                cell = { kind = \"gru\", kernel = 3 }\nresidual = { norm = \"batch\" }\n\
                [[layer]]\nconvolution = { kernel = 3, channels = 5, norm = \"batch\" }\nactivation = \"none\"\n\
                average = \"after\"\n[[feedback]]\nfrom = 3\nto = 2\nresize = \"nearest\"\n";
    let architecture = convrnn_models::Architecture::parse(text, "norms").unwrap_or_else(|error| panic!("{error}"));
    let (graph, presentation) = (architecture.lower().unwrap(), architecture.presentation);
    let images = images(&graph, 3, Kind::Double);
    let by_trimming = [true, false].map(|trimming| {
        let leaves = leaves(&graph, Kind::Double);
        let run = run(&graph, &leaves, &images, &presentation, trimming);
        let logits = run.last_logits(3).unwrap();
        (logits.tanh() * 0.7).sum(Kind::Double).backward();
        let gradients: Vec<Tensor> = leaves.iter().map(Tensor::grad).collect();
        (logits, gradients, run.statistics)
    });
    let [(logits, gradients, statistics), (whole_logits, whole_gradients, whole_statistics)] = by_trimming;
    assert!(difference(&logits, &whole_logits) < 1e-12);
    for ((parameter, trimmed), whole) in graph.parameters.iter().zip(&gradients).zip(&whole_gradients) {
        assert_eq!(trimmed.defined(), whole.defined(), "{}", parameter.name);
        if trimmed.defined() {
            assert!(difference(trimmed, whole) < 1e-9, "{}: {}", parameter.name, difference(trimmed, whole));
        }
    }
    let mut measured = 0;
    for ((node, trimmed), whole) in graph.nodes.iter().zip(&statistics).zip(&whole_statistics) {
        let is_norm = matches!(node.operation, Operation::BatchNorm(_));
        assert_eq!((trimmed.is_some(), whole.is_some()), (is_norm, is_norm), "{}", node.name);
        if let (Some(trimmed), Some(whole)) = (trimmed, whole) {
            measured += 1;
            assert!(difference(&trimmed.mean, &whole.mean) < 1e-10, "{}", node.name);
            assert!(difference(&trimmed.variance, &whole.variance) < 1e-10, "{}", node.name);
        }
    }
    assert_eq!(measured, 4);
}

#[test]
fn statistics_are_those_of_the_batch_and_move_the_running_ones() {
    let graph = catalogue::find("resnet-28").unwrap().lower().unwrap();
    let presentation = Presentation::held(5);
    let images = images(&graph, 4, Kind::Double);
    let mut leaves = leaves(&graph, Kind::Double);
    let run = run(&graph, &leaves, &images, &presentation, true);
    // The first layer's convolution by hand.
    let first = graph.node_named("layer1.norm").unwrap();
    let Operation::BatchNorm(norm) = &graph.nodes[first.0].operation else { panic!("a normalisation") };
    let weight = &leaves[graph.parameter_named("layer1.conv.weight").unwrap().0];
    let convolved = images.conv2d(weight, None::<&Tensor>, [2, 2], [1, 1], [1, 1], 1);
    let mean = convolved.mean_dim(&[0i64, 2, 3][..], false, None);
    let variance = convolved.var_dim(&[0i64, 2, 3][..], true, false);
    let statistics = run.statistics[first.0].as_ref().unwrap();
    assert!(difference(&statistics.mean, &mean) < 1e-12);
    assert!(difference(&statistics.variance, &variance) < 1e-10);
    let before = leaves[norm.variance.0].copy();
    update_statistics(&graph, &mut leaves, &run.statistics).unwrap();
    let expected = before * 0.9 + variance * 0.1;
    assert!(difference(&leaves[norm.variance.0], &expected) < 1e-10);
}

/// The name that torchvision, and tch after it, gives a tensor of ours.
fn torchvision_name(name: &str) -> String {
    let (layer, rest) = name.split_once('.').unwrap();
    let layer: usize = layer["layer".len()..].parse().unwrap();
    let (part, tensor) = rest.rsplit_once('.').unwrap();
    let tensor = match (part.starts_with("norm") || part == "residual_norm", tensor) {
        (true, "scale") => "weight",
        (true, "shift") => "bias",
        (true, "mean") => "running_mean",
        (true, "variance") => "running_var",
        (_, other) => other,
    };
    let part = match part {
        "conv" => "conv1",
        "norm" => "bn1",
        "conv2" => "conv2",
        "norm2" => "bn2",
        "residual" => "downsample.0",
        "residual_norm" => "downsample.1",
        other => panic!("{other}"),
    };
    match layer {
        1 => format!("{part}.{tensor}"),
        10 => format!("fc.{tensor}"),
        block => format!("layer{}.{}.{part}.{tensor}", block / 2, block % 2),
    }
}

#[test]
fn resnet_18_equals_another_implementation_with_the_same_weights() {
    let architecture = catalogue::find("resnet-18").unwrap();
    let graph = architecture.lower().unwrap();
    let store = nn::VarStore::new(Device::Cpu);
    let other = tch::vision::resnet::resnet18(&store.root(), 1000);
    let mut variables = store.variables();
    let leaves = leaves(&graph, Kind::Float);
    tch::no_grad(|| {
        for (parameter, tensor) in graph.parameters.iter().zip(&leaves) {
            let name = torchvision_name(&parameter.name);
            let mut variable = variables.remove(&name).unwrap_or_else(|| panic!("{} is no {name}", parameter.name));
            variable.copy_(&tensor.view(variable.size().as_slice()));
        }
    });
    assert!(variables.is_empty(), "{:?} have no tensor of ours", variables.keys());
    let images = images(&graph, 2, Kind::Float);
    let executor = Executor::new(&graph, Kind::Float, Device::Cpu).unwrap();
    let presentation = architecture.presentation;
    let (ours, theirs) = tch::no_grad(|| {
        let run = executor.run(&leaves, &images, &presentation, RunOptions::new(Wanted::LastLogits)).unwrap();
        (run.last_logits(2).unwrap(), other.forward_t(&images, false))
    });
    let range = (theirs.max() - theirs.min()).double_value(&[]);
    assert!(range > 1.0, "{range}");
    assert!(difference(&ours, &theirs) < 1e-5 * range, "{} of a range of {range}", difference(&ours, &theirs));
}

/// Needs a Python with torch, torchvision and safetensors, named by `CONVRNN_PYTHON`.
#[test]
fn resnet_18_equals_torchvisions_in_python() {
    let Some(python) = std::env::var_os("CONVRNN_PYTHON") else {
        println!("left out: torchvision (CONVRNN_PYTHON names no Python that has it)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("resnet18.safetensors");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/resnet18.py");
    let status = std::process::Command::new(python).arg(script).arg(&path).status().unwrap();
    assert!(status.success());
    let file = convrnn_models::safetensors_file::TensorFile::read(&path).unwrap();
    let tensor = |name: &str, shape: &[i64]| {
        let values = file.get(name).unwrap_or_else(|| panic!("no {name}")).to_f32().unwrap();
        Tensor::from_slice(&values).view(shape)
    };
    let architecture = catalogue::find("resnet-18").unwrap();
    let graph = architecture.lower().unwrap();
    let parameters: Vec<Tensor> = graph
        .parameters
        .iter()
        .map(|parameter| {
            let shape: Vec<i64> = parameter.shape.iter().map(|&size| size as i64).collect();
            tensor(&torchvision_name(&parameter.name), &shape)
        })
        .collect();
    let (images, theirs) = (tensor("images", &[2, 3, 224, 224]), tensor("logits", &[2, 1000]));
    let executor = Executor::new(&graph, Kind::Float, Device::Cpu).unwrap();
    let options = RunOptions::new(Wanted::LastLogits);
    let run = tch::no_grad(|| executor.run(&parameters, &images, &architecture.presentation, options)).unwrap();
    let ours = run.last_logits(2).unwrap();
    let range = (theirs.max() - theirs.min()).double_value(&[]);
    let relative = difference(&ours, &theirs) / range;
    println!("largest difference {relative:e} of the range of the logits, {range}");
    assert!(range > 1.0 && relative < 1e-5, "{relative} of a range of {range}");
}

/// The peer of the training benchmark computes the same network: its weights and logits against ours.
#[test]
fn the_plain_program_of_the_benchmark_is_the_same_network() {
    let Some(python) = std::env::var_os("CONVRNN_PYTHON") else {
        println!("left out: the plain PyTorch program (CONVRNN_PYTHON names no Python that has torch)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain.safetensors");
    let bench = concat!(env!("CARGO_MANIFEST_DIR"), "/../xtask/bench");
    let architecture = format!("{bench}/deep-32.toml");
    let mut command = std::process::Command::new(python);
    command.arg(format!("{bench}/plain_torch.py")).args([&architecture, "2", "1", "--check"]).arg(&path);
    assert!(command.status().unwrap().success());
    let file = convrnn_models::safetensors_file::TensorFile::read(&path).unwrap();
    let tensor = |name: &str| {
        let tensor = file.get(name).unwrap_or_else(|| panic!("no {name}"));
        let shape: Vec<i64> = tensor.shape.iter().map(|&size| size as i64).collect();
        Tensor::from_slice(&tensor.to_f32().unwrap()).view(shape.as_slice())
    };
    let architecture = convrnn_models::Architecture::read(std::path::Path::new(&architecture)).unwrap();
    let graph = architecture.lower().unwrap();
    let parameters: Vec<Tensor> = graph.parameters.iter().map(|parameter| tensor(&parameter.name)).collect();
    let executor = Executor::new(&graph, Kind::Float, Device::Cpu).unwrap();
    let options = RunOptions::new(Wanted::LastLogits);
    let run = tch::no_grad(|| executor.run(&parameters, &tensor("images"), &architecture.presentation, options));
    let (ours, theirs) = (run.unwrap().last_logits(2).unwrap(), tensor("logits"));
    let range = (theirs.max() - theirs.min()).double_value(&[]);
    let relative = difference(&ours, &theirs) / range;
    assert!(range > 1e-3 && relative < 1e-4, "{relative} of a range of {range}");
}
