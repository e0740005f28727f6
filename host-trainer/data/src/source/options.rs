//! Options of the text after `--data`: `key=value`, taken one by one.

use std::fmt;
use std::str::FromStr;

use crate::error::{DataError, Result};

pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.is_empty() {
        return None;
    }
    let near = known.iter().map(|&candidate| (strsim::damerau_levenshtein(word, candidate), candidate)).min()?;
    (near.0 <= 3).then_some(near.1)
}

/// Options given as `key=value`, taken one by one; what is left at the end is unknown.
pub struct Options<'a> {
    text: &'a str,
    known: Vec<&'static str>,
    given: Vec<(&'a str, &'a str)>,
}

impl<'a> Options<'a> {
    /// Of this text, the pieces behind its path.
    pub fn new(text: &'a str, given: Vec<(&'a str, &'a str)>) -> Self {
        Options { text, known: Vec::new(), given }
    }

    /// The value of an option, if it is given.
    pub fn take(&mut self, key: &'static str) -> Option<&'a str> {
        self.known.push(key);
        let at = self.given.iter().position(|(given, _)| *given == key)?;
        Some(self.given.remove(at).1)
    }

    /// The value of an option as a number, if it is given.
    pub fn optional<T: FromStr<Err: fmt::Display>>(&mut self, key: &'static str) -> Result<Option<T>> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        value.parse().map(Some).map_err(|error| DataError::Source {
            text: self.text.to_string(),
            reason: format!("option `{key}`: expected a whole number, found `{value}` ({error})"),
        })
    }

    /// The same with a value where it is not given.
    pub fn number<T: FromStr<Err: fmt::Display>>(&mut self, key: &'static str, default: T) -> Result<T> {
        Ok(self.optional(key)?.unwrap_or(default))
    }

    /// Which of a few words the value is, if the option is given.
    pub fn choice(&mut self, key: &'static str, words: &[&str]) -> Result<Option<usize>> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        match words.iter().position(|word| *word == value) {
            Some(which) => Ok(Some(which)),
            None => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                Err(self.wrong(format!("{key}=`{value}`: expected {}", words.join(" or "))))
            }
        }
    }

    /// The error that quotes the text.
    pub fn wrong(&self, reason: String) -> DataError {
        DataError::Source { text: self.text.to_string(), reason }
    }

    /// Verifies that no option is left.
    pub fn finish(self) -> Result<()> {
        let Some((key, _)) = self.given.first() else {
            return Ok(());
        };
        let reason = if self.known.contains(key) {
            format!("option `{key}` is given twice")
        } else {
            let near = nearest(key, &self.known).map_or(".".into(), |near| format!(", did you mean `{near}`?"));
            format!("unknown option `{key}`{near} Known here: {}", self.known.join(", "))
        };
        Err(DataError::Source { text: self.text.to_string(), reason })
    }
}
