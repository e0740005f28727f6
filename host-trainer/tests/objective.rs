//! Loss and gradients: chosen steps, label smoothing, precision, streams.

use convrnn_graph::{Operation, Presentation, StepGraph, UnrollPlan, Wanted};
use convrnn_models::catalogue;
use convrnn_trainer::executor::{Executor, Precision, RunOptions};
use convrnn_trainer::gradient::{Gradients, Objective, gradients};
use convrnn_trainer::loss::LossSettings;
use convrnn_trainer::parameters::{initialize, to_f32, to_tensors};
use convrnn_trainer::sequence::{Scenes, Sequence};
use convrnn_trainer::workers::Workers;
use tch::{Device, Kind, Tensor};

const PRESENTATION: Presentation = Presentation { steps: 7, image_steps: 5, blank: 0.0 };

fn network() -> StepGraph {
    catalogue::find("rgc-28-m4").unwrap().lower().unwrap()
}

/// Pixels in about ±1 that differ from image to image, and labels.
fn scenes(graph: &StepGraph, count: i64, moving: bool) -> Scenes {
    let shape = graph.frame;
    let size = [count, shape.channels as i64, shape.height as i64, shape.width as i64];
    let numbers = Tensor::arange(size.iter().product::<i64>(), (Kind::Float, Device::Cpu));
    let directions: Vec<i64> = (0..count).flat_map(|image| [image % 3 - 1, 1]).collect();
    Scenes {
        images: (numbers * 0.37).sin().view(size),
        directions: moving.then(|| Tensor::from_slice(&directions).view([count, 2])),
        labels: Tensor::arange(count, (Kind::Int64, Device::Cpu)).remainder(10),
    }
}

fn objective<'a>(loss: &'a LossSettings, sequence: &'a Sequence) -> Objective<'a> {
    Objective { presentation: &PRESENTATION, sequence, loss, trimming: true, precision: Precision::F32 }
}

fn loss(steps: &[&str], label_smoothing: f64) -> LossSettings {
    LossSettings { label_smoothing, steps: steps.iter().map(|step| step.parse().unwrap()).collect() }
}

fn run(graph: &StepGraph, scenes: &Scenes, objective: &Objective, threads: usize) -> Gradients {
    let parameters = to_tensors(graph, &initialize(graph, 4), Device::Cpu).unwrap();
    let mut workers = Workers::new(graph, Kind::Float, Device::Cpu, threads).unwrap();
    gradients(&mut workers, &parameters, scenes, objective).unwrap()
}

fn zeros_for(graph: &StepGraph, gradients: &Gradients) -> Vec<Vec<f32>> {
    let values = gradients.gradients.iter().zip(&graph.parameters);
    values
        .map(|(gradient, parameter)| {
            gradient.as_ref().map_or(vec![0.0; parameter.elements()], |gradient| to_f32(gradient).unwrap())
        })
        .collect()
}

/// The largest difference of two sets of gradients, as a share of the largest gradient of each tensor.
fn gap(graph: &StepGraph, left: &Gradients, right: &Gradients) -> f32 {
    let (left, right) = (zeros_for(graph, left), zeros_for(graph, right));
    let tensor = |(left, right): (&Vec<f32>, &Vec<f32>)| {
        let scale = left.iter().fold(1e-6f32, |largest, value| largest.max(value.abs()));
        left.iter().zip(right).map(|(left, right)| (left - right).abs() / scale).fold(0.0, f32::max)
    };
    left.iter().zip(&right).map(tensor).fold(0.0, f32::max)
}

#[test]
fn the_loss_is_the_weighted_sum_over_chosen_steps_trimmed_or_not() {
    let graph = network();
    let scenes = scenes(&graph, 6, true);
    let single = |step: &str, sequence: &Sequence| run(&graph, &scenes, &objective(&loss(&[step], 0.1), sequence), 2);
    for sequence in [Sequence::Still, Sequence::Shift { pixels: 1.5 }] {
        let both = loss(&["5=0.5", "6=2"], 0.1);
        let objective = objective(&both, &sequence);
        let trimmed = run(&graph, &scenes, &objective, 2);
        let whole = run(&graph, &scenes, &Objective { trimming: false, ..objective }, 1);
        assert!((trimmed.loss - whole.loss).abs() < 1e-5, "{} {}", trimmed.loss, whole.loss);
        assert!(gap(&graph, &trimmed, &whole) < 2e-4, "{sequence}: {}", gap(&graph, &trimmed, &whole));
        assert_eq!(trimmed.correct, whole.correct);

        let (five, six) = (single("5=1", &sequence), single("6=1", &sequence));
        assert!((trimmed.loss - 0.5 * five.loss - 2.0 * six.loss).abs() < 1e-5);
        let sum = five.gradients.iter().zip(&six.gradients).map(|(five, six)| match (five, six) {
            (Some(five), Some(six)) => Some(five * 0.5 + six * 2.0),
            (five, six) => five.as_ref().map(|five| five * 0.5).or(six.as_ref().map(|six| six * 2.0)),
        });
        let sum = Gradients { loss: 0.0, correct: 0, gradients: sum.collect(), statistics: Vec::new() };
        assert!(gap(&graph, &trimmed, &sum) < 1e-4, "{sequence}");
        // The accuracy is that of the last step, whatever counts.
        assert_eq!(five.correct, single("7=1", &sequence).correct);
    }
    let default = run(&graph, &scenes, &objective(&LossSettings::default(), &Sequence::Still), 1);
    let last = run(&graph, &scenes, &objective(&loss(&["7=1"], 0.0), &Sequence::Still), 1);
    assert_eq!((default.loss, gap(&graph, &default, &last)), (last.loss, 0.0));
}

#[test]
fn smoothed_labels_have_the_loss_of_the_formula() {
    let graph = network();
    let scenes = scenes(&graph, 3, false);
    let smoothed = run(&graph, &scenes, &objective(&loss(&[], 0.2), &Sequence::Still), 1).loss;
    let tensors = to_tensors(&graph, &initialize(&graph, 4), Device::Cpu).unwrap();
    let executor = Executor::new(&graph, Kind::Float, Device::Cpu).unwrap();
    let options = RunOptions::new(Wanted::LastLogits);
    let logits = executor.run(&tensors, &scenes.images, &PRESENTATION, options).unwrap().last_logits(3).unwrap();
    let logs = logits.log_softmax(-1, Kind::Double);
    let right = logs.gather(1, &scenes.labels.view([3, 1]), false).sum(Kind::Double).double_value(&[]) / 3.0;
    let all = logs.sum(Kind::Double).double_value(&[]) / 3.0;
    assert!((smoothed + 0.8 * right + 0.2 * all / 10.0).abs() < 1e-5, "{smoothed}");
}

#[test]
fn fewer_chosen_steps_cost_fewer_nodes() {
    let graph = network();
    let work = |wanted| UnrollPlan::new(&graph, &PRESENTATION, wanted).work().0;
    assert!(work(Wanted::LogitsAt(&[5])) < work(Wanted::LogitsAt(&[5, 7])));
    assert!(work(Wanted::LogitsAt(&[5, 7])) < work(Wanted::EveryLogits));
}

#[test]
fn a_stream_with_resets_is_the_same_images_alone_and_without_them_is_not() {
    let graph = network();
    let scenes = scenes(&graph, 6, false);
    let loss = loss(&["5=0.5", "7=1"], 0.0);
    let alone = run(&graph, &scenes, &objective(&loss, &Sequence::Still), 1);
    for trimming in [true, false] {
        for threads in [1, 2] {
            let stream = |resets| {
                let sequence = Sequence::Stream { images: 3, resets };
                run(&graph, &scenes, &Objective { trimming, ..objective(&loss, &sequence) }, threads)
            };
            let (reset, carried) = (stream(true), stream(false));
            assert!((reset.loss - alone.loss).abs() < 1e-5, "{} {}", reset.loss, alone.loss);
            assert!(gap(&graph, &reset, &alone) < 2e-4, "{}", gap(&graph, &reset, &alone));
            assert_eq!(reset.correct, alone.correct);
            assert!((carried.loss - alone.loss).abs() > 1e-4, "states are carried over");
            assert!(gap(&graph, &carried, &alone) > 1e-2);
        }
    }
    // Carried over, trimmed and not.
    let sequence = Sequence::Stream { images: 2, resets: false };
    let trimmed = run(&graph, &scenes, &objective(&loss, &sequence), 1);
    let whole = run(&graph, &scenes, &Objective { trimming: false, ..objective(&loss, &sequence) }, 1);
    assert!(gap(&graph, &trimmed, &whole) < 2e-4);
}

#[test]
fn bf16_rounds_convolutions_and_nothing_else() {
    let graph = network();
    let scenes = scenes(&graph, 8, false);
    let plain = LossSettings::default();
    let single = run(&graph, &scenes, &objective(&plain, &Sequence::Still), 1);
    let objective = Objective { precision: Precision::Bf16, ..objective(&plain, &Sequence::Still) };
    let half = run(&graph, &scenes, &objective, 1);
    assert!(half.gradients.iter().flatten().all(|gradient| gradient.kind() == Kind::Float));
    let gap = gap(&graph, &single, &half);
    assert!(gap > 1e-4 && gap < 0.15, "rounded to 8 bits: {gap}");
    assert!((single.loss - half.loss).abs() < 0.02 && single.loss != half.loss);

    let tensors = to_tensors(&graph, &initialize(&graph, 4), Device::Cpu).unwrap();
    let executor = Executor::new(&graph, Kind::Float, Device::Cpu).unwrap();
    let options = RunOptions { precision: Precision::Bf16, ..RunOptions::new(Wanted::Everything) };
    let run = tch::no_grad(|| executor.run(&tensors, &scenes.images, &PRESENTATION, options)).unwrap();
    assert!(run.values.iter().chain(&run.states).flatten().all(|value| value.kind() == Kind::Float));
    let rounds = |tensor: &Tensor| tensor.equal(&tensor.to_kind(Kind::BFloat16).to_kind(Kind::Float));
    let of = |is_wanted: fn(&Operation) -> bool| {
        let nodes = graph.nodes.iter().zip(&run.values[4]).filter(|(node, _)| is_wanted(&node.operation));
        nodes.map(|(_, value)| rounds(value)).collect::<Vec<_>>()
    };
    let unbiased = of(|operation| matches!(operation, Operation::Convolution(spec) if spec.bias.is_none()));
    assert!(!unbiased.is_empty() && unbiased.iter().all(|&rounds| rounds), "convolutions give bfloat16 values");
    assert!(of(|operation| matches!(operation, Operation::Activation(_))).contains(&false), "activations do not");
}
