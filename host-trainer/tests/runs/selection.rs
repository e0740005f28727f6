//! Which images choose the best epoch: never those of the test split, unless a user says so.

use super::common::{assert_same, checkpoint, finish, start, write_idx};
use convrnn_models::checkpoint::names;
use convrnn_trainer::data::{Share, Split};
use convrnn_trainer::schedule::Schedule;
use convrnn_trainer::selection::{EARLIER_WARNING, MeasuredSplit, Selection, TEST_WARNING};
use convrnn_trainer::settings::{Settings, TrainingFile};
use convrnn_trainer::training::{Event, Flow, Trainer};
use std::path::Path;

fn settings(data: &Path) -> Settings {
    Settings {
        data: format!("idx:{}", data.display()),
        epochs: 4,
        batch: 16,
        learning_rate: 0.1,
        seed: 3,
        threads: 1,
        // Steered by the accuracy that is measured.
        schedule: Schedule::Plateau { patience: 1 },
        ..Settings::default()
    }
}

#[test]
fn the_best_epoch_and_the_learning_rate_do_not_depend_on_test_images() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_idx(&at("right"), 160, 40, |_, _, label| label);
    write_idx(&at("permuted"), 160, 40, |split, _, label| if split == Split::Test { (label + 3) % 10 } else { label });
    write_idx(&at("absent"), 160, 40, |_, _, label| label);
    for kind in ["images-idx3", "labels-idx1"] {
        std::fs::remove_file(at("absent").join(format!("t10k-{kind}-ubyte"))).unwrap();
    }
    for name in ["right", "permuted", "absent"] {
        finish(start(&at(&format!("run-{name}")), settings(&at(name))));
    }
    assert_same(&at("run-right"), &at("run-permuted"));
    assert_same(&at("run-right"), &at("run-absent"));
    let run = checkpoint(&at("run-right"), "best");
    assert_eq!(run.training.settings.selection, Selection::HeldOut { share: Share::Percent(10.0), seed: None });
    let images = run.training.images.unwrap();
    assert_eq!((images.train.images, images.selection.unwrap().images), (144, 16));
    assert!(run.training.warnings.is_empty());
    let last = checkpoint(&at("run-right"), "last");
    let measured = last.metrics[0].measured.as_ref().unwrap();
    assert_eq!(measured.split, MeasuredSplit::HeldOut);
    assert_eq!(last.state.best(&last.metrics).unwrap().epoch, run.state.epoch, "`best` holds the best epoch");
    assert!(last.state.schedule.best_error.is_some_and(|error| error <= 1.0 - measured.accuracy));
}

#[test]
fn a_user_may_choose_on_test_images_and_is_warned_in_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_idx(&at("right"), 160, 40, |_, _, label| label);
    write_idx(&at("permuted"), 160, 40, |split, _, label| if split == Split::Test { (label + 3) % 10 } else { label });
    for name in ["right", "permuted"] {
        let settings = Settings { selection: Selection::Test, epochs: 1, ..settings(&at(name)) };
        finish(start(&at(&format!("run-{name}")), settings));
    }
    let accuracy = |run: &str| checkpoint(&at(run), "best").metrics[0].measured.clone().unwrap();
    assert_eq!(accuracy("run-right").split, MeasuredSplit::Test);
    assert_ne!(accuracy("run-right").loss, accuracy("run-permuted").loss, "they do choose");
    let training = checkpoint(&at("run-right"), "last").training;
    assert_eq!(training.warnings, [TEST_WARNING]);
    assert_eq!(training.images.unwrap().train.images, 160, "nothing is held out");
}

/// Without images that choose, the last epoch is the best, and nothing is measured.
#[test]
fn without_images_that_choose_the_last_epoch_is_the_best() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let settings = Settings {
        data: "rendered:size=28,train=64".into(),
        selection: Selection::Automatic { hold_out: Share::Images(0) },
        schedule: Schedule::Constant,
        epochs: 2,
        ..settings(Path::new(""))
    };
    finish(start(&run, settings));
    let (last, best) = (checkpoint(&run, "last"), checkpoint(&run, "best"));
    assert_eq!((best.state.epoch, &best.parameters), (2, &last.parameters));
    assert_eq!(last.training.settings.selection, Selection::Last);
    assert!(last.metrics.iter().all(|epoch| epoch.measured.is_none() && !epoch.state_norms.is_empty()));
    let summary = std::fs::read_to_string(run.join("summary.csv")).unwrap();
    assert!(!summary.contains("accuracy_step") && summary.contains("train_accuracy"), "{summary}");
}

/// Writes the training file of a checkpoint as versions did that had `hold_out` and chose on test images without it.
fn write_as_earlier(run: &Path, hold_out: usize) {
    for name in ["last", "best"] {
        let path = run.join(name).join(names::TRAINING);
        if !path.exists() {
            continue;
        }
        let mut file: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        file.remove("images");
        file.remove("warnings");
        let settings = file["settings"].as_table_mut().unwrap();
        settings.remove("selection").unwrap();
        settings.remove("last_batch").unwrap();
        settings.insert("hold_out".into(), (hold_out as i64).into());
        std::fs::write(&path, toml::to_string(&file).unwrap()).unwrap();
    }
}

#[test]
fn a_run_of_an_earlier_version_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_idx(&at("data"), 160, 40, |_, _, label| label);
    for (hold_out, selection) in [(0, Selection::Test), (32, Selection::HeldOutAtRandom { images: 32 })] {
        let settings = Settings { selection, epochs: 2, ..settings(&at("data")) };
        let (alone, stopped) = (at(&format!("alone-{hold_out}")), at(&format!("stopped-{hold_out}")));
        finish(start(&alone, settings.clone()));
        let mut trainer = start(&stopped, settings);
        // In the middle of the second epoch.
        let mut batches = 0;
        let stop = &mut |event: &Event| {
            batches += usize::from(matches!(event, Event::Batch { .. }));
            if batches == 13 { Flow::Stop } else { Flow::Continue }
        };
        trainer.run(stop).unwrap();
        drop(trainer);
        write_as_earlier(&stopped, hold_out);
        let trainer = Trainer::resume(&stopped).unwrap();
        let warnings: &[&str] = if hold_out == 0 { &[EARLIER_WARNING] } else { &[] };
        assert_eq!(trainer.training().warnings, warnings);
        finish(trainer);
        assert_same(&alone, &stopped);
        let file = TrainingFile::read(&stopped.join("last").join(names::TRAINING)).unwrap();
        assert_eq!(file.settings.selection, selection, "written in the words of today");
    }
}
