//! Whole runs: accumulation, averages, precision, sequences, explosions.

use convrnn_graph::{Parameters, Presentation};
use convrnn_models::catalogue;
use convrnn_trainer::checkpoint::TrainingCheckpoint;
use convrnn_trainer::error::{Explosion, TrainerError};
use convrnn_trainer::executor::Precision;
use convrnn_trainer::parameters::{initialize, to_f32};
use convrnn_trainer::schedule::Schedule;
use convrnn_trainer::sequence::Sequence;
use convrnn_trainer::settings::Settings;
use convrnn_trainer::training::{Event, Flow, Job, Outcome, Trainer};
use std::path::Path;

fn settings() -> Settings {
    Settings {
        // 224 to learn from, 40 that choose.
        data: "rendered:size=28,train=224,validation=40,test=40".into(),
        epochs: 2,
        batch: 32,
        learning_rate: 0.02,
        seed: 9,
        threads: 1,
        schedule: Schedule::Constant,
        ..Settings::default()
    }
}

fn start(folder: &Path, settings: Settings) -> Trainer {
    let architecture = catalogue::find("rgc-28-m4").unwrap();
    Job { architecture, presentation: Presentation::held(6), settings, folder: Some(folder.into()), start: None }
        .start()
        .unwrap()
}

fn checkpoint(run: &Path, name: &str) -> TrainingCheckpoint {
    TrainingCheckpoint::read(&run.join(name)).unwrap().0
}

fn bits(parameters: &Parameters<f32>) -> Vec<u32> {
    parameters.values.iter().flatten().map(|value| value.to_bits()).collect()
}

/// Stops the run at the given batch of those that are still to come.
fn stop_at(trainer: &mut Trainer, batch: usize) -> Outcome {
    let mut seen = 0;
    let stop = |event: &Event| {
        seen += usize::from(matches!(event, Event::Batch { .. }));
        if seen == batch { Flow::Stop } else { Flow::Continue }
    };
    let mut stop = stop;
    trainer.run(&mut stop).unwrap()
}

#[test]
fn two_batches_accumulated_are_one_of_twice_the_size() {
    let folder = tempfile::tempdir().unwrap();
    let (large, small) = (folder.path().join("large"), folder.path().join("small"));
    start(&large, settings()).run(&mut |_| Flow::Continue).unwrap();
    let halves = Settings { batch: 16, accumulate: 2, ..settings() };
    start(&small, halves).run(&mut |_| Flow::Continue).unwrap();
    let (large, small) = (checkpoint(&large, "last"), checkpoint(&small, "last"));
    assert_eq!((large.state.step, small.state.step), (14, 14), "training steps");
    let pairs = large.parameters.values.iter().flatten().zip(small.parameters.values.iter().flatten());
    let gap = pairs.map(|(large, small)| (large - small).abs()).fold(0.0, f32::max);
    assert!(gap < 1e-4, "{gap}");
    assert!((large.metrics[1].train_loss - small.metrics[1].train_loss).abs() < 1e-3);
}

#[test]
fn a_run_stopped_within_a_training_step_ends_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let (alone, stopped) = (folder.path().join("alone"), folder.path().join("stopped"));
    // 14 batches an epoch: four steps of three and one of two.
    let settings = Settings {
        batch: 16,
        accumulate: 3,
        ema_decay: Some(0.9),
        schedule: Schedule::Cosine,
        warm_up: 0.5,
        sequence: Sequence::Stream { images: 2, resets: false },
        ..settings()
    };
    start(&alone, settings.clone()).run(&mut |_| Flow::Continue).unwrap();
    let mut trainer = start(&stopped, settings);
    assert_eq!(stop_at(&mut trainer, 5), Outcome::Interrupted { epoch: 0, batch: 3 });
    drop(trainer);
    let mut trainer = Trainer::resume(&stopped).unwrap();
    // 11 batches end the first epoch; the 13th is the second of the next epoch.
    assert_eq!(stop_at(&mut trainer, 13), Outcome::Interrupted { epoch: 1, batch: 0 });
    drop(trainer);
    assert_eq!(Trainer::resume(&stopped).unwrap().run(&mut |_| Flow::Continue).unwrap(), Outcome::Finished);
    for name in ["last", "best"] {
        let (alone, stopped) = (checkpoint(&alone, name), checkpoint(&stopped, name));
        assert!(bits(&alone.parameters) == bits(&stopped.parameters), "{name}");
        assert!(bits(alone.trained.as_ref().unwrap()) == bits(stopped.trained.as_ref().unwrap()), "{name}");
        assert!(bits(&alone.velocity) == bits(&stopped.velocity), "{name}");
        assert_eq!(alone.state.step, stopped.state.step);
    }
    assert_eq!(checkpoint(&alone, "last").state.step, 10);
}

#[test]
fn with_an_average_a_checkpoint_holds_it_as_its_weights() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, averaged) = (folder.path().join("plain"), folder.path().join("averaged"));
    start(&plain, Settings { epochs: 1, ..settings() }).run(&mut |_| Flow::Continue).unwrap();
    let mut trainer = start(&averaged, Settings { epochs: 1, ema_decay: Some(0.99), ..settings() });
    assert!(bits(&checkpoint(&averaged, "last").parameters) == bits(&initialize(trainer.graph(), 9)));
    trainer.run(&mut |_| Flow::Continue).unwrap();
    let (plain, last) = (checkpoint(&plain, "last"), checkpoint(&averaged, "last"));
    assert!(bits(last.trained.as_ref().unwrap()) == bits(&plain.parameters), "training itself is the same");
    assert!(plain.trained.is_none());
    assert!(bits(&last.parameters) != bits(&plain.parameters));
    // What others read is what was measured.
    let read = convrnn_models::Checkpoint::read(&averaged.join("best")).unwrap();
    let evaluated: Vec<f32> = trainer.parameters().iter().flat_map(|tensor| to_f32(tensor).unwrap()).collect();
    assert_eq!(bits(&read.parameters), evaluated.iter().map(|value| value.to_bits()).collect::<Vec<_>>());
}

#[test]
fn every_option_learns() {
    let folder = tempfile::tempdir().unwrap();
    let more = Settings {
        data: "rendered:size=28,train=512,validation=40".into(),
        epochs: 3,
        learning_rate: 0.05,
        ..settings()
    };
    for (name, settings) in [
        ("bf16", Settings { precision: Precision::Bf16, ..more.clone() }),
        ("shift", Settings { sequence: Sequence::Shift { pixels: 0.5 }, ..more.clone() }),
        ("stream", Settings { sequence: Sequence::Stream { images: 2, resets: false }, ..more.clone() }),
    ] {
        let mut trainer = start(&folder.path().join(name), settings);
        trainer.run(&mut |_| Flow::Continue).unwrap();
        let losses: Vec<f64> = trainer.metrics().iter().map(|epoch| epoch.train_loss).collect();
        assert!(losses[2] < losses[0] - 0.02, "{name}: {losses:?}");
    }
}

fn explode(settings: Settings, run: &Path) -> Box<Explosion> {
    let mut trainer = start(run, settings);
    match trainer.run(&mut |_| Flow::Continue) {
        Err(TrainerError::Exploded(explosion)) => explosion,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_explosion_names_step_layer_and_a_checkpoint_from_before() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut settings = Settings { learning_rate: 900.0, save_every: 0.0, epochs: 5, ..settings() };
    settings.optimizer.clip = 0.0;
    let explosion = explode(settings, &run);
    assert!(explosion.is_exploded && explosion.layer.starts_with("layer"), "{explosion}");
    assert!(!explosion.magnitude.is_finite() || explosion.magnitude > 1e4, "{explosion}");
    let text = explosion.to_string();
    assert!(text.contains(&format!("exploded at step {} (epoch 1)", explosion.step)), "{text}");
    assert!(text.contains("the first to explode is"), "{text}");
    // Saved at every step, but never the weights that fail: these are good.
    assert_eq!(explosion.checkpoint, Some(run.join("last").display().to_string()));
    assert!(text.ends_with(&format!("The last good checkpoint is {}", run.join("last").display())), "{text}");
    let last = checkpoint(&run, "last");
    assert!(last.state.step + 1 < explosion.step, "{} {}", last.state.step, explosion.step);
    let mut trainer = Trainer::resume(&run).unwrap();
    let mut losses = Vec::new();
    let again = trainer.run(&mut |event| {
        if let Event::Batch { loss, .. } = event {
            losses.push(*loss);
        }
        Flow::Continue
    });
    assert!(matches!(again, Err(TrainerError::Exploded(_))), "the same again");
    assert!(losses[0].is_finite() && losses[0] < 1e3, "the saved weights give a sensible loss: {losses:?}");
}

#[test]
fn an_explosion_that_shows_on_the_validation_images_alone_is_told_too() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    // One training step an epoch: the validation images are the first to meet the new weights.
    let data = "rendered:size=28,train=32,validation=40".into();
    let mut settings = Settings { data, learning_rate: 900.0, epochs: 20, ..settings() };
    settings.optimizer.clip = 0.0;
    let explosion = explode(settings, &run);
    assert!(explosion.reason.starts_with("the loss of the validation images is"), "{explosion}");
    assert!(explosion.is_exploded, "{explosion}");
    assert_eq!(explosion.step as usize, explosion.epoch);
    assert_eq!(checkpoint(&run, "last").state.step + 1, explosion.step, "the one from before is whole");
}
