//! Predicted instructions beside those that QEMU counts, and the figures that predictions are made of.

mod fit;
mod networks;
mod samples;

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::document;
use crate::{
    checkout,
    firmware::{
        self, Board, Toolchain,
        operations::{self, Layer},
        parts, write_in_bands,
    },
    process,
};
use fit::{Families, Fitted, Sample};

/// The processors that there are figures of.
const BOARDS: [Board; 2] = [Board::CORTEX_M4, Board::CORTEX_M55];

/// Predictions are this much larger than what fits the samples.
const MARGIN: f64 = 1.01;

/// Predictions of whole calls of `step_layer` may be this much larger than what QEMU counts, and never smaller.
pub const EXCESS: f64 = 1.05;

#[derive(clap::Args)]
pub struct CostArguments {
    /// Measure the figures anew and write export/src/cost/*.toml, before predictions are checked
    #[arg(long)]
    calibrate: bool,
    /// Fit the figures again to the samples that were measured last, for those who work on the fit
    #[arg(long, conflicts_with = "calibrate")]
    refit: bool,
}

/// A network's program, the counts that predictions are made of, and what QEMU counts.
struct Measured {
    name: String,
    program: PathBuf,
    layers: Vec<Layer>,
}

pub fn run(arguments: &CostArguments) -> Result<()> {
    if let Some(missing) = firmware::missing() {
        bail!("{missing} is missing: run `cargo xtask setup`, which says how to get it");
    }
    let mut text = format!(
        "## Predicted instructions\n\n`convrnn-export cost` beside QEMU: every call of `step_layer` of {} networks of the \
         catalogue, as whole maps and in bands of {} rows, and {} of random sizes, a third of them in bands; its figures were \
         fitted to none of these; int8, random weights. A prediction is to \
         be nowhere below what is counted, and for the dearest call of a step, the deadline, at most {:.0} % above it.\n\n\
         | processor | calls | below the count | median excess | largest excess | deadlines | largest excess of a deadline |\n\
         |---|---|---|---|---|---|---|\n",
        networks::PREDICTED.len(),
        networks::CATALOGUE_ROWS,
        networks::RANDOM_PREDICTED,
        (EXCESS - 1.0) * 100.0
    );
    if arguments.calibrate || arguments.refit {
        for board in BOARDS {
            let samples = if arguments.refit { samples::read(board)? } else { measure_samples(board)? };
            write_figures(board, &samples)?;
        }
        process::run_on_stderr(&mut checkout::build_all())?;
    }
    let mut failures = Vec::new();
    for board in BOARDS {
        check(board, &mut text, &mut failures)?;
    }
    text.push_str("\n`cargo xtask bench cost`; with `--calibrate` the figures are measured anew\n");
    document::write_section("cost", &text)?;
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// Networks whose predictions every test run compares with QEMU.
const CHECKED: [(&str, Option<usize>); 3] = [("rgc-28-m4", None), ("rgc-28-m4", Some(1)), ("ff-32", None)];

/// Fails unless no call of `step_layer` of some networks takes more than predicted, and the deadline is near. The host's
/// programs are there.
pub fn check_some() -> Result<()> {
    for board in BOARDS {
        if Toolchain::find(board).is_none() {
            println!(
                "costs: left out: {} (no compiler for {}; see `cargo xtask setup`)",
                board.processor, board.target
            );
            continue;
        }
        for (network, rows) in CHECKED {
            let measured = measure_one(board, (network.into(), network.into(), rows))?;
            let network = &measured.name;
            let (excess, deadline) = compare(board, network, &measured.program, &measured.layers)?;
            let least = excess.iter().copied().fold(f64::INFINITY, f64::min);
            ensure!(
                least >= 0.0 && deadline + 1.0 <= EXCESS,
                "{}: predictions of {network} are {:.1} % above the count at least, its deadline {:.1} %, expected 0 to {:.0} %: \
                 if kernels have changed, measure anew with `cargo xtask bench cost --calibrate`",
                board.processor,
                least * 100.0,
                deadline * 100.0,
                (EXCESS - 1.0) * 100.0
            );
            println!(
                "costs: {}: the deadline of {network} is {:.1} % above the count",
                board.processor,
                deadline * 100.0
            );
        }
    }
    Ok(())
}

/// Programs of networks of the catalogue and of random ones.
fn measure(board: Board, catalogue: &[&str], random: std::ops::Range<u64>) -> Result<Vec<Measured>> {
    let random = random
        .map(|seed| write_random(&format!("random-{seed}"), &networks::random(seed), networks::random_rows(seed)));
    let rows = [None, Some(networks::CATALOGUE_ROWS)];
    let catalogue =
        rows.iter().flat_map(|&rows| catalogue.iter().map(move |&name| Ok((name.into(), name.into(), rows))));
    catalogue.chain(random).map(|network| measure_one(board, network?)).collect()
}

/// An architecture by name or file, the name of its program, and the rows of its bands; none with whole maps.
type Network = (String, String, Option<usize>);

/// Writes a random architecture.
fn write_random(name: &str, text: &str, rows: Option<usize>) -> Result<Network> {
    let path = samples::folder()?.join(name).with_extension("toml");
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok((path.to_string_lossy().into_owned(), name.to_owned(), rows))
}

/// Measures a network's program.
fn measure_one(board: Board, (architecture, name, rows): Network) -> Result<Measured> {
    let name = rows.map_or_else(|| name.clone(), |rows| format!("{name}-in-bands-of-{rows}"));
    let program = write_in_bands(&architecture, &name, board, rows)?;
    let layers = operations::measure_layers(board, &program).with_context(|| format!("measuring {name}"))?;
    Ok(Measured { name, program, layers })
}

/// Runs `convrnn-export cost`.
fn ask(board: Board, program: &Path, flag: &str) -> Result<Value> {
    let mut command = Command::new(checkout::built("convrnn-export"));
    command.args(["cost", "--target", board.packed_for, flag]).arg(program);
    let output = process::output(&mut command)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("`convrnn-export cost` does not answer with JSON")
}

/// Measures what figures are fitted to.
fn measure_samples(board: Board) -> Result<Vec<Sample>> {
    let mut measured = measure(board, &networks::FITTED, 0..networks::RANDOM_FITTED)?;
    for seed in 0..networks::GATED_FITTED {
        let network = write_random(&format!("gated-{seed}"), &networks::gated(seed), networks::random_rows(seed))?;
        measured.push(measure_one(board, network)?);
    }
    let mut all = Vec::new();
    for network in &measured {
        all.extend(samples::of(board, network)?);
    }
    samples::write(board, &all)?;
    Ok(all)
}

/// Fits a processor's figures and writes their file.
fn write_figures(board: Board, samples: &[Sample]) -> Result<()> {
    let fitted = fit::fit(samples)?;
    report(board, &fitted.families, samples);
    let footprint = parts::footprint(board)?;
    let path = checkout::root().join(format!("export/src/cost/{}.toml", board.packed_for));
    fs::write(&path, file(board, &fitted, &footprint)).with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("{}: figures of {} operations written to {}", board.processor, samples.len(), path.display());
    Ok(())
}

/// How well each family is explained, for those who work on the terms.
fn report(board: Board, families: &Families, samples: &[Sample]) {
    let mut excess: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for sample in samples {
        if let Some(predicted) = fit::predict(families, sample) {
            excess.entry(&sample.family).or_default().push(predicted / sample.instructions - 1.0);
        }
    }
    for (family, mut excess) in excess {
        excess.sort_by(f64::total_cmp);
        let (median, largest) = (excess[excess.len() / 2] * 100.0, excess[excess.len() - 1] * 100.0);
        eprintln!(
            "{}: {family}: {} samples, excess {median:.1} % (largest {largest:.1} %)",
            board.processor,
            excess.len()
        );
    }
}

/// The text of a file of figures.
fn file(board: Board, fitted: &Fitted, footprint: &parts::Footprint) -> String {
    let mut text = format!(
        "# Instructions of the {}: what one of each term costs. Written by `cargo xtask bench cost --calibrate`.\n\
         margin = {MARGIN}\ncode_bytes = {}\nstack_bytes = {}\n",
        board.processor, footprint.code, footprint.stack
    );
    for (table, families) in [("families", &fitted.families), ("few", &fitted.few)] {
        for (family, figures) in families {
            // Writing to a string does not fail.
            let _ = writeln!(text, "\n[{table}.\"{family}\"]");
            for (term, figure) in figures {
                let _ = writeln!(text, "\"{term}\" = {figure:.4}");
            }
        }
    }
    text
}

/// Predicts networks that no figure was fitted to, and adds a row to the table.
fn check(board: Board, text: &mut String, failures: &mut Vec<String>) -> Result<()> {
    let random = networks::RANDOM_FITTED..networks::RANDOM_FITTED + networks::RANDOM_PREDICTED;
    let (mut excess, mut deadlines) = (Vec::new(), Vec::new());
    for network in measure(board, &networks::PREDICTED, random)? {
        let (layers, deadline) = compare(board, &network.name, &network.program, &network.layers)?;
        excess.extend(layers);
        deadlines.push((deadline, network.name));
    }
    excess.sort_by(f64::total_cmp);
    deadlines.sort_by(|left, right| left.0.total_cmp(&right.0));
    let below = excess.iter().filter(|&&excess| excess < 0.0).count();
    let percent = |excess: f64| format!("{:.1} %", excess * 100.0);
    let worst = deadlines.last().map_or(0.0, |deadline| deadline.0);
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "| {} | {} | {below} | {} | {} | {} | {} |",
        board.processor,
        excess.len(),
        percent(excess[excess.len() / 2]),
        percent(excess[excess.len() - 1]),
        deadlines.len(),
        percent(worst)
    );
    if below > 0 {
        failures.push(format!("{}: {below} predictions are below what QEMU counts", board.processor));
    }
    for (excess, name) in deadlines.iter().filter(|(excess, _)| excess + 1.0 > EXCESS) {
        failures.push(format!("{}: the deadline of {name} is {} above the count", board.processor, percent(*excess)));
    }
    Ok(())
}

/// By how much the prediction of every call of `step_layer` exceeds the count, and that of the dearest one.
fn compare(board: Board, name: &str, program: &Path, layers: &[Layer]) -> Result<(Vec<f64>, f64)> {
    let answer = ask(board, program, "--json")?;
    let predicted: Vec<f64> = answer["layers"]
        .as_array()
        .context("a cost has layers")?
        .iter()
        .map(|layer| layer["instructions"].as_f64().context("a layer has instructions"))
        .collect::<Result<_>>()?;
    ensure!(predicted.len() == layers.len(), "{name}: {} layers predicted, {} counted", predicted.len(), layers.len());
    for (layer, predicted) in layers.iter().zip(answer["layers"].as_array().into_iter().flatten()) {
        for (operation, predicted) in
            layer.operations.iter().zip(predicted["operations"].as_array().into_iter().flatten())
        {
            let predicted = predicted["instructions"].as_u64().context("an operation has instructions")?;
            if predicted > 0 && predicted < operation.instructions {
                eprintln!(
                    "{}: {name}, {}: {} counted, only {predicted} predicted",
                    board.processor, operation.name, operation.instructions
                );
            }
        }
    }
    let excess = layers.iter().zip(&predicted).map(|(layer, predicted)| {
        let excess = predicted / layer.instructions as f64 - 1.0;
        eprintln!(
            "{}: {name}, {}: {} counted, {predicted} predicted, {:.1} %",
            board.processor,
            layer.name,
            layer.instructions,
            excess * 100.0
        );
        excess
    });
    let excess: Vec<f64> = excess.collect();
    let counted = layers.iter().map(|layer| layer.instructions).max().context("a step has layers")?;
    let deadline = answer["worst_layer"].as_f64().context("a cost has a deadline")?;
    Ok((excess, deadline / counted as f64 - 1.0))
}
