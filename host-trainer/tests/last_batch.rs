//! Images that are too few for a whole batch.

mod common;

use common::{checkpoint, finish, start};
use convrnn_models::Architecture;
use convrnn_trainer::schedule::Schedule;
use convrnn_trainer::settings::{LastBatch, Settings};
use convrnn_trainer::training::Job;

fn settings() -> Settings {
    Settings {
        data: "rendered:size=28,train=40,validation=20".into(),
        epochs: 1,
        batch: 16,
        learning_rate: 0.05,
        threads: 1,
        schedule: Schedule::Constant,
        ..Settings::default()
    }
}

/// 40 images in batches of 16: two training steps, or three with the 8 that are left over. One step of all three batches has the
/// gradient of all 40 images, each counted once.
#[test]
fn a_last_batch_is_left_out_or_counts_by_its_images() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, settings: Settings| {
        let run = folder.path().join(name);
        finish(start(&run, settings));
        checkpoint(&run, "last")
    };
    let keep = Settings { last_batch: LastBatch::Keep, ..settings() };
    assert_eq!(run("drop", settings()).state.step, 2);
    let kept = run("keep", keep.clone());
    assert_eq!((kept.state.step, kept.training.settings.last_batch), (3, LastBatch::Keep));
    let summed = run("summed", Settings { accumulate: 3, ..keep });
    let whole = run("whole", Settings { batch: 40, ..settings() });
    assert_eq!((summed.state.step, whole.state.step), (1, 1));
    let (mut gap, mut moved) = (0f32, 0f32);
    for ((summed, whole), velocity) in
        summed.parameters.values.iter().zip(&whole.parameters.values).zip(&whole.velocity.values)
    {
        gap = summed.iter().zip(whole).map(|(left, right)| (left - right).abs()).fold(gap, f32::max);
        moved = velocity.iter().map(|value| value.abs()).fold(moved, f32::max);
    }
    assert!(moved > 1e-2 && gap < 1e-5 * moved.max(1.0), "{gap} of {moved}");
    assert!((summed.metrics[0].train_loss - whole.metrics[0].train_loss).abs() < 1e-6, "a mean over images");
}

/// A normalisation of one value is refused before anything is written; of one image with several positions it is trained.
#[test]
fn one_image_left_over_and_batch_normalisation() {
    let folder = tempfile::tempdir().unwrap();
    let net = |kernel: usize| {
        let text = format!(
            "name = \"norm\"\ninput = {{ channels = 1, height = 16, width = 16 }}\npresentation = {{ steps = 2 }}\n\
             [[layer]]\nconvolution = {{ kernel = {kernel}, channels = 4, norm = \"batch\", padding = \"valid\" }}\n\
             [[layer]]\nconvolution = {{ kernel = 1, channels = 10 }}\nactivation = \"none\"\naverage = \"after\"\n"
        );
        Architecture::parse(&text, "norm").unwrap_or_else(|error| panic!("{error}"))
    };
    let start = |kernel: usize, train: usize, batch: usize, name: &str| {
        let architecture = net(kernel);
        let presentation = architecture.presentation;
        let data = format!("rendered:size=16,train={train},validation=20");
        let settings = Settings { data, batch, last_batch: LastBatch::Keep, ..settings() };
        let folder = folder.path().join(name);
        let job = Job { architecture, presentation, settings, folder: Some(folder.clone()), start: None };
        (job.start(), folder)
    };
    let (refused, run) = start(16, 33, 16, "refused");
    let error = refused.err().unwrap().to_string();
    assert!(error.starts_with("--last-batch keep: expected 2 images or more in every batch"), "{error}");
    assert!(error.contains("layer1.norm") && error.contains("33 images in batches of 16, one left over"), "{error}");
    assert!(!run.exists());
    let error = start(16, 33, 1, "one").0.err().unwrap().to_string();
    assert!(error.starts_with("--batch: expected 2 images or more"), "{error}");
    // Two values a channel: as PyTorch trains it.
    finish(start(16, 34, 16, "two").0.unwrap());
    let (trainer, run) = start(15, 33, 16, "positions");
    finish(trainer.unwrap());
    let last = checkpoint(&run, "last");
    assert_eq!(last.state.step, 3);
    assert!(last.parameters.values.iter().flatten().all(|value| value.is_finite()));
}
