//! The same tuning budget for every architecture.

use super::overrides::{merge, replace, table_of};
use crate::data::Share;
use crate::data::random::{Purpose, Stream};
use crate::selection::Selection;
use crate::settings::Settings;
use serde::Deserialize;
use toml::{Table, Value};

/// What hyper-parameters are tried, on training images that are held out. In a study file:
///
/// ```toml
/// [tuning]
/// trials = 6
/// epochs = 3
/// hold_out = 1000
/// [tuning.ranges]
/// learning_rate = { low = 0.01, high = 0.3 }   # log-uniform
/// optimizer.clip = [0.1, 0.7]                  # one of a list
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// Trials an architecture. The first one has the given hyper-parameters.
    pub trials: usize,
    /// Epochs a trial.
    pub epochs: usize,
    /// Training images held out to choose by: so many, or a share ("10%").
    pub hold_out: Share,
    /// Names the random draws, and is the seed of every trial.
    #[serde(default = "one")]
    pub seed: u64,
    /// What is drawn, by path of the setting: `{ low, high }` log-uniform, or a list.
    pub ranges: Table,
}

fn one() -> u64 {
    1
}

/// Where values are drawn from.
#[derive(Clone, Debug, PartialEq)]
pub enum Range {
    /// `low * (high / low)^u` with u uniform in 0 to 1.
    LogUniform {
        /// Smallest value.
        low: f64,
        /// Largest value.
        high: f64,
    },
    /// Each equally likely.
    List(Vec<Value>),
}

impl Tuning {
    /// What is drawn: path of the setting and its range, in the order of the paths.
    ///
    /// # Errors
    /// A range that is neither `{ low, high }` nor a list.
    pub fn ranges(&self) -> Result<Vec<(String, Range)>, String> {
        let mut ranges = Vec::new();
        collect("", &self.ranges, &mut ranges)?;
        let fixed = ["data", "limit", "selection", "epochs", "seed", "threads", "device", "save_every"];
        if let Some((path, _)) = ranges.iter().find(|(path, _)| fixed.contains(&path.as_str())) {
            return Err(format!("tuning.ranges: {path} is the same for every trial; leave it out of the ranges"));
        }
        Ok(ranges)
    }

    /// The hyper-parameters of a trial, from 1. Trial and place in the list alone name the draw, so that every architecture
    /// tries the same values.
    ///
    /// # Errors
    /// Unknown settings, values of the wrong type.
    pub fn settings(&self, plain: &Settings, trial: usize) -> Result<Settings, String> {
        let mut changes = Table::new();
        for (number, (path, range)) in self.ranges()?.into_iter().enumerate() {
            let mut stream = Stream::new(self.seed, Purpose::Tuning, trial as u64, number as u64);
            let value = match range {
                Range::LogUniform { low, high } => Value::Float(low * (high / low).powf(stream.unit())),
                Range::List(values) => values[stream.below(values.len())].clone(),
            };
            if trial > 1 {
                merge(&mut changes, &table_of(&path, value));
            }
        }
        let settings = replace(plain, &changes).map_err(|message| format!("tuning.ranges: {message}"))?;
        let selection = Selection::HeldOut { share: self.hold_out, seed: None };
        Ok(Settings { epochs: self.epochs, selection, seed: self.seed, ..settings })
    }

    /// Plain hyper-parameters with the tuned ones of a trial.
    ///
    /// # Errors
    /// As [`Tuning::settings`].
    pub fn tuned(&self, plain: &Settings, trial: usize) -> Result<Settings, String> {
        let Settings { epochs, selection, seed, .. } = *plain;
        Ok(Settings { epochs, selection, seed, ..self.settings(plain, trial)? })
    }
}

fn collect(prefix: &str, table: &Table, ranges: &mut Vec<(String, Range)>) -> Result<(), String> {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        let wrong = |found: &str| {
            format!(
                "tuning.ranges: {path}: expected {{ low = 0.01, high = 0.3 }} (0 < low < high) or a list, found {found}"
            )
        };
        match value {
            Value::Array(values) if !values.is_empty() => ranges.push((path, Range::List(values.clone()))),
            Value::Table(inner) if inner.contains_key("low") || inner.contains_key("high") => {
                let number = |name: &str| {
                    let value = inner.get(name)?;
                    value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64))
                };
                match (number("low"), number("high")) {
                    (Some(low), Some(high)) if inner.len() == 2 && 0.0 < low && low < high && high.is_finite() => {
                        ranges.push((path, Range::LogUniform { low, high }));
                    }
                    _ => return Err(wrong(&value.to_string())),
                }
            }
            Value::Table(inner) => collect(&path, inner, ranges)?,
            _ => return Err(wrong(&value.to_string())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuning(ranges: &str) -> Tuning {
        let ranges = toml::from_str(ranges).unwrap();
        Tuning { trials: 4, epochs: 2, hold_out: Share::Images(50), seed: 3, ranges }
    }

    #[test]
    fn the_first_trial_is_the_plain_one_and_draws_repeat() {
        let tuning = tuning("learning_rate = { low = 0.01, high = 1 }\noptimizer.clip = [0.1, 0.5]");
        let plain = Settings { learning_rate: 0.07, epochs: 9, seed: 8, ..Settings::default() };
        let first = tuning.settings(&plain, 1).unwrap();
        assert_eq!((first.learning_rate, first.epochs, first.seed), (0.07, 2, 3));
        assert_eq!(first.selection, Selection::HeldOut { share: Share::Images(50), seed: None });
        let mut rates = Vec::new();
        for trial in 2..200 {
            let settings = tuning.settings(&plain, trial).unwrap();
            assert_eq!(settings, tuning.settings(&plain, trial).unwrap());
            assert!((0.01..=1.0).contains(&settings.learning_rate));
            assert!([0.1, 0.5].contains(&settings.optimizer.clip));
            rates.push(settings.learning_rate);
        }
        // Half of a log-uniform range from 0.01 to 1 lies below 0.1.
        let small = rates.iter().filter(|rate| **rate < 0.1).count();
        assert!((70..130).contains(&small), "{small}");
        let tuned = tuning.tuned(&plain, 2).unwrap();
        assert_eq!((tuned.epochs, tuned.selection, tuned.seed), (9, plain.selection, 8));
        assert_eq!(tuned.learning_rate, tuning.settings(&plain, 2).unwrap().learning_rate);
        assert_eq!(tuning.tuned(&plain, 1).unwrap(), plain);
    }

    #[test]
    fn wrong_ranges_are_named() {
        for ranges in ["learning_rate = 0.1", "learning_rate = { low = 0.3, high = 0.1 }", "learning_rate = []"] {
            let error = tuning(ranges).settings(&Settings::default(), 1).unwrap_err();
            assert!(error.starts_with("tuning.ranges: learning_rate: expected"), "{error}");
        }
        let error = tuning("epochs = [1, 2]").settings(&Settings::default(), 1).unwrap_err();
        assert!(error.contains("epochs is the same for every trial"), "{error}");
        let error = tuning("learning_rats = [0.1]").settings(&Settings::default(), 2).unwrap_err();
        assert!(error.contains("did you mean \"learning_rate\""), "{error}");
    }
}
