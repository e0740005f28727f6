//! What several tests of whole runs need: IDX folders, runs, bits.

use convrnn_graph::{Parameters, Presentation};
use convrnn_models::catalogue;
use convrnn_trainer::checkpoint::TrainingCheckpoint;
use convrnn_trainer::data::{Dataset, RenderedOptions, Split};
use convrnn_trainer::settings::Settings;
use convrnn_trainer::training::{Flow, Job, Outcome, Trainer};
use std::path::Path;

/// Writes the four IDX files of a set of `train` and `test` rendered images. `relabel` changes labels by split, place and label.
pub fn write_idx(folder: &Path, train: usize, test: usize, relabel: impl Fn(Split, usize, u8) -> u8) {
    std::fs::create_dir_all(folder).unwrap();
    let options = RenderedOptions { train, test, clutter: 0, occluders: 0, ..RenderedOptions::default() };
    for (split, prefix) in [(Split::Train, "train"), (Split::Test, "t10k")] {
        let images = options.render(split).unwrap();
        let count = (images.len() as u32).to_be_bytes();
        let side = 28u32.to_be_bytes();
        let pixels = [&[0, 0, 8, 3], &count[..], &side, &side, images.pixels()].concat();
        let labels = (0..images.len()).map(|index| relabel(split, index, images.label(index) as u8));
        let labels = [&[0, 0, 8, 1], &count[..], &labels.collect::<Vec<u8>>()].concat();
        std::fs::write(folder.join(format!("{prefix}-images-idx3-ubyte")), pixels).unwrap();
        std::fs::write(folder.join(format!("{prefix}-labels-idx1-ubyte")), labels).unwrap();
    }
}

/// Starts a run of a small net with these settings.
pub fn start(folder: &Path, settings: Settings) -> Trainer {
    let architecture = catalogue::find("rgc-28-m4").unwrap();
    Job { architecture, presentation: Presentation::held(6), settings, folder: Some(folder.into()), start: None }
        .start()
        .unwrap()
}

/// Trains to the end.
pub fn finish(mut trainer: Trainer) {
    assert_eq!(trainer.run(&mut |_| Flow::Continue).unwrap(), Outcome::Finished);
}

/// A checkpoint of a run.
pub fn checkpoint(run: &Path, name: &str) -> TrainingCheckpoint {
    TrainingCheckpoint::read(&run.join(name)).unwrap().0
}

/// Every value as it is stored.
pub fn bits(parameters: &Parameters<f32>) -> Vec<u32> {
    parameters.values.iter().flatten().map(|value| value.to_bits()).collect()
}

/// Verifies that two runs have the same weights, velocities, schedule and figures in both checkpoints.
pub fn assert_same(left: &Path, right: &Path) {
    for name in ["last", "best"] {
        let (left, right) = (checkpoint(left, name), checkpoint(right, name));
        assert_eq!(left.state.step, right.state.step, "{name}");
        assert!(bits(&left.parameters) == bits(&right.parameters), "{name}: weights");
        assert!(bits(&left.velocity) == bits(&right.velocity), "{name}: velocities");
        assert_eq!(left.state.schedule, right.state.schedule, "{name}");
        let figures = |checkpoint: &TrainingCheckpoint| -> Vec<_> {
            let of = |epoch: &convrnn_trainer::metrics::EpochMetrics| (epoch.train_loss, epoch.measured.clone());
            checkpoint.metrics.iter().map(of).collect()
        };
        assert_eq!(figures(&left), figures(&right), "{name}");
    }
}
