//! The libtorch form of a quantised graph against the integer interpreter, and its gradients against those in reals.

use super::*;
use crate::executor::{Executor, Shown};
use crate::parameters::{initialize, to_f32, to_tensors};
use convrnn_graph::quantize::{Calibration, IntegerInterpreter, PixelScale, QuantizeOptions, quantize};
use convrnn_graph::testing::{RandomNetwork, random_frames, random_network};
use convrnn_graph::{Parameters, Tensor as RealTensor, Wanted};
use convrnn_models::catalogue;
use std::sync::Arc;

const STEPS: usize = 10;

struct Network {
    graph: StepGraph,
    parameters: Parameters<f32>,
    quantized: Arc<QuantizedGraph>,
    /// By run and step.
    frames: Vec<Vec<RealTensor>>,
}

impl Network {
    fn new(graph: StepGraph, parameters: Parameters<f32>, seed: u64, passes: bool) -> Self {
        let frames: Vec<Vec<RealTensor>> =
            (0..2).map(|run| random_frames(graph.frame, STEPS, seed * 2 + run)).collect();
        let sequences: Vec<Vec<&RealTensor>> = frames.iter().map(|frames| frames.iter().collect()).collect();
        let calibration = Calibration::of_sequences(&graph, &parameters, &sequences).unwrap();
        let (mean, deviation) = (vec![0.5; graph.frame.channels], vec![0.25; graph.frame.channels]);
        let pixels = PixelScale { mean: &mean, standard_deviation: &deviation };
        let options = QuantizeOptions { passes, ..QuantizeOptions::default() };
        let quantized = quantize(&graph, &parameters, &calibration, pixels, &options).unwrap();
        Self { graph, parameters, quantized: Arc::new(quantized.graph), frames }
    }

    fn random(seed: u64, passes: bool) -> Self {
        let RandomNetwork { graph, parameters } = random_network(seed);
        Self::new(graph, parameters, seed, passes)
    }

    fn catalogue(name: &str, seed: u64) -> Self {
        let graph = catalogue::find(name).unwrap().lower().unwrap();
        let parameters = initialize(&graph, seed);
        Self::new(graph, parameters, seed, true)
    }

    /// Both runs as one batch. States are zero again before the seventh step, and the fourth shows the blank.
    fn batch(&self) -> Frames {
        let shape = self.graph.frame;
        let size = [2, shape.channels, shape.height, shape.width].map(|extent| extent as i64);
        let image = |step: usize| {
            let values: Vec<f32> = self.frames.iter().flat_map(|run| &run[step].values).map(|&x| x as f32).collect();
            Tensor::from_slice(&values).view(size)
        };
        let shown = |step: usize| Shown { image: (step != 3).then_some(step), resets: step == 6 };
        Frames { images: (0..STEPS).map(image).collect(), steps: (0..STEPS).map(shown).collect(), blank: 0.3 }
    }

    fn executor(&self, is_quantized: bool) -> Executor<'_> {
        let mut executor = Executor::new(&self.graph, Kind::Float, Device::Cpu).unwrap();
        executor.quantize(is_quantized.then(|| Arc::clone(&self.quantized)));
        executor
    }

    /// The logits in integers, by run and step.
    fn expected(&self) -> Vec<Vec<Vec<i32>>> {
        let quantized = &*self.quantized;
        let run = |frames: &Vec<RealTensor>| {
            let mut interpreter = IntegerInterpreter::new(quantized);
            let step = |(step, frame): (usize, &RealTensor)| {
                if step == 6 {
                    interpreter.reset();
                }
                // Frames reach libtorch in f32.
                let real = |&x: &f64| if step == 3 { 0.3 } else { f64::from(x as f32) };
                let frame: Vec<i8> = frame.values.iter().map(|x| quantized.frame.quantize(real(x)) as i8).collect();
                interpreter.step(&frame).swap_remove(quantized.logits.0).values
            };
            frames.iter().enumerate().map(step).collect()
        };
        self.frames.iter().map(run).collect()
    }

    /// Compares every logit of every step, to the bit.
    fn check(&self, name: &str) {
        let executor = self.executor(true);
        let parameters = to_tensors(&self.graph, &self.parameters, Device::Cpu).unwrap();
        let frames = self.batch();
        let scale = self.quantized.nodes[self.quantized.logits.0].output.scale;
        for is_recorded in [false, true] {
            let run = || executor.run_frames(&parameters, &frames, RunOptions::new(Wanted::EveryLogits)).unwrap();
            let run = if is_recorded { run() } else { tch::no_grad(run) };
            for (number, steps) in self.expected().iter().enumerate() {
                for (step, expected) in steps.iter().enumerate() {
                    let found = to_f32(&run.logits_at(step + 1, 2).unwrap().get(number as i64)).unwrap();
                    // The real value is the integer times the scale, in f32.
                    let expected: Vec<f32> = expected.iter().map(|&x| (f64::from(x) as f32) * scale as f32).collect();
                    assert_eq!(found, expected, "{name}, run {number}, step {}", step + 1);
                }
            }
        }
    }
}

#[test]
fn random_networks_give_the_bits_of_the_integer_interpreter() {
    for seed in 0..80 {
        for passes in [false, true] {
            Network::random(seed, passes).check(&format!("seed {seed}, gates fused: {passes}"));
        }
    }
}

#[test]
fn networks_of_the_catalogue_give_the_bits_of_the_integer_interpreter() {
    for name in ["rgc-28-m4", "lstm-28", "vanilla-28", "rgc-median-28", "ff-28"] {
        Network::catalogue(name, 3).check(name);
    }
}

#[test]
fn logits_at_chosen_steps_are_those_of_every_step() {
    let network = Network::catalogue("rgc-28-m4", 4);
    let executor = network.executor(true);
    let parameters = to_tensors(&network.graph, &network.parameters, Device::Cpu).unwrap();
    let frames = network.batch();
    let run = |wanted| executor.run_frames(&parameters, &frames, RunOptions::new(wanted)).unwrap();
    let (every, chosen) = (run(Wanted::EveryLogits), run(Wanted::LogitsAt(&[5, 10])));
    for step in 1..=STEPS {
        assert_eq!(chosen.logits[step - 1].is_some(), step == 5 || step == 10);
        if let Some(logits) = &chosen.logits[step - 1] {
            assert_eq!(to_f32(logits).unwrap(), to_f32(&every.logits_at(step, 2).unwrap()).unwrap());
        }
    }
}

/// Gradients of a sum of weighted logits, all parameters in one vector.
fn gradient(network: &Network, is_quantized: bool) -> Vec<f64> {
    let executor = network.executor(is_quantized);
    let parameters = to_tensors(&network.graph, &network.parameters, Device::Cpu).unwrap();
    let run = executor.run_frames(&parameters, &network.batch(), RunOptions::new(Wanted::EveryLogits)).unwrap();
    let logits = run.every_logits(2).unwrap();
    let count = logits.numel() as i64;
    let weights = (Tensor::arange(count, (Kind::Float, Device::Cpu)) * 0.7).sin().view_as(&logits);
    (logits * weights).sum(Kind::Float).backward();
    let of = |parameter: &Tensor| match parameter.grad() {
        grad if grad.defined() => to_f32(&grad).unwrap(),
        _ => vec![0.0; parameter.numel()],
    };
    parameters.iter().flat_map(of).map(f64::from).collect()
}

#[test]
fn gradients_pass_straight_through_and_resemble_those_in_reals() {
    let cosine = |a: &[f64], b: &[f64]| {
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        (product(a, b) / (product(a, a) * product(b, b)).sqrt(), (product(a, a) / product(b, b)).sqrt())
    };
    for name in ["rgc-28-m4", "lstm-28", "vanilla-28"] {
        let network = Network::catalogue(name, 5);
        let (angle, length) = cosine(&gradient(&network, true), &gradient(&network, false));
        println!("{name}: cosine {angle:.4}, length {length:.4}");
        assert!(angle > 0.95 && (0.9..1.1).contains(&length), "{name}: cosine {angle}, length {length}");
    }
    let mut angles: Vec<f64> = (0..40)
        .map(|seed| Network::random(seed, true))
        .map(|network| cosine(&gradient(&network, true), &gradient(&network, false)).0)
        .filter(|angle| angle.is_finite())
        .collect();
    angles.sort_by(f64::total_cmp);
    let median = angles[angles.len() / 2];
    println!("random networks: cosine {:.4} at the least, median {median:.4}", angles[0]);
    assert!(median > 0.95, "median {median}");
}

/// Saturated values take no gradient: a network whose logits lie beyond their range all of the time learns nothing.
#[test]
fn saturation_stops_gradients() {
    let mut network = Network::catalogue("ff-28", 6);
    let quantized = Arc::make_mut(&mut network.quantized);
    let logits = quantized.logits.0;
    let QuantizedOperation::Convolution(spec) = &mut quantized.nodes[logits].operation else {
        panic!("the logits of ff-28 are a convolution")
    };
    spec.bias.fill(1 << 28);
    assert!(gradient(&network, true).iter().all(|&x| x == 0.0));
    assert!(gradient(&network, false).iter().any(|&x| x != 0.0));
}
