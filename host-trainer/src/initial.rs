//! Untrained checkpoints: seeded weights, before any training.

use crate::checkpoint::TrainingCheckpoint;
use crate::data::random::{Purpose, Stream};
use crate::data::{FolderOptions, SharedDataset, Source, Split, Subset};
use crate::error::Result;
use crate::evaluation::check_fit;
use crate::metrics::{RunState, STATE_FORMAT};
use crate::parameters::initialize;
use crate::selection::{Selection, divide};
use crate::settings::{Settings, TrainingFile};
use convrnn_graph::{Parameters, Presentation, Shape, StepGraph};
use convrnn_models::checkpoint::Description;
use convrnn_models::{Architecture, Preprocessing};
use std::sync::Arc;

/// Mean and standard deviation of pixel / 255 where there are no data: pixels become values from -1 to 1.
const NEUTRAL: (f32, f32) = (0.5, 0.5);
/// Frames of random pixels that stand for calibration frames where there are no data.
const NOISE_FRAMES: usize = 16;

/// The checkpoint from which training would start. `settings` say the seed and, where they name data, the images that
/// preprocessing is measured on: all of them, since nothing chooses. Without data preprocessing is neutral, classes are
/// called by their number, and the calibration frames are random pixels: good for sizes and costs of an int8 program, not
/// for its answers.
///
/// # Errors
/// An architecture without a graph; data that cannot be read or do not fit it.
pub fn untrained(
    architecture: Architecture,
    presentation: Presentation,
    settings: Settings,
) -> Result<(StepGraph, TrainingCheckpoint)> {
    let graph = architecture.lower()?;
    crate::training::check(&graph, &presentation, &settings)?;
    let (description, calibration) = match settings.data.is_empty() {
        true => neutral(&graph, presentation, settings.seed),
        false => {
            // Nothing chooses, so that nothing is held out.
            let whole = Source::parse(&settings.data)?.load(Split::Train)?;
            let (train, _) = divide(whole, &settings, Selection::Last)?;
            check_fit(&graph, &train)?;
            measured(&graph, &train, presentation, settings.seed)?
        }
    };
    let parameters = initialize(&graph, settings.seed);
    let zeros = |values: &Vec<f32>| vec![0.0; values.len()];
    let velocity = Parameters { values: parameters.values.iter().map(zeros).collect() };
    let state = RunState { format: STATE_FORMAT, seed: settings.seed, ..Default::default() };
    let checkpoint = TrainingCheckpoint {
        architecture,
        trained: settings.ema_decay.map(|_| parameters.clone()),
        training: TrainingFile { description, warnings: Vec::new(), images: None, ancestors: Vec::new(), settings },
        parameters,
        velocity,
        state,
        metrics: Vec::new(),
        calibration,
        types: None,
    };
    Ok((graph, checkpoint))
}

/// Preprocessing as measured, and training frames for quantisation.
///
/// # Errors
/// Images that cannot be read.
pub fn measured(
    graph: &StepGraph,
    train: &SharedDataset,
    presentation: Presentation,
    seed: u64,
) -> Result<(Description, Vec<u8>)> {
    let statistics = crate::data::channel_statistics(&**train)?;
    let (mean, standard_deviation) = (statistics.mean, statistics.standard_deviation);
    let preprocessing = Preprocessing { decoding: train.decoding(), ..preprocessing(graph, mean, standard_deviation) };
    let description = Description { class_names: train.class_names().to_vec(), preprocessing, presentation };
    let count = crate::training::CALIBRATION_FRAMES.min(train.len());
    let chosen: SharedDataset = Arc::new(Subset::stratified(Arc::clone(train), count, seed)?);
    let mut calibration = Vec::with_capacity(count * graph.frame.elements());
    for index in 0..count {
        calibration.extend(chosen.image(index)?.pixels);
    }
    Ok((description, calibration))
}

fn neutral(graph: &StepGraph, presentation: Presentation, seed: u64) -> (Description, Vec<u8>) {
    let channels = graph.frame.channels;
    let preprocessing = preprocessing(graph, vec![NEUTRAL.0; channels], vec![NEUTRAL.1; channels]);
    // Without a record it would be a checkpoint from before there was a choice.
    let preprocessing = Preprocessing { decoding: FolderOptions::default().decoding, ..preprocessing };
    let class_names = (0..graph.classes()).map(|class| class.to_string()).collect();
    let mut stream = Stream::new(seed, Purpose::Subset, 2, 0);
    let calibration = (0..NOISE_FRAMES * graph.frame.elements()).map(|_| stream.below(256) as u8).collect();
    (Description { class_names, preprocessing, presentation }, calibration)
}

fn preprocessing(graph: &StepGraph, mean: Vec<f32>, standard_deviation: Vec<f32>) -> Preprocessing {
    let Shape { channels, height, width } = graph.frame;
    Preprocessing { channels, height, width, mean, standard_deviation, decoding: Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convrnn_models::{Checkpoint, catalogue};

    fn written(data: &str, seed: u64) -> Checkpoint {
        let architecture = catalogue::find("rgc-28-m4").unwrap();
        let presentation = architecture.presentation;
        let settings = Settings { data: data.into(), seed, ..Settings::default() };
        let (graph, checkpoint) = untrained(architecture, presentation, settings).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("untrained");
        checkpoint.write(&graph, &path).unwrap();
        let frames = convrnn_models::checkpoint::read_calibration(
            &path.join(convrnn_models::checkpoint::names::CALIBRATION),
            &checkpoint.training.description.preprocessing,
        );
        assert!(frames.unwrap().len() >= NOISE_FRAMES);
        Checkpoint::read(&path).unwrap()
    }

    #[test]
    fn without_data_preprocessing_is_neutral_and_weights_are_of_the_seed() {
        let checkpoint = written("", 3);
        let preprocessing = &checkpoint.description.preprocessing;
        assert_eq!([preprocessing.value(0, 0), preprocessing.value(0, 255)], [-1.0, 1.0]);
        assert_eq!(checkpoint.description.class_names[9], "9");
        // Image files are read as by a run of today, not as by one from before there was a choice.
        assert_eq!(preprocessing.decoding, FolderOptions::default().decoding);
        assert!(!preprocessing.decoding.is_plain());
        assert_eq!(checkpoint.parameters, initialize(&checkpoint.graph, 3));
        assert_ne!(checkpoint.parameters, written("", 4).parameters);
    }

    /// None of one image a class could be held out.
    #[test]
    fn one_image_of_a_class_is_enough() {
        let architecture = catalogue::find("rgc-28-m4").unwrap();
        let presentation = architecture.presentation;
        let settings = Settings { data: "rendered:size=28,train=10,test=10".into(), ..Settings::default() };
        let (graph, checkpoint) = untrained(architecture, presentation, settings).unwrap();
        assert_eq!(checkpoint.calibration.len(), 10 * graph.frame.elements(), "every image is looked at");
    }

    #[test]
    fn with_data_it_is_what_training_starts_from() {
        let data = "rendered:size=28,train=40,test=10";
        let checkpoint = written(data, 3);
        let train = Source::parse(data).unwrap().load(Split::Train).unwrap();
        // Nothing chooses, and nothing is held out.
        let statistics = crate::data::channel_statistics(&*train).unwrap();
        assert_eq!(checkpoint.description.preprocessing.mean, statistics.mean);
        assert_eq!(checkpoint.description.class_names, train.class_names());
        assert_eq!(checkpoint.parameters, initialize(&checkpoint.graph, 3));
    }
}
