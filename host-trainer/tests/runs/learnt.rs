//! A fine-tuned run says where its held-out images are images that its network has learnt from.

use super::common::{checkpoint, finish, start, write_idx};
use assert_cmd::Command;
use convrnn_trainer::data::Share;
use convrnn_trainer::schedule::Schedule;
use convrnn_trainer::selection::{Selection, load};
use convrnn_trainer::settings::Settings;
use std::path::Path;

fn trained(folder: &Path, run: &str, selection: Selection) {
    let settings = Settings {
        data: format!("idx:{}", folder.join("data").display()),
        epochs: 1,
        batch: 8,
        seed: 3,
        threads: 1,
        schedule: Schedule::Cosine,
        selection,
        ..Settings::default()
    };
    finish(start(&folder.join(run), settings));
}

/// What a run that learns on from another says about its held-out images, on standard error and in its file.
fn warnings(folder: &Path, run: &str, options: &[&str]) -> Vec<String> {
    let new = folder.join("new");
    let _ = std::fs::remove_dir_all(&new);
    let mut command = Command::cargo_bin("convrnn-train").unwrap();
    command.arg("fine-tune").arg(folder.join(run)).args(["--epochs", "0", "--batch", "4", "--threads", "1", "--run"]);
    let output = command.arg(&new).args(options).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{options:?}: {said}");
    let written = checkpoint(&new, "last").training.warnings;
    let about = |line: &&str| line.contains("has learnt from");
    let said: Vec<String> =
        said.lines().filter_map(|line| line.strip_prefix("warning: ")).filter(about).map(String::from).collect();
    assert_eq!(said, written, "{options:?}");
    said
}

/// How many held-out images of the new run the old one has learnt from, by their names, and how many there are.
fn counted(folder: &Path, run: &str) -> (usize, usize) {
    let images = |run: &str| load(&checkpoint(&folder.join(run), "last").training.settings).unwrap();
    let (before, now) = (images(run).train, images("new").selection.unwrap().images);
    let names: Vec<String> = (0..before.len()).map(|index| before.name(index)).collect();
    ((0..now.len()).filter(|&index| names.contains(&now.name(index))).count(), now.len())
}

#[test]
fn held_out_images_that_the_network_has_learnt_from_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for place in ["data", "elsewhere"] {
        write_idx(&folder.join(place), 40, 10, |_, _, label| label);
    }
    write_idx(&folder.join("other"), 40, 10, |_, _, label| (label + 1) % 10);
    let at = |place: &str| format!("idx:{}", folder.join(place).display());

    trained(folder, "held-out", Selection::HeldOut { share: Share::Percent(25.0), seed: None });
    let (elsewhere, other, limited) = (at("elsewhere"), at("other"), at("data") + ",train-limit=20");
    // The images that chose before, or some of them, whatever the seed and the place.
    for options in [&["--seed", "9", "--data", elsewhere.as_str()][..], &["--hold-out", "5"]] {
        assert_eq!(warnings(folder, "held-out", options), [""; 0], "{options:?}");
        assert_eq!(counted(folder, "held-out").0, 0, "{options:?}");
    }
    for options in [&["--limit", "20"][..], &["--data", limited.as_str(), "--hold-out", "50%"]] {
        let found = warnings(folder, "held-out", options);
        let (known, all) = counted(folder, "held-out");
        let expected = format!(
            "the network has learnt from {known} of the {all} held-out images, since the run that it comes from held out other \
             ones: the accuracy on them is better than that on new images; measure the best epoch on the test split \
             (`convrnn-train eval RUN --split test`)"
        );
        assert!(found == [expected] && known > 0, "{options:?}: {found:?}");
    }
    let found = warnings(folder, "held-out", &["--data", other.as_str()]);
    let expected = "whether the network has learnt from the 10 held-out images is not known";
    assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}");

    trained(folder, "last", Selection::Last);
    assert_eq!(warnings(folder, "last", &[]), [""; 0], "no images choose");
    trained(folder, "test", Selection::Test);
    for (run, options) in [("last", &["--hold-out", "10%"][..]), ("test", &[])] {
        let found = warnings(folder, run, options);
        let expected = "from 4 of the 4 held-out images, since the run that it comes from held out none";
        assert!(found.len() == 1 && found[0].contains(expected), "{run}: {found:?}");
    }
}

/// What a network has learnt from in one run it has learnt from in every run after.
#[test]
fn what_runs_before_the_last_have_learnt_from_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_idx(&folder.join("data"), 40, 10, |_, _, label| label);
    let next = |from: &str, run: &str, epochs: &str, options: &[&str]| {
        let mut command = Command::cargo_bin("convrnn-train").unwrap();
        command.arg("fine-tune").arg(folder.join(from)).args(["--epochs", epochs, "--batch", "4", "--threads", "1"]);
        let output = command.arg("--run").arg(folder.join(run)).args(options).output().unwrap();
        assert!(output.status.success(), "{run}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let ancestors = |run: &str| checkpoint(&folder.join(run), "last").training.ancestors.len();
    trained(folder, "first", Selection::Last);
    next("first", "second", "1", &["--hold-out", "10%"]);
    next("second", "third", "1", &[]);
    next("first", "idle", "0", &[]);
    next("idle", "idle-still", "0", &[]);
    assert_eq!(["first", "second", "third", "idle", "idle-still"].map(ancestors), [0, 1, 2, 1, 1]);

    let before = "a run before the one that it comes from held out none";
    for (run, options, images, reason) in [
        ("second", &["--hold-out", "20%"][..], 8, "runs that it comes from held out other ones or none"),
        ("second", &[], 4, before),
        ("third", &[], 4, before),
        ("idle", &["--hold-out", "10%"], 4, "the run that it comes from held out none"),
        ("idle-still", &["--hold-out", "10%"], 4, "the run that it comes from held out none"),
    ] {
        let found = warnings(folder, run, options);
        let expected =
            format!("the network has learnt from {images} of the {images} held-out images, since {reason}: ");
        assert!(found.len() == 1 && found[0].starts_with(&expected), "{run} {options:?}: {found:?}");
    }

    // Images that every run held out stay unknown to the network.
    trained(folder, "apart", Selection::HeldOut { share: Share::Percent(25.0), seed: None });
    next("apart", "still-apart", "1", &[]);
    assert_eq!(warnings(folder, "still-apart", &[]), [""; 0]);
    assert_eq!(ancestors("new"), 2);
}
