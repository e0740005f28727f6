//! Memory that runs out while training, provoked by a limit on the address space.

use std::process::Command;

/// 8,192 channels of 28 x 28 at every time step: 26 MB an image and step, and 3 GB for a batch of 128, where the program may have
/// 4 GiB with all its libraries.
const WIDE: &str = "name = \"wide\"\ninput = { channels = 1, height = 28, width = 28 }\npresentation = { steps = 3, image_steps = 3 }\n\
    [[layer]]\nconvolution = { kernel = 3, channels = 8192 }\n\
    [[layer]]\nconvolution = { kernel = 1, channels = 10 }\nactivation = \"none\"\naverage = \"after\"\n";

#[test]
fn out_of_memory_says_what_to_make_smaller() {
    let folder = tempfile::tempdir().unwrap();
    let architecture = folder.path().join("wide.toml");
    std::fs::write(&architecture, WIDE).unwrap();
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 4194304 && exec \"$@\"", "sh"])
        .arg(assert_cmd::cargo::cargo_bin!("convrnn-train"))
        .args(["train", "--data", "rendered:size=28,train=150", "--epochs", "1", "--threads", "1", "--architecture"])
        .arg(&architecture)
        .arg("--run")
        .arg(folder.path().join("run"))
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    let last = error.lines().last().unwrap();
    assert!(last.starts_with("error: out of memory: libtorch found no room for "), "{error}");
    // 128 images of 8,192 x 28 x 28 values of 4 bytes.
    assert!(last.contains(" 3288334336 bytes in main memory"), "{error}");
    for option in ["--batch", "--accumulate", "--steps", "image size", "channels", "--threads"] {
        assert!(last.contains(option), "{option}: {error}");
    }
}

/// Where there is no room for a tensor that a number is handed to libtorch with, its binding panics; a user sees the same error.
#[test]
fn out_of_memory_that_panics_inside_libtorch_is_no_other_error() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 1500000 && exec \"$@\"", "sh"])
        .arg(assert_cmd::cargo::cargo_bin!("convrnn-train"))
        .args(["train", "--architecture", "rgc-28", "--data", "rendered:train=6000,test=50", "--epochs", "1"])
        .args(["--batch", "4096", "--threads", "1", "--run"])
        .arg(folder.path().join("run"))
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(!error.contains("panicked") && !error.contains("backtrace"), "{error}");
    let last = error.lines().last().unwrap();
    assert!(last.starts_with("error: out of memory: libtorch found no room for "), "{error}");
    assert!(last.contains(" bytes in main memory; ") && last.contains("give a smaller --batch"), "{error}");
}
