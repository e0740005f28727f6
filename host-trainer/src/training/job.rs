//! A new run: network, data, hyper-parameters, folder.

use super::data_report::data_report;
use super::resume::identities;
use super::{Start, Trainer, learnt};
use crate::checkpoint::TrainingCheckpoint;
use crate::data::source::with_decoding;
use crate::data::{SharedDataset, Source, counted};
use crate::error::{Result, TrainerError};
use crate::evaluation::{check_classes, check_fit};
use crate::initial::measured;
use crate::metrics::{RunState, STATE_FORMAT};
use crate::parameters::initialize;
use crate::run_folder;
use crate::selection::{RunImages, Selection, TEST_WARNING, load};
use crate::settings::{Settings, TrainingFile};
use convrnn_graph::quantize::ValueTypes;
use convrnn_graph::{Operation, Parameters, Presentation, StepGraph};
use convrnn_models::Architecture;
use convrnn_models::checkpoint::Description;
use std::path::PathBuf;
use std::sync::Arc;

/// Raw training frames kept in a checkpoint for quantisation.
pub(crate) const CALIBRATION_FRAMES: usize = 256;

/// What `convrnn-train train` was asked for.
#[derive(Clone, Debug)]
pub struct Job {
    /// The network.
    pub architecture: Architecture,
    /// What is on show at each step.
    pub presentation: Presentation,
    /// Hyper-parameters.
    pub settings: Settings,
    /// The run's folder, which must not exist; `runs/<name>-<number>` if not given.
    pub folder: Option<PathBuf>,
    /// The trained network to begin with, in integers; none for random weights and training in reals.
    pub start: Option<Start>,
}

/// Verifies what can be without the data: ranges, and that steps and movement fit the network.
pub fn check(graph: &StepGraph, presentation: &Presentation, settings: &Settings) -> Result<()> {
    settings.check()?;
    settings.loss.check(presentation)?;
    settings.sequence.check(presentation, graph.frame.height, graph.frame.width)
}

/// Verifies that every normalisation sees at least two values of a channel in every batch: one value is its own mean, so that
/// it would be normalised to 0 whatever it is, and has no variance.
pub(super) fn check_batches(graph: &StepGraph, settings: &Settings, images: usize) -> Result<()> {
    let smallest = settings.smallest_batch(images) / settings.sequence.images_per_run().max(1);
    let one_value = graph.nodes.iter().find(|node| {
        let is_norm = matches!(node.operation, Operation::BatchNorm(_));
        is_norm && smallest * node.shape.height * node.shape.width < 2
    });
    let Some(node) = one_value else { return Ok(()) };
    let is_rest = smallest < settings.batch;
    Err(TrainerError::Invalid {
        what: if is_rest { "--last-batch keep" } else { "--batch" },
        expected: format!("2 images or more in every batch, since {} normalises one value of each", node.name),
        found: if is_rest {
            format!("{images} images in batches of {}, one left over", settings.batch)
        } else {
            "1".into()
        },
        hint: if is_rest { "give another --batch, or --last-batch drop" } else { "give a larger --batch" }.into(),
    })
}

impl Job {
    /// Loads the data, verifies that everything fits, and creates the run's folder.
    pub fn start(self) -> Result<Trainer> {
        let Job { architecture, presentation, mut settings, folder, start } = self;
        let graph = architecture.lower()?;
        check(&graph, &presentation, &settings)?;
        if let Some(start) = &start {
            settings.data = with_decoding(&settings.data, &start.description.preprocessing.decoding);
        }
        settings.selection = settings.selection.resolve(&Source::parse(&settings.data)?)?;
        settings.check()?;
        let images = load(&settings)?;
        let RunImages { train, selection } = &images;
        check_fit(&graph, train)?;
        if let Some(selection) = selection {
            check_fit(&graph, &selection.images)?;
        }
        let mut splits = vec![("train", Arc::clone(train))];
        splits.extend(selection.iter().map(|selection| (selection.split.name(), Arc::clone(&selection.images))));
        let report = data_report(splits, &settings.data)?;
        // Everything is verified before anything is written.
        if settings.batch > train.len() {
            return Err(TrainerError::Invalid {
                what: "--batch",
                expected: format!("at most the {} to learn from", counted(train.len(), "images")),
                found: settings.batch.to_string(),
                hint: "give a smaller --batch".into(),
            });
        }
        check_batches(&graph, &settings, train.len())?;
        let ancestors = start.as_ref().map(|start| start.trained.lineage()).unwrap_or_default();
        let mut warnings = match settings.selection {
            Selection::Test => vec![TEST_WARNING.to_owned()],
            _ => Vec::new(),
        };
        warnings.extend(learnt::warning(&ancestors, &settings, &images));
        let start = match start {
            Some(start) => {
                check_classes(&graph, &start.description, train)?;
                start.types.check().map_err(|found| TrainerError::Invalid {
                    what: "integer types",
                    expected: "scales above 0".into(),
                    found,
                    hint: "calibrate again".into(),
                })?;
                settings.augmentation.resolve(&**train, &start.description.preprocessing.mean)?;
                Beginning {
                    parameters: start.parameters,
                    description: Description { presentation, ..start.description },
                    calibration: start.calibration,
                    types: Some(start.types),
                }
            }
            None => Beginning::random(&graph, train, presentation, &settings)?,
        };
        let Beginning { parameters, description, calibration, types } = start;
        let velocity = Parameters { values: parameters.values.iter().map(|values| vec![0.0; values.len()]).collect() };
        let state = RunState { format: STATE_FORMAT, seed: settings.seed, ..Default::default() };
        let folder = match folder {
            Some(path) => run_folder::create(&path)?,
            None => run_folder::create_numbered(std::path::Path::new("runs"), &architecture.name)?,
        };
        let lock = run_folder::lock(&folder)?;
        run_folder::remove_partial(&folder)?;
        // The average starts as the weights do.
        let trained = settings.ema_decay.map(|_| parameters.clone());
        let training = TrainingFile { description, warnings, images: Some(identities(&images)), ancestors, settings };
        let checkpoint = TrainingCheckpoint {
            architecture,
            training,
            parameters,
            trained,
            velocity,
            state,
            metrics: Vec::new(),
            calibration,
            types,
        };
        let mut trainer = Trainer::assemble(folder, lock, graph, checkpoint, images)?;
        trainer.report = Some(report);
        trainer.save(run_folder::LAST)?;
        Ok(trainer)
    }
}

/// What a run begins with.
struct Beginning {
    parameters: Parameters<f32>,
    description: Description,
    calibration: Vec<u8>,
    types: Option<ValueTypes>,
}

impl Beginning {
    /// Random weights, preprocessing as measured.
    fn random(
        graph: &StepGraph,
        train: &SharedDataset,
        presentation: Presentation,
        settings: &Settings,
    ) -> Result<Self> {
        let (description, calibration) = measured(graph, train, presentation, settings.seed)?;
        settings.augmentation.resolve(&**train, &description.preprocessing.mean)?;
        Ok(Self { parameters: initialize(graph, settings.seed), description, calibration, types: None })
    }
}
