//! An archive of the size asked for: made, listed, trained from, with kills in between. Shared by the test of it and by
//! `cargo xtask bench archive`.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use image::{ExtendedColorType, GrayImage, Luma};

/// Side of an image, that of `ff-28`.
const SIDE: u32 = 28;
/// Validation images; the others are to learn from.
const VALIDATION: usize = 1000;

/// Writes a tar of small gray JPEGs, no two alike: `train/<class>/<number>.jpg` and `val/...`.
pub fn make(path: &Path, images: usize, classes: usize) -> std::io::Result<()> {
    let mut archive = tar::Builder::new(BufWriter::with_capacity(1 << 20, File::create(path)?));
    let mut jpeg = Vec::new();
    for number in 0..images {
        let class = number % classes;
        let split = if number < VALIDATION.min(images / 4) { "val" } else { "train" };
        // The number in base 251 makes each picture another one; the class shows as a ramp.
        let (low, high) = (number % 251, number / 251);
        let level = |x: u32, y: u32| {
            let ramp = (x as usize * (class % 16) + y as usize * (class / 16 % 16)) / 4;
            (ramp + if y < SIDE / 2 { low } else { high % 251 } + 37 * (high / 251)) as u8
        };
        let picture = GrayImage::from_fn(SIDE, SIDE, |x, y| Luma([level(x, y)]));
        jpeg.clear();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 75)
            .encode(&picture, SIDE, SIDE, ExtendedColorType::L8)
            .map_err(std::io::Error::other)?;
        let mut header = tar::Header::new_ustar();
        header.set_size(jpeg.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("train-set/{split}/class{class:04}/{number:07}.jpg"), &jpeg[..])?;
    }
    archive.into_inner()?.flush()
}

/// A digest of the weights of every checkpoint of a run that could be caught, by training step.
pub type Weights = BTreeMap<u64, u64>;

/// Lets a run go until it has passed so many training steps, noting its checkpoints; then kills it. Seconds until the
/// first step beyond those that the run had taken before was seen are told.
///
/// A kill may fall into the exchange of the last checkpoint; the program that goes on puts it back. Until then it is not known
/// where the run stands, and the first checkpoint that is seen is no new step.
pub fn run_until(command: &mut Command, run: &Path, step: u64, weights: &mut Weights) -> Option<f64> {
    let mut begun = match checkpoint(run) {
        Some((step, _)) => Some(step),
        None if run.exists() => None,
        None => Some(0),
    };
    let started = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().ok()?;
    let mut first = None;
    let reached = loop {
        if let Some((now, digest)) = checkpoint(run) {
            if now > *begun.get_or_insert(now) {
                first.get_or_insert(started.elapsed().as_secs_f64());
                weights.insert(now, digest);
            }
            if now >= step {
                break true;
            }
        }
        if has_ended(&mut child) {
            break false;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    // SIGKILL, in the middle of an epoch.
    let _ = child.kill();
    let output = child.wait_with_output().ok()?;
    if !reached {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    first
}

fn has_ended(child: &mut Child) -> bool {
    !matches!(child.try_wait(), Ok(None))
}

/// Step and digest of the last checkpoint; none while it is exchanged.
fn checkpoint(run: &Path) -> Option<(u64, u64)> {
    let state = || -> Option<u64> {
        let text = std::fs::read(run.join("last/state.json")).ok()?;
        serde_json::from_slice::<serde_json::Value>(&text).ok()?["step"].as_u64()
    };
    let before = state()?;
    let weights = std::fs::read(run.join("last/weights.safetensors")).ok()?;
    let mut hash = DefaultHasher::new();
    weights.hash(&mut hash);
    (state()? == before).then_some((before, hash.finish()))
}
