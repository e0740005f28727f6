//! `training.toml`: what inference needs, and the hyper-parameters.

use super::Settings;
use crate::data::Identity;
use crate::data::source::with_decoding;
use crate::error::{Result, TrainerError};
use crate::selection::{EARLIER_WARNING, Selection};
use convrnn_models::checkpoint::Description;
use serde::{Deserialize, Serialize};
use std::path::Path;
use toml::Table;

/// The whole of `training.toml`: what inference needs and what the trainer was told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingFile {
    /// Class names, preprocessing, presentation.
    #[serde(flatten)]
    pub description: Description,
    /// What a reader of the run's figures must know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The images of the run, to know them again when their files have moved; runs of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<ImageIdentities>,
    /// What the network had learnt from before this run began, the first run first; none in runs of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<Ancestor>,
    /// Hyper-parameters.
    pub settings: Settings,
}

/// A run whose network another run began with: what says which images it learnt from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ancestor {
    /// Its data set, as after `--data`, with how image files were decoded.
    pub data: String,
    /// Training images that it used; all if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Names the draw of held-out images.
    pub seed: u64,
    /// Which images chose.
    pub selection: Selection,
    /// Its images, to know them again; runs of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<ImageIdentities>,
}

/// What tells the images of a run from others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageIdentities {
    /// Images that are learnt from.
    pub train: Identity,
    /// Images that choose, where any do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<Identity>,
}

impl TrainingFile {
    /// All runs that a network has learnt in, this one included, the first run first. A run of no epochs teaches nothing, but
    /// its network keeps what it had learnt before.
    pub fn lineage(&self) -> Vec<Ancestor> {
        let mut lineage = self.ancestors.clone();
        let Settings { data, limit, seed, selection, epochs, .. } = &self.settings;
        let own = Ancestor {
            data: with_decoding(data, &self.description.preprocessing.decoding),
            limit: *limit,
            seed: *seed,
            selection: *selection,
            images: self.images.clone(),
        };
        // The same images twice say no more than once.
        if *epochs > 0 && !lineage.contains(&own) {
            lineage.push(own);
        }
        lineage
    }

    /// The file's text.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every hyper-parameter has a TOML form")
    }

    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = convrnn_models::files::read_text(path)?;
        Self::parse(&text).map_err(|message| TrainerError::Content { path: path.into(), message })
    }

    fn parse(text: &str) -> Result<Self, String> {
        convrnn_models::toml_file::parse(&of_today(text).unwrap_or_else(|| text.to_owned()))
    }
}

/// The text of an earlier version in today's words: it had `hold_out`, a number of images drawn without regard to classes, and
/// chose on the test images where that was 0. None for a text of today, or none at all of a training file.
fn of_today(text: &str) -> Option<String> {
    let mut file: Table = text.parse().ok()?;
    let settings = file.get_mut("settings")?.as_table_mut()?;
    let images = settings.get("hold_out")?.as_integer()?;
    settings.remove("hold_out");
    let selection = match usize::try_from(images).ok()? {
        0 => Selection::Test,
        images => Selection::HeldOutAtRandom { images },
    };
    settings.insert("selection".into(), toml::Value::try_from(selection).ok()?);
    if selection == Selection::Test {
        file.insert("warnings".into(), toml::Value::Array(vec![EARLIER_WARNING.into()]));
    }
    toml::to_string(&file).ok()
}

#[cfg(test)]
mod tests {
    use super::super::AugmentationSettings;
    use super::*;
    use crate::data::Share;
    use crate::executor::Precision;
    use crate::loss::LossSettings;
    use crate::schedule::Schedule;
    use crate::sequence::Sequence;
    use convrnn_graph::Presentation;
    use convrnn_models::Preprocessing;

    #[test]
    fn the_training_file_survives_a_round_trip_and_is_what_inference_reads() {
        let preprocessing = Preprocessing {
            channels: 1,
            height: 2,
            width: 2,
            mean: vec![0.1307],
            standard_deviation: vec![0.3081],
            decoding: Default::default(),
        };
        let class_names = vec!["zero".into(), "one".into()];
        let description = Description { class_names, preprocessing, presentation: Presentation::held(8) };
        let settings = Settings {
            limit: Some(7),
            schedule: Schedule::Steps { after: vec![3, 5] },
            augmentation: AugmentationSettings { short_side: Some((30, 40)), ..Default::default() },
            ema_decay: Some(0.999),
            precision: Precision::Bf16,
            sequence: Sequence::Stream { images: 3, resets: true },
            loss: LossSettings {
                label_smoothing: 0.1,
                steps: vec!["12=0.5".parse().unwrap(), "17=1".parse().unwrap()],
            },
            ..Default::default()
        };
        let identity = |images| Identity { images, digest: "0a".repeat(32) };
        let images = Some(ImageIdentities { train: identity(7), selection: Some(identity(1)) });
        let ancestor = Ancestor {
            data: "idx:there".into(),
            limit: Some(7),
            seed: 3,
            selection: Selection::HeldOut { share: Share::Percent(2.5), seed: None },
            images: images.clone(),
        };
        let without = Ancestor { limit: None, images: None, ..ancestor.clone() };
        let ancestors = vec![ancestor, without];
        let file = TrainingFile { description, settings, warnings: vec!["mind".into()], images, ancestors };
        for selection in [
            Selection::default(),
            Selection::Automatic { hold_out: Share::Images(0) },
            Selection::HeldOut { share: Share::Percent(2.5), seed: None },
            Selection::HeldOut { share: Share::Images(600), seed: Some(3) },
            Selection::HeldOutAtRandom { images: 3 },
            Selection::Validation,
            Selection::Test,
            Selection::Last,
        ] {
            let settings = Settings { selection, ..file.settings.clone() };
            let file = TrainingFile { settings, ..file.clone() };
            assert_eq!(TrainingFile::parse(&file.to_toml()), Ok(file));
        }
        let description: Description = convrnn_models::toml_file::parse(&file.to_toml()).unwrap();
        assert_eq!(description, file.description);
    }

    #[test]
    fn a_run_without_epochs_teaches_nothing_and_keeps_what_was_learnt() {
        let trained = TrainingFile::parse(include_str!("earlier.toml")).unwrap();
        let lineage = trained.lineage();
        assert_eq!(lineage.len(), 1);
        assert_eq!((lineage[0].seed, lineage[0].selection), (trained.settings.seed, trained.settings.selection));
        let next = |epochs, seed, ancestors| {
            let settings = Settings { epochs, seed, ..trained.settings.clone() };
            TrainingFile { settings, ancestors, ..trained.clone() }.lineage()
        };
        let seed = trained.settings.seed;
        assert_eq!(next(0, seed + 1, Vec::new()), [], "untrained");
        assert_eq!(next(0, seed + 1, lineage.clone()), lineage);
        assert_eq!(next(2, seed, lineage.clone()), lineage, "the same images");
        let longer = next(2, seed + 1, lineage.clone());
        assert_eq!((longer.len(), &longer[0], longer[1].seed), (2, &lineage[0], seed + 1));
    }

    /// Runs of earlier versions go on as they were begun: on test images where nothing was held out.
    #[test]
    fn hold_out_of_earlier_versions_keeps_its_meaning() {
        let earlier = include_str!("earlier.toml");
        let file = TrainingFile::parse(earlier).unwrap();
        assert_eq!(file.settings.selection, Selection::Test);
        assert_eq!(file.warnings, [EARLIER_WARNING]);
        assert_eq!((file.settings.epochs, file.settings.schedule.clone()), (3, Schedule::Plateau { patience: 1 }));
        assert_eq!(file.images, None);
        assert!(file.ancestors.is_empty());
        let held_out = TrainingFile::parse(&earlier.replace("hold_out = 0", "hold_out = 32")).unwrap();
        assert_eq!(held_out.settings.selection, Selection::HeldOutAtRandom { images: 32 });
        assert!(held_out.warnings.is_empty());
        assert_eq!(TrainingFile::parse(&file.to_toml()), Ok(file), "written again in the words of today");
        let error = TrainingFile::parse(&earlier.replace("epochs = 3", "epoch = 3")).unwrap_err();
        assert!(error.contains("did you mean \"epochs\"?"), "{error}");
    }
}
