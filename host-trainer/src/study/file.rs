//! The study file: architectures, seeds, data, hyper-parameters, tuning.

use super::overrides::replace;
use super::tuning::Tuning;
use crate::data::Share;
use crate::error::{Result, TrainerError};
use crate::settings::Settings;
use crate::unroll::{Unroll, presentation};
use convrnn_graph::Presentation;
use convrnn_models::matched::{Growth, matched};
use convrnn_models::{Architecture, Report, catalogue, toml_file};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use toml::Table;

/// A study as written in TOML.
///
/// ```toml
/// data = "rendered:size=28,train=8000,test=2000"
/// seeds = [1, 2, 3, 4, 5]
/// classes = 10                       # channels of every last layer; as each architecture says if not given
/// reference = "rgc"                  # differences are against this one; the first architecture if not given
/// [settings]                         # hyper-parameters of all, by the names in a run's training.toml
/// epochs = 5
/// optimizer.clip = 0.1
/// [tuning]                           # see Tuning; without this table nothing is tuned
/// [[architecture]]
/// name = "rgc"                       # label and folder; that of the architecture if not given
/// architecture = "rgc-28"            # from `convrnn-train list`, or a file beside the study file
/// unroll = "minimal"                 # or steps and image_steps
/// like = "lstm-28"                   # of a feedforward net: brought to as many parameters, by "wider" or "deeper"
/// settings.learning_rate = 0.05      # for this architecture only
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StudyFile {
    data: String,
    seeds: Vec<u64>,
    #[serde(default)]
    classes: Option<u16>,
    #[serde(default)]
    reference: Option<String>,
    #[serde(default)]
    settings: Table,
    #[serde(default)]
    tuning: Option<Tuning>,
    #[serde(rename = "architecture")]
    architectures: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    name: Option<String>,
    architecture: String,
    #[serde(default)]
    like: Option<String>,
    #[serde(default)]
    by: By,
    #[serde(default)]
    unroll: Unroll,
    #[serde(default)]
    steps: Option<usize>,
    #[serde(default)]
    image_steps: Option<usize>,
    #[serde(default)]
    settings: Table,
}

/// How a net is brought to as many parameters as another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum By {
    #[default]
    Wider,
    Deeper,
}

/// A study with everything looked up and verified.
#[derive(Clone, Debug)]
pub struct Study {
    /// Seeds of the runs that count.
    pub seeds: Vec<u64>,
    /// Name of the member that differences are measured against.
    pub reference: String,
    /// How hyper-parameters are tuned, if they are.
    pub tuning: Option<Tuning>,
    /// What is compared.
    pub members: Vec<Member>,
    /// The file's text.
    pub text: String,
    /// Where it lies, for messages.
    pub origin: PathBuf,
}

/// One network of a study.
#[derive(Clone, Debug)]
pub struct Member {
    /// Label and folder.
    pub name: String,
    /// The network.
    pub architecture: Architecture,
    /// What is on show at each step.
    pub presentation: Presentation,
    /// Plain hyper-parameters; the seed is set by each run.
    pub settings: Settings,
    /// Trained values.
    pub parameters: usize,
}

impl Study {
    /// Reads a study file.
    ///
    /// # Errors
    /// What is wrong, and the nearest known key.
    pub fn read(path: &Path) -> Result<Self> {
        let text = convrnn_models::files::read_text(path)?;
        Self::parse(&text, path)
    }

    /// Parses a study's text; `origin` names it in errors, and relative architecture files lie beside it.
    ///
    /// # Errors
    /// As [`Study::read`].
    pub fn parse(text: &str, origin: &Path) -> Result<Self> {
        let wrong = |message: String| TrainerError::Content { path: origin.into(), message };
        let file: StudyFile = toml_file::parse(text).map_err(wrong)?;
        for (key, reason) in [
            ("data", "give it once, outside of any table, so that all learn from the same images"),
            ("seed", "seeds are listed in seeds"),
            (
                "hold_out",
                "trials have tuning.hold_out, other runs selection = { kind = \"held-out\", share = \"10%\" }",
            ),
        ] {
            let given = file.architectures.iter().any(|entry| entry.settings.contains_key(key));
            if given || file.settings.contains_key(key) {
                return Err(wrong(format!("settings.{key} has no place in a study; {reason}")));
            }
        }
        let base = Settings { data: file.data.clone(), ..Settings::default() };
        let base = replace(&base, &file.settings).map_err(|message| wrong(format!("settings: {message}")))?;
        if file.classes == Some(0) {
            return Err(wrong(
                "classes: expected 1 or more, found 0; leave it out for those of each architecture".into(),
            ));
        }
        let classes = file.classes.map(usize::from);
        let members: Vec<Member> =
            file.architectures.iter().map(|entry| entry.resolve(&base, classes, origin)).collect::<Result<_>>()?;
        let reference = file.reference.or_else(|| members.first().map(|member| member.name.clone()));
        let study = Self {
            seeds: file.seeds,
            reference: reference.unwrap_or_default(),
            tuning: file.tuning,
            members,
            text: text.to_owned(),
            origin: origin.into(),
        };
        study.check().map_err(wrong)?;
        Ok(study)
    }

    fn check(&self) -> Result<(), String> {
        let names = || self.members.iter().map(|member| member.name.as_str());
        let twice = |count: usize| count > 1;
        if let Some(name) = names().find(|name| twice(names().filter(|other| other == name).count())) {
            return Err(format!(
                "the name \"{name}\" is given to two architectures; give each [[architecture]] a name"
            ));
        }
        if self.members.is_empty() || self.seeds.is_empty() {
            return Err("expected at least one [[architecture]] and one seed".into());
        }
        if let Some(seed) =
            self.seeds.iter().find(|seed| twice(self.seeds.iter().filter(|other| other == seed).count()))
        {
            return Err(format!("seed {seed} is listed twice; each seed is one independent run"));
        }
        if !names().any(|name| name == self.reference) {
            let near = toml_file::nearest(&self.reference, names());
            let hint = near.map_or(".".into(), |near| format!("; did you mean \"{near}\"?"));
            let known = names().collect::<Vec<_>>().join(", ");
            return Err(format!("reference is \"{}\"{hint} Known here: {known}", self.reference));
        }
        let Some(tuning) = &self.tuning else { return Ok(()) };
        if tuning.trials == 0 || tuning.epochs == 0 || tuning.hold_out == Share::Images(0) {
            return Err("tuning: trials, epochs and hold_out must be at least 1".into());
        }
        for member in &self.members {
            // One more than the first, which is the plain one, so that every range is looked at.
            for trial in 1..=tuning.trials.max(2) {
                let settings = tuning.settings(&member.settings, trial)?;
                settings.check().map_err(|error| format!("tuning.ranges: {error}"))?;
            }
        }
        Ok(())
    }

    /// Settings of a run that counts.
    pub fn plain(member: &Member, seed: u64) -> Settings {
        Settings { seed, ..member.settings.clone() }
    }
}

/// An entry of the catalogue, or a file beside the study file, with so many classes.
fn find(name: &str, classes: Option<usize>, origin: &Path) -> Result<Architecture> {
    let path = PathBuf::from(name);
    let is_file = name.ends_with(".toml") || path.components().count() > 1;
    let mut architecture = match origin.parent().filter(|_| is_file) {
        Some(folder) => Architecture::read(&folder.join(path))?,
        None => catalogue::find(name)?,
    };
    if let Some(classes) = classes {
        architecture.set_classes(classes);
    }
    Ok(architecture)
}

impl Entry {
    fn resolve(&self, base: &Settings, classes: Option<usize>, origin: &Path) -> Result<Member> {
        let wrong = |message: String| TrainerError::Content { path: origin.into(), message };
        let mut architecture = find(&self.architecture, classes, origin)?;
        if let Some(like) = &self.like {
            let target = Report::new(&find(like, classes, origin)?)?.parameters;
            let growth = match self.by {
                By::Wider => Growth::Wider,
                By::Deeper => Growth::Deeper,
            };
            architecture = matched(&architecture, target, growth)?;
        }
        let name = self.name.clone().unwrap_or_else(|| architecture.name.clone());
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(allowed) {
            let message = format!("the name \"{name}\" is also a folder's: use letters, digits, '-', '_' and '.' only");
            return Err(wrong(message));
        }
        if self.unroll != Unroll::Full && (self.steps.is_some() || self.image_steps.is_some()) {
            return Err(wrong(format!("{name}: give either unroll or steps and image_steps")));
        }
        let presentation = presentation(&architecture, self.unroll, self.steps, self.image_steps)?;
        let settings =
            replace(base, &self.settings).map_err(|message| wrong(format!("{name}: settings: {message}")))?;
        let graph = architecture.lower()?;
        crate::training::check(&graph, &presentation, &settings)?;
        if settings.epochs == 0 {
            return Err(wrong(format!("{name}: settings.epochs: expected 1 or more, found 0")));
        }
        let parameters = graph.parameter_count();
        Ok(Member { name, architecture, presentation, settings, parameters })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STUDY: &str = r#"
        data = "rendered:size=28,train=64,test=16"
        seeds = [1, 2]
        reference = "rgc"
        [settings]
        epochs = 3
        optimizer.clip = 0.25
        [[architecture]]
        architecture = "ff-28"
        settings.learning_rate = 0.5
        [[architecture]]
        name = "rgc"
        architecture = "rgc-28-m4"
        unroll = "minimal"
    "#;

    fn parse(text: &str) -> Result<Study> {
        Study::parse(text, Path::new("study.toml"))
    }

    #[test]
    fn a_study_is_read_with_overrides_by_architecture() {
        let study = parse(STUDY).unwrap();
        let [first, second] = &study.members[..] else { panic!("two members") };
        assert_eq!((first.name.as_str(), first.settings.learning_rate, first.settings.epochs), ("ff-28", 0.5, 3));
        assert_eq!((second.name.as_str(), second.settings.learning_rate), ("rgc", 0.01));
        assert_eq!(second.settings.optimizer.clip, 0.25);
        let report = Report::new(&second.architecture).unwrap();
        assert_eq!(second.presentation, Presentation::held(report.minimal_unroll.unwrap()));
        assert_eq!(first.presentation, first.architecture.presentation);
        assert_eq!(Study::plain(first, 7).seed, 7);
    }

    #[test]
    fn the_study_that_comes_with_the_program_is_valid() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/studies/cluttered-digits.toml");
        let study = Study::read(&path).unwrap();
        assert_eq!((study.seeds.len(), study.members.len(), study.tuning.unwrap().trials), (5, 6, 6));
        let [.., whole, minimal] = &study.members[..] else { panic!("two members") };
        assert_eq!(whole.architecture, minimal.architecture);
        let gap = study.members[1].parameters.abs_diff(whole.parameters);
        assert!(100 * gap <= whole.parameters, "matched to within 1 %: {gap}");
        assert!(minimal.presentation.steps < whole.presentation.steps);
    }

    #[test]
    fn classes_are_those_of_every_member_and_of_what_it_is_matched_with() {
        let study = parse(&STUDY.replace("seeds = [1, 2]", "seeds = [1, 2]\nclasses = 3")).unwrap();
        assert!(study.members.iter().all(|member| member.architecture.lower().unwrap().classes() == 3));
        let matched = "architecture = \"ff-28\"\nlike = \"rgc-28\"";
        let three = parse(
            &STUDY
                .replace("seeds = [1, 2]", "seeds = [1, 2]\nclasses = 3")
                .replace("architecture = \"ff-28\"", matched),
        );
        let mut rgc = catalogue::find("rgc-28").unwrap();
        rgc.set_classes(3);
        let (found, wanted) = (three.unwrap().members[0].parameters, Report::new(&rgc).unwrap().parameters);
        assert!(100 * found.abs_diff(wanted) <= wanted, "{found} {wanted}");
        let error = parse(&STUDY.replace("seeds = [1, 2]", "seeds = [1, 2]\nclasses = 0")).unwrap_err().to_string();
        assert!(error.contains("classes: expected 1 or more"), "{error}");
    }

    #[test]
    fn errors_say_what_and_name_the_nearest() {
        for (from, to, expected) in [
            ("seeds = [1, 2]", "seed = [1, 2]", "did you mean \"seeds\"?"),
            ("epochs = 3", "epoch = 3", "settings: unknown key \"epoch\"; did you mean \"epochs\"?"),
            ("unroll = \"minimal\"", "unroll = \"minimum\"", "did you mean \"minimal\"?"),
            ("unroll = \"minimal\"", "unrol = \"minimal\"", "did you mean \"unroll\"?"),
            ("reference = \"rgc\"", "reference = \"rgd\"", "did you mean \"rgc\"?"),
            ("name = \"rgc\"", "name = \"ff-28\"", "given to two architectures"),
            ("name = \"rgc\"", "name = \"../rgc\"", "letters, digits"),
            ("seeds = [1, 2]", "seeds = [1, 1]", "seed 1 is listed twice"),
            ("seeds = [1, 2]", "seeds = []", "at least one"),
            ("epochs = 3", "epochs = 0", "settings.epochs: expected 1 or more"),
            ("epochs = 3", "seed = 3", "settings.seed has no place"),
            ("rgc-28-m4", "rcg-28-m4", "did you mean \"rgc-28"),
            ("settings.learning_rate = 0.5", "settings.learning_rate = -1", "--learning-rate: expected"),
            ("epochs = 3", "loss.steps = [{ step = 99, weight = 1.0 }]", "--loss-steps"),
        ] {
            assert!(STUDY.contains(from));
            let error = parse(&STUDY.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(expected), "{to}: {error}");
        }
        let tuning = "[tuning]\ntrials = 1\nepochs = 1\nhold_out = 8\nranges.learning_rats = [0.1]\n[[architecture]]";
        let error = parse(&STUDY.replacen("[[architecture]]", tuning, 1)).unwrap_err().to_string();
        assert!(error.contains("did you mean \"learning_rate\""), "{error}");
    }
}
