//! Training from an archive, killed in mid-epoch: it goes on with the same images in the same order. `cargo xtask bench
//! archive` does the same with 1.28 million images.
#![cfg(unix)]

#[path = "archive/steps.rs"]
mod steps;

use std::process::Command;

use steps::{Weights, make, run_until};

#[test]
fn a_run_from_an_archive_goes_on_with_the_same_images_in_the_same_order() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("set.tar");
    make(&archive, 900, 30).unwrap();
    let program = || {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("convrnn-train"));
        command.arg("train").env("XDG_CACHE_HOME", folder.path().join("cache"));
        command
    };
    let start = |run: &std::path::Path| {
        let mut command = program();
        let data = format!("folder:{},channels=1,size=28,decode=lazy", archive.display());
        command.args(["--architecture", "ff-28", "--classes", "30", "--batch", "8", "--epochs", "1"]);
        command.args(["--threads", "1", "--save-every", "0", "--shift", "2", "--data", &data, "--run"]).arg(run);
        command
    };
    let (alone, killed) = (folder.path().join("alone"), folder.path().join("killed"));
    let (mut whole, mut before, mut after) = (Weights::new(), Weights::new(), Weights::new());
    run_until(&mut start(&alone), &alone, 50, &mut whole).unwrap();
    run_until(&mut start(&killed), &killed, 15, &mut before).unwrap();
    let last = *before.keys().last().unwrap();
    run_until(program().arg("--resume").arg(&killed), &killed, 50, &mut after).unwrap();
    let resumed: Vec<u64> = after.keys().copied().filter(|&step| step > last && whole.contains_key(&step)).collect();
    assert!(resumed.len() >= 5, "{whole:?} {before:?} {after:?}");
    for step in resumed {
        assert_eq!(whole[&step], after[&step], "step {step}");
    }
}
