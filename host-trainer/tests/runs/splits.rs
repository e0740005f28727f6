//! Image folders whose splits do not fit each other.

use super::common::start;
use convrnn_graph::Presentation;
use convrnn_models::catalogue;
use convrnn_trainer::data::{DataReport, Share};
use convrnn_trainer::schedule::Schedule;
use convrnn_trainer::selection::Selection;
use convrnn_trainer::settings::Settings;
use convrnn_trainer::training::Job;
use std::path::Path;

/// Writes gray images of ten classes to learn from, each of another level, and two of one class to test on.
fn write_images(folder: &Path) {
    let write = |place: String, level: u8| {
        let path = folder.join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let picture = image::GrayImage::from_fn(28, 28, |x, y| image::Luma([level.wrapping_add((x * y) as u8)]));
        picture.save(path).unwrap();
    };
    for number in 0..40u8 {
        write(format!("train/class-{}/{number}.png", number % 10), 3 * number);
    }
    for number in 0..2u8 {
        write(format!("test/class-0/{number}.png"), 200 + number);
    }
}

fn settings(folder: &Path) -> Settings {
    let data = format!("folder:{},size=28,channels=1", folder.display());
    Settings { data, batch: 8, threads: 1, schedule: Schedule::Cosine, ..Settings::default() }
}

#[test]
fn classes_of_the_test_split_alone_are_named_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    write_images(&images);
    std::fs::create_dir_all(images.join("test/cow")).unwrap();
    std::fs::rename(images.join("test/class-0/1.png"), images.join("test/cow/1.png")).unwrap();
    let trainer = start(&folder.path().join("run"), settings(&images));
    let warnings = &trainer.data_report().unwrap().warnings;
    let found: Vec<&String> = warnings.iter().filter(|warning| warning.contains("test")).collect();
    let [warning] = found[..] else { panic!("{warnings:?}") };
    assert!(
        warning.contains("the test split cannot be used: expected only classes of the training split (10 classes), found 1 more: `cow`")
            && warning.contains("take it out of the test split")
            && !warning.contains("no `test` split"),
        "{warning}"
    );
}

#[test]
fn a_validation_split_that_chooses_nothing_is_counted_and_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    write_images(&images);
    std::fs::create_dir_all(images.join("val/class-3")).unwrap();
    std::fs::rename(images.join("test/class-0/1.png"), images.join("val/class-3/1.png")).unwrap();
    let report =
        |settings: Settings, run: &str| start(&folder.path().join(run), settings).data_report().unwrap().clone();
    let split = |report: &DataReport, name: &str| {
        report.splits.iter().find(|split| split.split == name).map(|split| split.images)
    };
    let told = |report: &DataReport| report.warnings.iter().any(|warning| warning.contains("chooses nothing here"));
    let chooses = report(settings(&images), "chooses");
    assert!(split(&chooses, "validation") == Some(1) && split(&chooses, "held-out").is_none() && !told(&chooses));
    let selection = Selection::HeldOut { share: Share::Images(10), seed: None };
    let held_out = report(Settings { selection, ..settings(&images) }, "held-out");
    assert!(split(&held_out, "validation") == Some(1) && split(&held_out, "held-out") == Some(10) && told(&held_out));
}

#[test]
fn two_folders_of_one_split_are_refused_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    write_images(&images);
    std::fs::create_dir_all(images.join("testing")).unwrap();
    std::fs::rename(images.join("train/class-0"), images.join("testing/class-0")).unwrap();
    let run = folder.path().join("run");
    let architecture = catalogue::find("rgc-28-m4").unwrap();
    let (presentation, settings) = (Presentation::held(6), settings(&images));
    let job = Job { architecture, presentation, settings, folder: Some(run.clone()), start: None };
    let error = job.start().err().unwrap().to_string();
    assert!(
        error.contains("the test split: expected one folder, found `test` with 2 images and `testing` with 4 images"),
        "{error}"
    );
    assert!(!run.exists(), "nothing is begun");
}
