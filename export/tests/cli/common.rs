//! Checkpoints and traces made without libtorch: random weights, and the f64 reference's answers.

use assert_cmd::Command;
use convrnn_graph::testing::random_parameters;
use convrnn_graph::{Interpreter, Parameters, StepGraph, Tensor};
use convrnn_models::checkpoint::{Description, names, write_calibration, write_parameters};
use convrnn_models::digest::of_weights;
use convrnn_models::{Architecture, Preprocessing, Trace};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::{Path, PathBuf};

/// A checkpoint in a temporary directory.
pub struct Fixture {
    pub directory: tempfile::TempDir,
    pub architecture: Architecture,
    pub graph: StepGraph,
    pub parameters: Parameters<f32>,
    pub description: Description,
}

impl Fixture {
    /// A catalogue network with random weights.
    pub fn new(name: &str) -> Self {
        Self::of(convrnn_models::catalogue::find(name).expect("a catalogue entry"))
    }

    /// A network with random weights.
    pub fn of(architecture: Architecture) -> Self {
        let graph = architecture.lower().expect("a valid entry");
        let parameters = random_parameters(&graph, &mut ChaCha8Rng::seed_from_u64(3));
        let frame = graph.frame;
        let preprocessing = Preprocessing {
            channels: frame.channels,
            height: frame.height,
            width: frame.width,
            mean: vec![0.25; frame.channels],
            standard_deviation: vec![0.3; frame.channels],
            decoding: Default::default(),
        };
        let class_names = (0..graph.classes()).map(|class| format!("class {class}")).collect();
        let description = Description { class_names, preprocessing, presentation: architecture.presentation };
        let directory = tempfile::tempdir().expect("a temporary directory");
        let fixture = Self { directory, architecture, graph, parameters, description };
        fixture.write_checkpoint("checkpoint", &fixture.parameters);
        fixture
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Changes the weights, in the checkpoint too.
    pub fn change(&mut self, change: impl Fn(&str, &mut [f32])) {
        for (parameter, values) in self.graph.parameters.iter().zip(&mut self.parameters.values) {
            change(&parameter.name, values);
        }
        self.write_checkpoint("checkpoint", &self.parameters);
    }

    /// Writes a checkpoint of this network with the given weights.
    pub fn write_checkpoint(&self, name: &str, parameters: &Parameters<f32>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(&path).expect("a folder");
        std::fs::write(path.join(names::ARCHITECTURE), self.architecture.to_toml()).expect("written");
        write_parameters(&path.join(names::WEIGHTS), &self.graph, parameters).expect("written");
        std::fs::write(path.join(names::TRAINING), toml::to_string(&self.description).expect("TOML")).expect("written");
        let frames = self.pixels(32, 9).concat();
        write_calibration(&path.join(names::CALIBRATION), &self.description.preprocessing, frames).expect("written");
        path
    }

    /// Blurred random images.
    pub fn pixels(&self, count: usize, seed: u64) -> Vec<Vec<u8>> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let size = self.graph.frame.elements();
        let image = |random: &mut ChaCha8Rng| {
            let mut level: i32 = random.random_range(0..256);
            let mut next = || {
                level = (level + random.random_range(-60..=60)).clamp(0, 255);
                level as u8
            };
            (0..size).map(|_| next()).collect()
        };
        (0..count).map(|_| image(&mut random)).collect()
    }

    /// What the f64 reference computes on some images, recorded like libtorch's answers.
    pub fn write_trace(&self, images: usize, recorded: usize) -> PathBuf {
        self.write_trace_as(images, recorded, Some(of_weights(&self.graph, &self.parameters)))
    }

    /// The same with a given digest of the weights, or with none, as old traces are.
    pub fn write_trace_as(&self, images: usize, recorded: usize, weights: Option<String>) -> PathBuf {
        let values = self.parameters.to_f64();
        let presentation = self.description.presentation;
        let pixels = self.pixels(images, 1);
        let mut trace = Trace {
            architecture: self.architecture.clone(),
            description: self.description.clone(),
            weights,
            frames: pixels.concat(),
            labels: Vec::new(),
            indices: None,
            logits: Vec::new(),
            recorded,
            states: vec![Vec::new(); self.graph.states.len()],
            values: vec![Vec::new(); self.graph.nodes.len()],
        };
        let blank = Tensor::full(self.graph.frame, presentation.blank);
        for (image, pixels) in pixels.iter().enumerate() {
            let shown = self.description.preprocessing.normalize(pixels).into_iter().map(f64::from).collect();
            let shown = Tensor::new(self.graph.frame, shown);
            let mut interpreter = Interpreter::new(&self.graph, &values);
            let mut last = Vec::new();
            for step in 1..=presentation.steps {
                let nodes = interpreter.step(if presentation.shows_image(step) { &shown } else { &blank });
                last = nodes[self.graph.logits.0].values.clone();
                trace.logits.extend(last.iter().map(|&x| x as f32));
                if image < recorded {
                    let keep =
                        |all: &mut Vec<f32>, tensor: &Tensor| all.extend(tensor.values.iter().map(|&x| x as f32));
                    trace.values.iter_mut().zip(&nodes).for_each(|(all, tensor)| keep(all, tensor));
                    trace.states.iter_mut().zip(interpreter.states()).for_each(|(all, tensor)| keep(all, tensor));
                }
            }
            let best = (0..last.len()).max_by(|&a, &b| last[a].total_cmp(&last[b])).expect("classes");
            trace.labels.push(best as i64);
        }
        let path = self.path("trace.safetensors");
        trace.write(&path, &self.graph).expect("written");
        path
    }
}

/// The program, with the ONNX Runtime library that the checkout's configuration names.
pub fn export(arguments: &[&str], paths: &[&Path]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convrnn-export"));
    command.args(arguments).args(paths);
    command
}

/// Standard output of a run that must end with the given exit code.
pub fn output(command: &mut Command, code: i32) -> String {
    let run = command.output().expect("the program starts");
    let (out, error) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert_eq!(run.status.code(), Some(code), "standard output:\n{out}\nstandard error:\n{error}");
    out.into_owned()
}
