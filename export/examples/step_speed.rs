//! Times one step of a network with random weights, one thread, on the device runtime, in ONNX Runtime and in tract, and on
//! the runtime with its layers on two threads.
//!
//! `cargo run --release -p convrnn-export --example step_speed -- ARCHITECTURE SIDE FOLDER [ROUNDS]`
//!
//! ARCHITECTURE is a catalogue entry or a file, SIDE the side of its frame in pixels. FOLDER keeps the programs and
//! `step.onnx` between runs. Without ROUNDS they are only written. Where FOLDER holds `step-qdq.onnx`, the same step
//! in int8, it is timed in ONNX Runtime too. Prints a line for each engine: name, tab, microseconds a step in each
//! round, separated by spaces; engines take turns.

use convrnn_export::engines::{OnnxRuntimeStep, Programs, TractStep};
use convrnn_export::onnx::{self, Values};
use convrnn_export::program::{AlignedBytes, ProgramDescription, ProgramOptions, Target, write_integer, write_real};
use convrnn_graph::quantize::{Calibration, PixelScale, QuantizeOptions, quantize};
use convrnn_graph::{Parameters, Presentation, StepGraph, Tensor, passes};
use convrnn_models::catalogue;
use convrnn_models::files::write_whole;
use convrnn_runtime::{Backend, Frame, Host, Numerics, Plan, Program, Session, arena_length};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::convert::Infallible;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// A round of one engine goes on for so long.
const ROUND: Duration = Duration::from_millis(200);
/// Steps between two looks at the clock.
const BATCH: u32 = 10;

/// Programs of either arithmetic: plan sequential, and parallel.
const REAL: [&str; 2] = ["real.crnn", "real-parallel.crnn"];
const INTEGER: [&str; 2] = ["integer.crnn", "integer-parallel.crnn"];

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (architecture, side, folder, rounds) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [architecture, side, folder] => (architecture, side, folder, "0"),
        [architecture, side, folder, rounds] => (architecture, side, folder, rounds),
        _ => {
            eprintln!("usage: step_speed ARCHITECTURE SIDE FOLDER [ROUNDS]");
            return ExitCode::from(2);
        }
    };
    match run(architecture, side, Path::new(folder), rounds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(architecture: &str, side: &str, folder: &Path, rounds: &str) -> Outcome<()> {
    let mut architecture = catalogue::find(architecture)?;
    (architecture.input.height, architecture.input.width) = (side.parse()?, side.parse()?);
    let graph = architecture.lower()?;
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let parameters = random_parameters(&graph, &mut random);
    let frame: Vec<f32> = (0..graph.frame.elements()).map(|_| random.random_range(-2.0..2.0)).collect();
    std::fs::create_dir_all(folder)?;
    write(&graph, &parameters, architecture.presentation, &frame, folder)?;
    measure(&graph, &parameters, &frame, folder, rounds.parse()?)
}

/// Writes what is not there yet.
fn write(
    graph: &StepGraph,
    parameters: &Parameters<f32>,
    presentation: Presentation,
    frame: &[f32],
    folder: &Path,
) -> Outcome<()> {
    let description = ProgramDescription { class_names: &[], preprocessing: None, presentation };
    let options = ProgramOptions { target: Target::HOST, ..ProgramOptions::default() };
    let parallel = ProgramOptions { plan: Plan::Parallel, ..options };
    let (plain, weights) = passes::fold_constants(graph, parameters)?;
    let step = folder.join("step.onnx");
    if !step.exists() {
        let source = onnx::Source { graph: &plain, parameters: &weights };
        onnx::write([(&onnx::step_model(&source, Values::Named, &[]), &step)])?;
    }
    for (name, options) in [(REAL[0], options), (REAL[1], parallel)] {
        write_whole(&folder.join(name), &write_real(&plain, &weights, &description, &options)?)?;
    }
    // Calibration takes a while, so that programs of this version are kept.
    let is_current = |name| std::fs::read(folder.join(name)).is_ok_and(|bytes| Program::new_checked(&bytes).is_ok());
    if !INTEGER.into_iter().all(is_current) {
        let image = Tensor::new(graph.frame, frame.iter().map(|&value| f64::from(value)).collect());
        let calibration = Calibration::of_images(graph, parameters, &presentation, &[image])?;
        let (mean, deviation) = (vec![0.5; graph.frame.channels], vec![0.25; graph.frame.channels]);
        let pixels = PixelScale { mean: &mean, standard_deviation: &deviation };
        let quantized = quantize(graph, parameters, &calibration, pixels, &QuantizeOptions::default())?;
        for (name, options) in [(INTEGER[0], options), (INTEGER[1], parallel)] {
            write_whole(&folder.join(name), &write_integer(&quantized, &description, &options)?)?;
        }
    }
    Ok(())
}

/// Takes the time of every engine in turn.
fn measure(
    graph: &StepGraph,
    parameters: &Parameters<f32>,
    frame: &[f32],
    folder: &Path,
    rounds: usize,
) -> Outcome<()> {
    if rounds == 0 {
        return Ok(());
    }
    let bytes = [REAL[0], INTEGER[0], REAL[1], INTEGER[1]].map(|name| program(folder, name));
    let [real, integer, real_parallel, integer_parallel] = bytes;
    let bytes = [real?, integer?, real_parallel?, integer_parallel?];
    let mut arenas = bytes.each_ref().map(arena);
    let mut sessions = Vec::new();
    for (program, arena) in bytes.iter().zip(&mut arenas) {
        let mut session = Session::with_backend(program, arena, Host::default())?;
        present(&mut session)?;
        sessions.push(session);
    }
    let Ok([mut real, mut integer, mut real_parallel, mut integer_parallel]) = <[_; 4]>::try_from(sessions) else {
        unreachable!("four programs")
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build()?;
    let programs = Programs::default();
    let (plain, weights) = passes::fold_constants(graph, parameters)?;
    let network = convrnn_export::engines::Network {
        source: onnx::Source { graph, parameters },
        exported: onnx::Source { graph: &plain, parameters: &weights },
        presentation: Presentation::held(1),
        programs: &programs,
    };
    let mut onnx_runtime = OnnxRuntimeStep::new(&network)?;
    let quantized = folder.join("step-qdq.onnx");
    let mut quantized = match quantized.exists() {
        true => Some(OnnxRuntimeStep::from_bytes(&network, &std::fs::read(&quantized)?)?),
        false => None,
    };
    let mut tract = TractStep::new(&network)?;
    // Each makes `BATCH` steps.
    type Engine<'a> = (&'a str, Box<dyn FnMut() -> Outcome<()> + 'a>);
    let mut engines: Vec<Engine<'_>> = vec![
        ("runtime f32", Box::new(|| batch(|| step(&mut real)))),
        ("runtime int8", Box::new(|| batch(|| step(&mut integer)))),
        ("runtime f32, two threads", Box::new(|| Ok(pool.install(|| batch_on(&mut real_parallel, &pool))?))),
        ("runtime int8, two threads", Box::new(|| Ok(pool.install(|| batch_on(&mut integer_parallel, &pool))?))),
        ("ONNX Runtime f32", Box::new(|| batch(|| Ok(onnx_runtime.step(frame).map(drop)?)))),
        ("tract f32", Box::new(|| batch(|| Ok(tract.step(frame).map(drop)?)))),
    ];
    if let Some(engine) = &mut quantized {
        engines.push(("ONNX Runtime int8", Box::new(|| batch(|| Ok(engine.step(frame).map(drop)?)))));
    }
    let mut figures = vec![Vec::new(); engines.len()];
    for _ in 0..rounds {
        for ((_, engine), figures) in engines.iter_mut().zip(&mut figures) {
            // The caches are another engine's.
            engine()?;
            let (start, mut steps) = (Instant::now(), 0);
            while steps == 0 || start.elapsed() < ROUND {
                engine()?;
                steps += BATCH;
            }
            figures.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(steps));
        }
    }
    for ((name, _), figures) in engines.iter().zip(figures) {
        let figures: Vec<String> = figures.iter().map(|figure| format!("{figure:.2}")).collect();
        println!("{name}\t{}", figures.join(" "));
    }
    #[cfg(target_arch = "x86_64")]
    println!("instructions\t{}", Host::default().level().name());
    Ok(())
}

fn program(folder: &Path, name: &str) -> Outcome<AlignedBytes> {
    Ok(AlignedBytes::copy_of(&std::fs::read(folder.join(name))?))
}

fn arena(program: &AlignedBytes) -> AlignedBytes {
    AlignedBytes::zeroed(arena_length(program))
}

/// Shows a frame of random values.
fn present<B: Backend>(session: &mut Session<'_, '_, B>) -> Outcome<()> {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let buffer = session.buffer(session.program().prelude().frame_buffer).ok_or("no frame")?;
    let elements = buffer.elements();
    match session.program().numerics() {
        Numerics::Real => {
            let values: Vec<f32> = (0..elements).map(|_| random.random_range(-2.0..2.0)).collect();
            Ok(session.present(Frame::Real(&values))?)
        }
        Numerics::Integer => {
            let values: Vec<i8> = (0..elements).map(|_| random.random()).collect();
            Ok(session.present(Frame::Quantized(&values))?)
        }
    }
}

fn batch(mut step: impl FnMut() -> Outcome<()>) -> Outcome<()> {
    (0..BATCH).try_for_each(|_| step())
}

fn step<B: Backend>(session: &mut Session<'_, '_, B>) -> Outcome<()> {
    session.step();
    std::hint::black_box(session.logits_raw().real(0));
    Ok(())
}

/// On the threads of a pool, on one of which this is called: no thread is woken for each step.
fn batch_on(session: &mut Session<'_, '_, Host>, pool: &rayon::ThreadPool) -> Result<(), Infallible> {
    for _ in 0..BATCH {
        session.step_on(pool);
        std::hint::black_box(session.logits_raw().real(0));
    }
    Ok(())
}

/// Uniform weights whose variance keeps that of a layer's input, and small biases.
fn random_parameters(graph: &StepGraph, random: &mut ChaCha8Rng) -> Parameters<f32> {
    let values = graph.parameters.iter().map(|parameter| {
        let fan_in: usize = parameter.shape.iter().skip(1).product();
        let limit = if parameter.shape.len() > 1 { (3.0 / fan_in as f32).sqrt() } else { 0.1 };
        (0..parameter.elements()).map(|_| random.random_range(-limit..limit)).collect()
    });
    Parameters { values: values.collect() }
}
