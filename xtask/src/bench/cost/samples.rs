//! Operations with what they do how often and what QEMU counted.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Measured, ask, fit::Sample};
use crate::{checkout, firmware::Board};

/// Where networks and samples are kept.
pub(super) fn folder() -> Result<PathBuf> {
    let folder = checkout::root().join("target/bench/cost");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// Operations with what they do how often; a layer's session is one too.
pub(super) fn of(board: Board, measured: &Measured) -> Result<Vec<Sample>> {
    let answer = ask(board, &measured.program, "--counts")?;
    let counts = answer.as_array().context("counts are a list of layers")?;
    let mut samples = Vec::new();
    ensure!(counts.len() == measured.layers.len(), "{}: counts are of other layers", measured.name);
    for (layer, counts) in measured.layers.iter().zip(counts) {
        let sum: u64 = layer.operations.iter().map(|operation| operation.instructions).sum();
        let own = layer.operations.iter().map(|operation| operation.instructions);
        let instructions = [layer.instructions.saturating_sub(sum)].into_iter().chain(own);
        let counts = counts.as_array().context("a layer's counts are a list")?;
        ensure!(counts.len() == layer.operations.len() + 1, "{}: counts are of other operations", measured.name);
        for (instructions, counts) in instructions.zip(counts) {
            let terms = counts["terms"].as_object().context("counts have terms")?;
            // Computed with its sibling.
            if terms.is_empty() {
                continue;
            }
            let terms = terms.iter().map(|(term, count)| (term.clone(), count.as_f64().unwrap_or(0.0)));
            samples.push(Sample {
                family: counts["family"].as_str().context("counts have a family")?.to_owned(),
                terms: terms.collect(),
                instructions: instructions as f64,
            });
        }
    }
    Ok(samples)
}

/// The samples that [`write`] wrote.
pub(super) fn read(board: Board) -> Result<Vec<Sample>> {
    let path = folder()?.join(format!("samples-{}.jsonl", board.packed_for));
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let sample = |line: &str| -> Result<Sample> {
        let value: Value = serde_json::from_str(line)?;
        let terms = value["terms"].as_object().context("a sample has terms")?;
        Ok(Sample {
            family: value["family"].as_str().context("a sample has a family")?.to_owned(),
            terms: terms.iter().map(|(term, count)| (term.clone(), count.as_f64().unwrap_or(0.0))).collect(),
            instructions: value["instructions"].as_f64().context("a sample has instructions")?,
        })
    };
    text.lines().map(sample).collect()
}

/// Every sample as a line of JSON, for those who work on the terms.
pub(super) fn write(board: Board, samples: &[Sample]) -> Result<()> {
    let line = |sample: &Sample| {
        let value = serde_json::json!({
            "family": sample.family, "instructions": sample.instructions, "terms": sample.terms
        });
        format!("{value}\n")
    };
    let path = folder()?.join(format!("samples-{}.jsonl", board.packed_for));
    fs::write(&path, samples.iter().map(line).collect::<String>())
        .with_context(|| format!("cannot write {}", path.display()))
}
