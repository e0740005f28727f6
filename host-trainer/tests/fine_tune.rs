//! Fine-tuning in int8: what the run reports is what the exported integers answer, and it resumes to the bit.

use convrnn_graph::Presentation;
use convrnn_graph::quantize::IntegerInterpreter;
use convrnn_models::{Checkpoint, catalogue, quantization};
use convrnn_trainer::checkpoint::TrainingCheckpoint;
use convrnn_trainer::data::{BatchPlan, Batches};
use convrnn_trainer::schedule::Schedule;
use convrnn_trainer::settings::Settings;
use convrnn_trainer::training::{Event, Flow, Job, Outcome, Trainer, types_of};
use std::path::Path;
use std::sync::Arc;

fn settings() -> Settings {
    Settings {
        data: "rendered:size=28,train=256,validation=96,clutter=0,occluders=0".into(),
        epochs: 3,
        batch: 32,
        learning_rate: 0.05,
        threads: 2,
        schedule: Schedule::Constant,
        ..Settings::default()
    }
}

/// A network trained in reals.
fn trained(folder: &Path) {
    let architecture = catalogue::find("rgc-28-m4").unwrap();
    let presentation = Presentation::held(6);
    let job = Job { architecture, presentation, settings: settings(), folder: Some(folder.into()), start: None };
    job.start().unwrap().run(&mut |_| Flow::Continue).unwrap();
}

fn fine_tuned(from: &Path, folder: &Path) -> Trainer {
    let (checkpoint, start, _) = types_of(&from.join("last")).unwrap();
    let settings = Settings { quantized: true, epochs: 2, learning_rate: 0.01, ..settings() };
    let (architecture, presentation) = (checkpoint.architecture, checkpoint.description.presentation);
    Job { architecture, presentation, settings, folder: Some(folder.into()), start: Some(start) }.start().unwrap()
}

/// Share of a data set's images that the integer interpreter answers right at the last step.
fn integer_accuracy(checkpoint: &Path, trainer: &Trainer) -> f64 {
    let checkpoint = Checkpoint::read(checkpoint).unwrap();
    let quantized = quantization::as_trained(&checkpoint).expect("has types").unwrap();
    let images = &trainer.selection().unwrap().images;
    let (mut right, mut count) = (0, 0);
    for batch in Batches::new(Arc::clone(images), BatchPlan::evaluate(1)).unwrap() {
        let batch = batch.unwrap();
        let frame = quantized.frame_table.quantize(&batch.images);
        let mut interpreter = IntegerInterpreter::new(&quantized.graph);
        let steps = checkpoint.description.presentation.steps;
        let logits = (0..steps).map(|_| interpreter.step(&frame).swap_remove(quantized.graph.logits.0).values).last();
        let logits = logits.unwrap();
        let best = (0..logits.len()).rev().max_by_key(|&class| logits[class]).unwrap();
        right += usize::from(best as i64 == batch.labels[0]);
        count += 1;
    }
    f64::from(right as u32) / f64::from(count)
}

#[test]
fn the_accuracy_of_a_run_is_that_of_the_integers_it_exports() {
    let folder = tempfile::tempdir().unwrap();
    let (real, run) = (folder.path().join("real"), folder.path().join("int8"));
    trained(&real);
    let mut trainer = fine_tuned(&real, &run);
    assert_eq!(trainer.run(&mut |_| Flow::Continue).unwrap(), Outcome::Finished);
    let before = TrainingCheckpoint::read(&real.join("last")).unwrap().0;
    let after = TrainingCheckpoint::read(&run.join("last")).unwrap().0;
    assert!(before.types.is_none() && after.types.is_some());
    assert_ne!(before.parameters, after.parameters);
    assert_eq!(before.calibration, after.calibration);
    assert_eq!(before.training.description, after.training.description);
    let reported = trainer.metrics().last().unwrap().accuracy().unwrap();
    assert_eq!(integer_accuracy(&run.join("last"), &trainer), reported);
    assert!(reported > 0.2, "{reported}");
    // The loss in integers falls.
    let losses: Vec<f64> = trainer.metrics().iter().map(|metrics| metrics.train_loss).collect();
    assert!(losses[1] < losses[0], "{losses:?}");
}

#[test]
fn an_interrupted_run_ends_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let (real, whole, parts) = (folder.path().join("real"), folder.path().join("whole"), folder.path().join("parts"));
    trained(&real);
    fine_tuned(&real, &whole).run(&mut |_| Flow::Continue).unwrap();
    let mut batches = 0;
    let outcome = fine_tuned(&real, &parts).run(&mut |event| {
        batches += usize::from(matches!(event, Event::Batch { .. }));
        if batches == 5 { Flow::Stop } else { Flow::Continue }
    });
    assert_eq!(outcome.unwrap(), Outcome::Interrupted { epoch: 0, batch: 5 });
    assert_eq!(Trainer::resume(&parts).unwrap().run(&mut |_| Flow::Continue).unwrap(), Outcome::Finished);
    let read = |run: &Path| TrainingCheckpoint::read(&run.join("last")).unwrap().0;
    let (whole, parts) = (read(&whole), read(&parts));
    assert_eq!(whole.parameters, parts.parameters);
    assert_eq!(whole.velocity, parts.velocity);
    assert_eq!(whole.types, parts.types);
}

#[test]
fn a_network_with_normalisations_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let architecture = catalogue::find("resnet-28").unwrap();
    let presentation = architecture.presentation;
    let settings = Settings { data: "rendered:size=28,train=32,validation=16".into(), ..settings() };
    Job { architecture, presentation, settings, folder: Some(run.clone()), start: None }.start().unwrap();
    let error = types_of(&run.join("last")).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("resnet-28, with normalisations"), "{error}");
}
