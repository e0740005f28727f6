//! A program killed with SIGKILL at random moments and resumed each time ends with the weights of one
//! that was left alone, to the bit. `CONVRNN_KILLS` says how often it is killed, 5 if not given;
//! `CONVRNN_KILL_SEED` which moments.
#![cfg(unix)]

use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Options with everything that a checkpoint must remember: momentum, average, accumulation, schedule,
/// augmentation, motion.
const OPTIONS: &str = "--architecture rgc-28-m4 --data rendered:size=28,train=320,test=40 --batch 16 --accumulate 3 \
                       --learning-rate 0.02 --ema-decay 0.95 --shift 2 --sequence shift=0.5 --steps 6 --threads 1 \
                       --schedule cosine --loss-steps 5=0.5,6=1 --label-smoothing 0.1";

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

fn program(arguments: &[&str]) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin!("convrnn-train"))
        .arg("train")
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn start(run: &Path, epochs: &str, save_every: &str) -> Child {
    let mut arguments: Vec<&str> = OPTIONS.split_whitespace().collect();
    arguments.extend(["--epochs", epochs, "--save-every", save_every, "--run", run.to_str().unwrap()]);
    program(&arguments)
}

fn finish(mut child: Child) {
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}: {}", std::io::read_to_string(child.stderr.take().unwrap()).unwrap());
}

/// Waits until the program has ended by itself, the time is over, or something has happened; whether it
/// has ended.
fn ends_before(child: &mut Child, time: Duration, happened: impl Fn() -> bool) -> bool {
    let started = Instant::now();
    while started.elapsed() < time && !happened() {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.try_wait().unwrap().is_some()
}

/// Training steps in the checkpoint; none where there is no checkpoint, or it is exchanged at this moment.
fn step(run: &Path) -> Option<u64> {
    let text = std::fs::read(run.join("last/state.json")).ok()?;
    serde_json::from_slice::<Value>(&text).ok()?["step"].as_u64()
}

/// `state.json` without the time that was spent.
fn state(checkpoint: &Path) -> Value {
    let mut state: Value = serde_json::from_slice(&std::fs::read(checkpoint.join("state.json")).unwrap()).unwrap();
    state["seconds"] = Value::Null;
    state["sums"]["seconds"] = Value::Null;
    state
}

/// The records of all epochs without times.
fn metrics(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    let record = |line: &str| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        record["seconds"] = Value::Null;
        record["images_per_second"] = Value::Null;
        record
    };
    text.lines().map(record).collect()
}

#[test]
fn killed_at_random_moments_it_ends_with_the_same_bits() {
    let kills = from_environment("CONVRNN_KILLS").unwrap_or(5);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = from_environment("CONVRNN_KILL_SEED").unwrap_or(now);
    println!("CONVRNN_KILL_SEED={seed}");
    let mut random = seed | 1;
    // Xorshift (Marsaglia 2003).
    let mut fraction = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) as f64 / (1u64 << 53) as f64
    };
    let folder = tempfile::tempdir().unwrap();
    let (alone, killed) = (folder.path().join("alone"), folder.path().join("killed"));
    let epochs = (3 + kills / 2).to_string();
    let started = Instant::now();
    // It saves at the end of its epochs only, the other one at every training step.
    finish(start(&alone, &epochs, "300"));
    let whole = started.elapsed().as_secs_f64();

    let begin = || {
        if killed.join("last").is_dir() {
            return program(&["--resume", killed.to_str().unwrap()]);
        }
        // Killed before there was anything to go on from: it begins anew, in the same folder unless that is
        // empty (killed between its creation and its lock).
        let _ = std::fs::remove_dir(&killed);
        start(&killed, &epochs, "0")
    };
    let (mut done, mut steps) = (0, Vec::new());
    while done < kills {
        let before = step(&killed).unwrap_or(0);
        let mut child = begin();
        // One in four is killed while it starts; the others some time after their first checkpoint.
        let starts = done % 4 == 3;
        let ended = if starts {
            ends_before(&mut child, Duration::from_secs_f64(0.5 * fraction()), || false)
        } else {
            let moves = || step(&killed).is_some_and(|step| step > before);
            let time = Duration::from_secs_f64(1.5 * whole / (kills + 1) as f64 * fraction());
            ends_before(&mut child, Duration::from_secs(60), moves) || ends_before(&mut child, time, || false)
        };
        if ended {
            finish(child);
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        done += 1;
        steps.push(step(&killed).unwrap_or(0));
    }
    finish(begin());
    println!("killed {done} times; step of the checkpoint after each: {steps:?}; undisturbed {whole:.1} s");
    steps.dedup();
    assert!(steps.len() as u64 * 3 > kills, "too few kills between steps: {steps:?}");

    for name in ["last", "best"] {
        let (alone, killed) = (alone.join(name), killed.join(name));
        for file in ["weights.safetensors", "trained.safetensors", "optimizer.safetensors", "calibration.safetensors"] {
            let bytes = |folder: &Path| std::fs::read(folder.join(file)).unwrap();
            assert!(bytes(&alone) == bytes(&killed), "{name}/{file} differs");
        }
        assert_eq!(state(&alone), state(&killed), "{name}");
    }
    assert_eq!(metrics(&alone.join("metrics.jsonl")), metrics(&killed.join("metrics.jsonl")));
    let left = std::fs::read_dir(&killed).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> = left.filter(|name| name.contains("partial")).collect();
    assert!(left.is_empty(), "{left:?}");
}
