//! A run that is interrupted and resumed ends with the bits of a run left alone.

use convrnn_graph::{Parameters, Presentation};
use convrnn_models::catalogue;
use convrnn_trainer::checkpoint::TrainingCheckpoint;
use convrnn_trainer::data::Share;
use convrnn_trainer::schedule::Schedule;
use convrnn_trainer::selection::Selection;
use convrnn_trainer::settings::{AugmentationSettings, Settings};
use convrnn_trainer::training::{Event, Flow, Job, Outcome, Trainer};
use std::path::Path;

const EPOCHS: usize = 3;

fn settings(threads: usize) -> Settings {
    Settings {
        // 256 to learn from, 64 held out.
        data: "rendered:size=28,train=320,test=64".into(),
        selection: Selection::HeldOut { share: Share::Images(64), seed: None },
        epochs: EPOCHS,
        batch: 32,
        learning_rate: 0.05,
        seed: 9,
        threads,
        schedule: Schedule::Plateau { patience: 1 },
        augmentation: AugmentationSettings { pad: 2, ..Default::default() },
        ..Settings::default()
    }
}

fn start(folder: &Path, threads: usize) -> Trainer {
    let architecture = catalogue::find("rgc-28-m4").unwrap();
    let presentation = Presentation::held(6);
    Job { architecture, presentation, settings: settings(threads), folder: Some(folder.to_path_buf()), start: None }
        .start()
        .unwrap()
}

fn last(folder: &Path) -> TrainingCheckpoint {
    TrainingCheckpoint::read(&folder.join("last")).unwrap().0
}

fn bits(parameters: &Parameters<f32>) -> Vec<Vec<u32>> {
    parameters.values.iter().map(|tensor| tensor.iter().map(|value| value.to_bits()).collect()).collect()
}

/// Stops after the given number of batches or at the end of an epoch.
fn stop_after(trainer: &mut Trainer, batches: usize, at_epoch: bool) -> Outcome {
    let mut seen = 0;
    trainer
        .run(&mut |event| match event {
            Event::Batch { .. } => {
                seen += 1;
                if seen == batches { Flow::Stop } else { Flow::Continue }
            }
            Event::Epoch(_) if at_epoch => Flow::Stop,
            Event::Epoch(_) => Flow::Continue,
        })
        .unwrap()
}

#[test]
fn an_interrupted_run_ends_with_the_same_bits() {
    for threads in [1, 2] {
        let folder = tempfile::tempdir().unwrap();
        let alone = folder.path().join("alone");
        assert_eq!(start(&alone, threads).run(&mut |_| Flow::Continue).unwrap(), Outcome::Finished);

        let stopped = folder.path().join("stopped");
        let mut trainer = start(&stopped, threads);
        assert_eq!(stop_after(&mut trainer, 3, false), Outcome::Interrupted { epoch: 0, batch: 3 });
        drop(trainer);
        // 5 batches finish epoch 1, 8 are epoch 2: the next stop is in the middle of epoch 2.
        let mut trainer = Trainer::resume(&stopped).unwrap();
        assert_eq!(stop_after(&mut trainer, 9, false), Outcome::Interrupted { epoch: 1, batch: 4 });
        drop(trainer);
        let mut trainer = Trainer::resume(&stopped).unwrap();
        assert_eq!(stop_after(&mut trainer, usize::MAX, true), Outcome::Interrupted { epoch: 2, batch: 0 });
        drop(trainer);
        let mut trainer = Trainer::resume(&stopped).unwrap();
        assert_eq!(trainer.run(&mut |_| Flow::Continue).unwrap(), Outcome::Finished);

        for run in [&alone, &stopped] {
            let events = std::fs::read_dir(run.join("tensorboard")).unwrap().count();
            assert_eq!(events, EPOCHS, "one event file an epoch");
            let summary = std::fs::read_to_string(run.join("summary.csv")).unwrap();
            assert_eq!(summary.lines().count(), 1 + EPOCHS);
        }
        let (alone, stopped) = (last(&alone), last(&stopped));
        assert_eq!(bits(&alone.parameters), bits(&stopped.parameters), "weights, {threads} threads");
        assert_eq!(bits(&alone.velocity), bits(&stopped.velocity), "momentum, {threads} threads");
        assert_eq!(alone.state.schedule, stopped.state.schedule);
        assert_eq!(alone.metrics.len(), EPOCHS);
        for (alone, stopped) in alone.metrics.iter().zip(&stopped.metrics) {
            assert_eq!(alone.train_loss.to_bits(), stopped.train_loss.to_bits(), "epoch {}", alone.epoch);
            assert_eq!(alone.measured, stopped.measured);
            assert_eq!(alone.state_norms, stopped.state_norms);
        }
        assert!(alone.metrics[2].train_loss < alone.metrics[0].train_loss, "it learns");
        assert_ne!(alone.velocity.values[0], vec![0.0; alone.velocity.values[0].len()]);
    }
}

#[test]
fn a_checkpoint_left_half_written_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut trainer = start(&run, 1);
    stop_after(&mut trainer, 2, false);
    drop(trainer);
    let before = last(&run);
    // What a crash leaves: a partial directory, and (where directories cannot be exchanged) the
    // previous checkpoint put aside.
    std::fs::create_dir(run.join(".last.partial-1")).unwrap();
    std::fs::write(run.join(".last.partial-1/weights.safetensors"), b"torn").unwrap();
    std::fs::rename(run.join("last"), run.join(".last.previous")).unwrap();
    let trainer = Trainer::resume(&run).unwrap();
    assert_eq!(trainer.state().step, 2);
    assert_eq!(bits(&last(&run).parameters), bits(&before.parameters));
    assert!(!run.join(".last.partial-1").exists(), "what was torn is removed");
    let error = Trainer::resume(&run).err().unwrap().to_string();
    assert!(error.contains("another program trains in this run folder"), "{error}");
}

#[test]
fn a_run_folder_that_exists_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let architecture = catalogue::find("rgc-28-m4").unwrap();
    let job = Job {
        presentation: architecture.presentation,
        architecture,
        settings: settings(1),
        folder: Some(folder.path().into()),
        start: None,
    };
    let error = job.start().err().unwrap().to_string();
    assert!(error.contains("exists already"), "{error}");
}

#[test]
fn an_exploding_run_names_step_and_layer_and_keeps_the_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut settings = settings(1);
    settings.learning_rate = 900.0;
    settings.optimizer.clip = 0.0;
    let architecture = catalogue::find("rgc-28-m4").unwrap();
    let mut trainer =
        Job { presentation: Presentation::held(6), architecture, settings, folder: Some(run.clone()), start: None }
            .start()
            .unwrap();
    let error = trainer.run(&mut |_| Flow::Continue).unwrap_err().to_string();
    assert!(error.contains("exploded at step ") && error.contains(" of layer"), "{error}");
    assert!(error.contains("lower --learning-rate"), "{error}");
    assert_eq!(last(&run).state.step, 0, "the checkpoint from before is whole");
}
