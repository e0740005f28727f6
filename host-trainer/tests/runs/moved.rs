//! A run that goes on although its data have moved, and one that goes on for longer.

use super::common::{assert_same, checkpoint, finish, start, write_idx};
use convrnn_trainer::data::Split;
use convrnn_trainer::schedule::Schedule;
use convrnn_trainer::settings::Settings;
use convrnn_trainer::training::{Changes, Event, Flow, Outcome, Trainer};
use std::path::Path;

fn settings(data: String, schedule: Schedule) -> Settings {
    let (epochs, batch, learning_rate, seed, threads) = (2, 16, 0.05, 3, 1);
    Settings { data, epochs, batch, learning_rate, seed, threads, schedule, ..Settings::default() }
}

fn at_epoch(number: usize) -> impl FnMut(&Event) -> Flow {
    move |event| match event {
        Event::Epoch(metrics) if metrics.epoch == number => Flow::Stop,
        _ => Flow::Continue,
    }
}

fn moved(data: String) -> Changes {
    Changes { data: Some(data), epochs: None }
}

fn refusal(run: &Path, changes: &Changes) -> String {
    Trainer::resume_with(run, changes).err().unwrap().to_string()
}

#[test]
fn data_that_moved_are_known_again_and_others_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let source = |name: &str| format!("idx:{}", at(name).display());
    write_idx(&at("data"), 160, 40, |_, _, label| label);
    let (alone, stopped) = (at("alone"), at("stopped"));
    finish(start(&alone, settings(source("data"), Schedule::Plateau { patience: 1 })));
    let mut trainer = start(&stopped, settings(source("data"), Schedule::Plateau { patience: 1 }));
    trainer.run(&mut at_epoch(1)).unwrap();
    drop(trainer);
    std::fs::rename(at("data"), at("elsewhere")).unwrap();

    assert!(refusal(&stopped, &Changes::default()).contains("no such folder"));
    // One label of the images to learn from is another.
    write_idx(&at("other"), 160, 40, |split, index, label| match (split, index) {
        (Split::Train, 77) => (label + 1) % 10,
        _ => label,
    });
    let expected = checkpoint(&stopped, "last").training.images.unwrap().train.describe();
    let error = refusal(&stopped, &moved(source("other")));
    assert!(error.contains(&format!("expected {expected}")) && error.contains(", found "), "{error}");
    assert!(error.contains("digest ") && error.contains(&source("other")), "{error}");
    // Fewer images, other options, another kind of source.
    write_idx(&at("fewer"), 150, 40, |_, _, label| label);
    assert!(refusal(&stopped, &moved(source("fewer"))).contains("found 135 images"));
    for other in [source("elsewhere") + ",train-limit=160", "rendered".into()] {
        let error = refusal(&stopped, &moved(other));
        assert!(error.starts_with("--data: expected the data of the run in another place"), "{error}");
    }

    finish(Trainer::resume_with(&stopped, &moved(source("elsewhere"))).unwrap());
    assert_same(&alone, &stopped);
    assert_eq!(checkpoint(&stopped, "last").training.settings.data, source("elsewhere"), "known from now on");
    assert_eq!(Trainer::resume(&stopped).unwrap().run(&mut |_| Flow::Continue).unwrap(), Outcome::Finished);
}

/// Goes on for a fifth epoch by the command line, which says what becomes of the rate.
fn assert_rate_is_told(run: &Path) {
    let mut command = assert_cmd::Command::cargo_bin("convrnn-train").unwrap();
    let output = command.args(["train", "--epochs", "5", "--resume"]).arg(run).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let notes: Vec<&str> =
        said.lines().filter(|line| line.starts_with("note: the learning rate jumps up from ")).collect();
    assert!(notes.len() == 1 && notes[0].contains(" over 5 epochs from here on, not 4;"), "{said}");
}

/// With a constant rate, steps and a plateau, a run that goes on for longer is one that was started so.
#[test]
fn a_longer_run_has_the_bits_of_one_that_was_started_so() {
    let folder = tempfile::tempdir().unwrap();
    let data = || "rendered:size=28,train=80".to_owned();
    let schedules = [
        Schedule::Constant,
        Schedule::Steps { after: vec![1, 3] },
        Schedule::Plateau { patience: 1 },
        Schedule::Cosine,
    ];
    for (number, schedule) in schedules.into_iter().enumerate() {
        let (alone, longer) =
            (folder.path().join(format!("alone-{number}")), folder.path().join(format!("longer-{number}")));
        finish(start(&alone, Settings { epochs: 4, ..settings(data(), schedule.clone()) }));
        finish(start(&longer, settings(data(), schedule.clone())));
        let changes = Changes { data: None, epochs: Some(4) };
        let trainer = Trainer::resume_with(&longer, &changes).unwrap();
        let notes = trainer.notes().to_vec();
        finish(trainer);
        let rates = |run: &Path| -> Vec<f64> {
            checkpoint(run, "last").metrics.iter().map(|epoch| epoch.learning_rate).collect()
        };
        match schedule {
            Schedule::Cosine => {
                // From epoch 3 on the cosine over four epochs, whose steps are 4 an epoch; before, that over two.
                let rate = |step: f64, steps: f64| 0.05 * 0.5 * (1.0 + (std::f64::consts::PI * step / steps).cos());
                let expected = [rate(3.0, 8.0), rate(7.0, 8.0), rate(11.0, 16.0), rate(15.0, 16.0)];
                let found = rates(&longer);
                assert!(
                    found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12),
                    "{found:?}"
                );
                assert_eq!(rates(&alone)[2..], found[2..]);
                // The last step of two epochs, and the ninth of sixteen.
                let note = "the learning rate jumps up from 1.903e-3 at the last training step to 2.500e-2 at the next one, since \
                    the cosine goes over 4 epochs from here on, not 2; the result is not that of a run started with so many";
                assert_eq!(notes, [note]);
                assert!(Trainer::resume(&longer).unwrap().notes().is_empty(), "the rate goes on as it stands");
                assert_rate_is_told(&longer);
            }
            _ => {
                assert_same(&alone, &longer);
                assert!(notes.is_empty(), "{notes:?}");
            }
        }
        let error = refusal(&longer, &Changes { data: None, epochs: Some(3) });
        assert!(
            error.starts_with("--epochs: expected ")
                && error.contains(" or more, the epochs that the run has begun, found 3"),
            "{error}"
        );
    }
}
