//! One step of a network on x86-64, one thread: the device runtime against ONNX Runtime and tract.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::{document, measure::Figures};
use crate::{checkout, process};

#[derive(clap::Args)]
pub struct StepArguments {
    /// Python with onnx and onnxruntime 1.24.2 (`python3 -m venv V && V/bin/pip install onnx==1.22.0
    /// onnxruntime==1.24.2`), which quantises the peer; the variable CONVRNN_PYTHON if not given, or else `python3`
    #[arg(long, value_name = "PYTHON")]
    python: Option<PathBuf>,
    /// Rounds, in each of which every engine has its turn; medians are told
    #[arg(long, default_value_t = 15)]
    rounds: usize,
}

/// A network, the side of its frames, and what the ratios are to be at most: in f32 and in int8.
const NETWORKS: [(&str, usize, f64, f64); 2] = [("rgc-32", 32, 0.6, 0.7), ("rgc-median", 128, 1.0, 0.7)];

const RUNTIME: [&str; 2] = ["runtime f32", "runtime int8"];
const TWO_THREADS: [&str; 2] = ["runtime f32, two threads", "runtime int8, two threads"];
const ONNX_RUNTIME: [&str; 2] = ["ONNX Runtime f32", "ONNX Runtime int8"];
const TRACT: &str = "tract f32";

/// Times every network and writes the section.
pub fn run(arguments: &StepArguments) -> Result<()> {
    let mut build = checkout::cargo();
    build.args(["build", "--release", "--locked", "-p", "convrnn-export", "--example", "step_speed"]);
    eprintln!("optimised build, tract with it: minutes, the first time");
    process::run_on_stderr(&mut build)?;
    let mut text = String::from(
        "## A step on x86-64\n\nOne thread but where it says two, one frame on show, random weights, skipping off, taps kept. The runtime runs a \
         program packed for x86-64; ONNX Runtime (one intra-op thread) and tract run the `step.onnx` of the same network; \
         ONNX Runtime's int8 is that model with quantise and dequantise nodes (QDQ), made by `xtask/bench/quantize_step.py` \
         with its own tool. With two threads, layers run at once (plan parallel, `Session::step_on` within \
         `rayon::ThreadPool::install`), and the dearest is divided by rows once the others are done. Engines take turns, 200 ms each; microseconds a step.\n",
    );
    for network in NETWORKS {
        text += &section(arguments, network)?;
    }
    text += &format!("\n`cargo xtask bench step --rounds {}`\n", arguments.rounds);
    document::write_section("step", &text)
}

/// The table of one network.
fn section(arguments: &StepArguments, (name, side, real, integer): (&str, usize, f64, f64)) -> Result<String> {
    let folder = checkout::root().join("target/bench/step").join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    process::run_on_stderr(&mut example(name, side, &folder))?;
    quantise(arguments, &folder)?;
    let mut command = example(name, side, &folder);
    let output = process::output(command.arg(arguments.rounds.to_string()))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", process::describe(&command), String::from_utf8_lossy(&output.stderr));
    }
    let (figures, instructions) = parse(&String::from_utf8_lossy(&output.stdout))?;
    let mut text = format!("\n{name} at {side} px; the runtime's kernels use {instructions}:\n\n{}\n", table(&figures));
    let [runtime_real, runtime_integer] = [median(&figures, RUNTIME[0])?, median(&figures, RUNTIME[1])?];
    let [peer_real, peer_integer] = [median(&figures, ONNX_RUNTIME[0])?, median(&figures, ONNX_RUNTIME[1])?];
    let peer_real = peer_real.min(median(&figures, TRACT)?);
    text += &format!(
        "f32 against the faster of ONNX Runtime and tract: **{:.2}** (aimed at: at most {real:.2}). int8 against ONNX \
         Runtime's int8: **{:.2}** (aimed at: at most {integer:.2}). Two threads against one: f32 **{:.2}**, int8 \
         **{:.2}** (aimed at: at most 0.60).\n",
        runtime_real / peer_real,
        runtime_integer / peer_integer,
        median(&figures, TWO_THREADS[0])? / runtime_real,
        median(&figures, TWO_THREADS[1])? / runtime_integer
    );
    Ok(text)
}

fn example(name: &str, side: usize, folder: &Path) -> Command {
    let mut command = Command::new(checkout::built_optimised("examples").join("step_speed"));
    command.current_dir(checkout::root()).env("RAYON_NUM_THREADS", "1");
    let library = checkout::onnxruntime_link();
    if std::env::var_os("ORT_DYLIB_PATH").is_none() {
        command.env("ORT_DYLIB_PATH", library);
    }
    command.arg(name).arg(side.to_string()).arg(folder);
    command
}

/// Makes the peer's int8 model, unless it is there and newer than the model it is made from.
fn quantise(arguments: &StepArguments, folder: &Path) -> Result<()> {
    let (source, target) = (folder.join("step.onnx"), folder.join("step-qdq.onnx"));
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    if changed(&target).is_some_and(|made| changed(&source).is_some_and(|source| source <= made)) {
        return Ok(());
    }
    let variable = || std::env::var_os("CONVRNN_PYTHON").map(PathBuf::from);
    let python = arguments.python.clone().or_else(variable).unwrap_or_else(|| "python3".into());
    let mut command = Command::new(python);
    command.current_dir(checkout::root()).arg("xtask/bench/quantize_step.py").arg(source).arg(target);
    process::run_on_stderr(&mut command).context("see `cargo xtask bench step --help` for the Python that this takes")
}

/// The figures of the engines, and the instructions of the runtime.
fn parse(text: &str) -> Result<(Vec<Figures>, String)> {
    let mut figures = Vec::new();
    let mut instructions = String::from("no particular instructions");
    for line in text.lines() {
        let (name, values) = line.split_once('\t').with_context(|| format!("expected a tab in {line:?}"))?;
        if name == "instructions" {
            instructions = values.into();
            continue;
        }
        let values = values.split(' ').map(str::parse).collect::<Result<Vec<f64>, _>>();
        figures.push(Figures { name: name.into(), values: values.with_context(|| format!("no figures: {line:?}"))? });
    }
    Ok((figures, instructions))
}

fn table(figures: &[Figures]) -> String {
    let mut table = String::from("| engine | median | smallest | largest |\n|---|---|---|---|\n");
    for engine in figures {
        let (low, high) = engine.range();
        table += &format!("| {} | {:.1} | {low:.1} | {high:.1} |\n", engine.name, engine.median());
    }
    table
}

fn median(figures: &[Figures], name: &str) -> Result<f64> {
    let found = figures.iter().find(|engine| engine.name == name);
    Ok(found.with_context(|| format!("{name} was not timed"))?.median())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_by_name() {
        let (figures, instructions) = parse("tract f32\t3.0 1.5 2.0\ninstructions\tAVX2\n").expect("two lines");
        assert_eq!((median(&figures, TRACT).expect("timed"), instructions.as_str()), (2.0, "AVX2"));
        assert!(median(&figures, RUNTIME[0]).is_err());
        assert!(table(&figures).contains("| tract f32 | 2.0 | 1.5 | 3.0 |"));
        assert!(parse("tract f32").is_err() && parse("tract f32\tquick").is_err());
    }
}
