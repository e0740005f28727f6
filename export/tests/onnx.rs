//! ONNX models against the f64 reference, in ONNX Runtime and in tract.

use convrnn_export::engines::{EngineKind, Image, Network, OnnxRuntimeStep, OnnxRuntimeUnrolled, Programs};
#[cfg(feature = "tract")]
use convrnn_export::engines::{TractStep, TractUnrolled};
use convrnn_export::onnx::{self, Frames, Logits, Source, Values};
use convrnn_export::program::{AlignedBytes, ProgramDescription, ProgramOptions, write_real};
use convrnn_graph::testing::{RandomNetwork, random_frames, random_network, random_parameters, random_trained_network};
use convrnn_graph::{Interpreter, Presentation, Tensor, passes};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const TOLERANCE: f64 = 1e-5;

fn to_f32(tensor: &Tensor) -> Vec<f32> {
    tensor.values.iter().map(|&x| x as f32).collect()
}

/// Frames rounded to f32, so that every engine sees the same numbers.
fn frames(network: &RandomNetwork, count: usize, seed: u64) -> Vec<Tensor> {
    let round = |tensor: Tensor| tensor.map(|x| f64::from(x as f32));
    random_frames(network.graph.frame, count, seed).into_iter().map(round).collect()
}

/// The largest difference relative to the larger of 1 and the reference's largest value.
fn difference(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(1.0f64, |scale, x| scale.max(x.abs()));
    let differences = found.iter().zip(expected).map(|(&x, y)| (f64::from(x) - y).abs());
    differences.fold(0.0f64, |largest, x| if x.is_nan() { f64::INFINITY } else { largest.max(x) }) / scale
}

fn reference(network: &RandomNetwork, frames: &[Tensor]) -> Vec<Vec<f64>> {
    Interpreter::new(&network.graph, &network.parameters.to_f64()).logits(frames)
}

/// The engines that need no device program.
fn without_program() -> impl Iterator<Item = EngineKind> {
    let all = EngineKind::ALL.into_iter().filter(|kind| kind.left_out().is_none());
    all.filter(|kind| !matches!(kind, EngineKind::RuntimeReal | EngineKind::RuntimeInteger))
}

/// Every other one with normalisations and trained factors.
fn network_of(seed: u64) -> RandomNetwork {
    if seed.is_multiple_of(2) { random_network(seed) } else { random_trained_network(seed) }
}

fn source(network: &RandomNetwork) -> Source<'_> {
    Source { graph: &network.graph, parameters: &network.parameters }
}

/// As models and programs have it: constants within the weights.
fn exported(network: &RandomNetwork) -> RandomNetwork {
    let (graph, parameters) = passes::fold_constants(&network.graph, &network.parameters).unwrap();
    RandomNetwork { graph, parameters }
}

fn network<'a>(
    (random, exported): (&'a RandomNetwork, &'a RandomNetwork),
    presentation: Presentation,
    programs: &'a Programs,
) -> Network<'a> {
    Network { source: source(random), exported: source(exported), presentation, programs }
}

#[test]
fn steps_of_random_networks_agree_with_the_reference() {
    for seed in 0..60 {
        let random = network_of(seed);
        let frames = frames(&random, 7, seed);
        let expected = reference(&random, &frames);
        let programs = Programs::default();
        let exported = exported(&random);
        let network = network((&random, &exported), Presentation::held(7), &programs);
        let mut runtime = OnnxRuntimeStep::new(&network).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        #[cfg(feature = "tract")]
        let mut tract = TractStep::new(&network).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        for (step, (frame, expected)) in frames.iter().zip(&expected).enumerate() {
            let runtime = difference(&runtime.step(&to_f32(frame)).unwrap(), expected);
            assert!(runtime < TOLERANCE, "seed {seed}, step {}: ONNX Runtime differs by {runtime}", step + 1);
            #[cfg(feature = "tract")]
            {
                let tract = difference(&tract.step(&to_f32(frame)).unwrap(), expected);
                assert!(tract < TOLERANCE, "seed {seed}, step {}: tract differs by {tract}", step + 1);
            }
        }
    }
}

#[test]
fn unrolled_random_networks_agree_with_the_reference() {
    for seed in 100..140 {
        let random = network_of(seed);
        let presentation = Presentation { steps: 7, image_steps: 1 + seed as usize % 7, blank: 0.25 };
        let image = frames(&random, 1, seed).remove(0);
        let blank = Tensor::full(random.graph.frame, presentation.blank);
        let shown: Vec<Tensor> =
            (1..=7).map(|step| if presentation.shows_image(step) { image.clone() } else { blank.clone() }).collect();
        let expected = reference(&random, &shown);
        let programs = Programs::default();
        let exported = exported(&random);
        let network = network((&random, &exported), presentation, &programs);
        let values = to_f32(&image);
        let unrolled = [EngineKind::OnnxRuntimeUnrolled, EngineKind::TractUnrolled];
        for kind in unrolled.into_iter().filter(|kind| kind.left_out().is_none()) {
            let mut engine = kind.build(&network).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            let logits = engine.run(Image { pixels: &[], values: &values }).unwrap();
            for (step, (found, expected)) in logits.iter().zip(&expected).enumerate() {
                let difference = difference(found, expected);
                assert!(
                    difference < TOLERANCE,
                    "seed {seed}, step {}: {} differs by {difference}",
                    step + 1,
                    kind.name()
                );
            }
        }
        let last =
            onnx::unrolled_model(&network.exported, Frames::Presented(presentation), Logits::Last, Values::Named, &[]);
        let runtime = OnnxRuntimeUnrolled::from_model(&network, &last).unwrap().logits(&values).unwrap();
        assert!(difference(&runtime, &expected[6]) < TOLERANCE, "seed {seed}: last logits in ONNX Runtime");
        #[cfg(feature = "tract")]
        {
            let tract = TractUnrolled::from_model(&network, &last).unwrap().logits(&values).unwrap();
            assert!(difference(&tract, &expected[6]) < TOLERANCE, "seed {seed}: last logits in tract");
        }
    }
}

#[test]
fn sequences_of_frames_agree_with_the_reference() {
    for seed in 200..220 {
        let random = random_network(seed);
        let frames = frames(&random, 6, seed);
        let expected = reference(&random, &frames).concat();
        let programs = Programs::default();
        let exported = exported(&random);
        let network = network((&random, &exported), Presentation::held(6), &programs);
        let model =
            onnx::unrolled_model(&network.exported, Frames::Sequence { steps: 6 }, Logits::Every, Values::Named, &[]);
        let input: Vec<f32> = frames.iter().flat_map(to_f32).collect();
        let runtime = OnnxRuntimeUnrolled::from_model(&network, &model).unwrap().sequence_logits(&input, 6).unwrap();
        assert!(difference(&runtime, &expected) < TOLERANCE, "seed {seed}: ONNX Runtime");
        #[cfg(feature = "tract")]
        {
            let tract = TractUnrolled::from_model(&network, &model).unwrap().logits(&input).unwrap();
            assert!(difference(&tract, &expected) < TOLERANCE, "seed {seed}: tract");
        }
    }
}

#[test]
fn a_batch_gives_each_image_its_own_answer() {
    for seed in 300..320 {
        let random = random_network(seed);
        let presentation = Presentation { steps: 6, image_steps: 2, blank: -0.5 };
        let programs = Programs::default();
        let exported = exported(&random);
        let network = network((&random, &exported), presentation, &programs);
        let images: Vec<Vec<f32>> = (0..3).map(|image| to_f32(&frames(&random, 1, seed + 1000 * image)[0])).collect();
        let mut unrolled = OnnxRuntimeUnrolled::new(&network).unwrap();
        let together = unrolled.logits(&images.concat()).unwrap();
        let alone: Vec<f32> = images.iter().flat_map(|image| unrolled.logits(image).unwrap()).collect();
        assert!(difference(&together, &alone.iter().map(|&x| f64::from(x)).collect::<Vec<_>>()) < 1e-6, "seed {seed}");

        let mut step = OnnxRuntimeStep::new(&network).unwrap();
        step.reset(3).unwrap();
        let together: Vec<Vec<f32>> = (0..6).map(|_| step.step(&images.concat()).unwrap()).collect();
        for (index, image) in images.iter().enumerate() {
            step.reset(1).unwrap();
            for logits in &together {
                let alone = step.step(image).unwrap();
                let classes = alone.len();
                let found = &logits[index * classes..(index + 1) * classes];
                let alone: Vec<f64> = alone.iter().map(|&x| f64::from(x)).collect();
                assert!(difference(found, &alone) < 1e-6, "seed {seed}, image {index}");
            }
        }
    }
}

#[test]
fn recorded_values_of_every_engine_are_those_of_the_reference() {
    let mut passed_over = 0;
    for seed in 400..410 {
        let random = random_network(seed);
        let presentation = Presentation { steps: 5, image_steps: 3, blank: 0.0 };
        let description = ProgramDescription { class_names: &[], preprocessing: None, presentation };
        let exported = exported(&random);
        let program =
            write_real(&exported.graph, &exported.parameters, &description, &ProgramOptions::default()).unwrap();
        let programs = Programs { real: Ok(AlignedBytes::copy_of(&program)), ..Programs::default() };
        let network = network((&random, &exported), presentation, &programs);
        let image = to_f32(&frames(&random, 1, seed)[0]);
        let image = Image { pixels: &[], values: &image };
        let expected = EngineKind::Reference.build(&network).unwrap().record(image).unwrap();
        for kind in without_program().chain([EngineKind::RuntimeReal]) {
            let mut engine = kind.build(&network).unwrap();
            let record = engine.record(image).unwrap();
            assert_eq!((record.values.len(), record.logits.len()), (5, 5));
            for (step, (found, expected)) in record.values.iter().zip(&expected.values).enumerate() {
                for node in &random.graph.nodes {
                    let expected: Vec<f64> = expected[&node.name].iter().map(|&x| f64::from(x)).collect();
                    // What became part of something else is not there.
                    let is_kept = exported.graph.node_named(&node.name).is_some() || kind == EngineKind::Reference;
                    let found = found.get(&node.name);
                    assert_eq!(found.is_some(), is_kept, "{}: {}", kind.name(), node.name);
                    let Some(found) = found else {
                        passed_over += 1;
                        continue;
                    };
                    let difference = difference(found, &expected);
                    assert!(
                        difference < TOLERANCE,
                        "seed {seed}: {} differs by {difference} at step {}, {}",
                        kind.name(),
                        step + 1,
                        node.name
                    );
                }
            }
        }
    }
    assert!(passed_over > 100, "{passed_over}");
}

#[test]
fn catalogue_networks_agree_and_store_each_weight_once() {
    for name in ["rgc-28", "rgc-28-m4", "vanilla-28", "rgc-32", "rgc-median-28", "lstm-peephole-28", "resnet-28"] {
        let architecture = convrnn_models::catalogue::find(name).unwrap();
        let graph = architecture.lower().unwrap();
        let parameters = random_parameters(&graph, &mut ChaCha8Rng::seed_from_u64(11));
        let programs = Programs::default();
        let trained = RandomNetwork { graph, parameters };
        let exported = exported(&trained);
        let network = network((&trained, &exported), architecture.presentation, &programs);
        let graph = &exported.graph;
        let image = to_f32(&random_frames(graph.frame, 1, 5)[0]);
        let image = Image { pixels: &[], values: &image };
        let expected = EngineKind::Reference.build(&network).unwrap().run(image).unwrap();
        let expected: Vec<f64> = expected.concat().iter().map(|&x| f64::from(x)).collect();
        for kind in without_program() {
            let logits = kind.build(&network).unwrap().run(image).unwrap();
            let difference = difference(&logits.concat(), &expected);
            assert!(difference < TOLERANCE, "{name}: {} differs by {difference}", kind.name());
        }
        let frames = Frames::Presented(architecture.presentation);
        let model = onnx::unrolled_model(&network.exported, frames, Logits::Every, Values::Named, &[]).graph.unwrap();
        for parameter in &graph.parameters {
            let stored = model.initializer.iter().filter(|constant| constant.name == parameter.name).count();
            assert_eq!(stored, 1, "{name}: {}", parameter.name);
        }
    }
}
