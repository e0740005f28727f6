//! TOML with errors that name the line and the nearest known key.

use serde::de::DeserializeOwned;

/// What of a file does not fit, for advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit<'a> {
    /// An unknown key.
    Key(&'a str),
    /// An unknown word as the value of a key; the key is empty where it is not known.
    Value {
        /// The word.
        found: &'a str,
        /// Where it stands.
        key: &'a str,
    },
    /// A value of a wrong type.
    Type {
        /// Its key; empty where it is not known.
        key: &'a str,
    },
}

/// Parses TOML. The error says the line and what was wrong; an unknown key or value is answered with
/// the nearest known one.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    parse_with(text, |_| None)
}

/// The same, with advice in place of the nearest known word where there is some.
pub fn parse_with<T: DeserializeOwned>(
    text: &str,
    advice: impl Fn(Unfit<'_>) -> Option<&'static str>,
) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map(|span| span.start.min(text.len()));
        let line = start.map(|start| text[..start].matches('\n').count() + 1);
        let place = line.map_or(String::new(), |line| format!("line {line}: "));
        let key = start.map_or("", |start| key_before(&text[..start]));
        format!("{place}{}", explain(error.message(), key, advice))
    })
}

/// The key whose value begins where the text ends.
fn key_before(text: &str) -> &str {
    let Some(key) = text.trim_end().strip_suffix('=') else { return "" };
    let key = key.trim_end();
    let is_bare = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    &key[key.trim_end_matches(is_bare).len()..]
}

/// Rewrites serde's "unknown field `kernal`, expected one of `kernel`, ..." so that what to write comes first.
fn explain(message: &str, key: &str, advice: impl Fn(Unfit<'_>) -> Option<&'static str>) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (what, found, unfit) = match quoted.first() {
        Some(&found) if message.starts_with("unknown field") => ("key", found, Unfit::Key(found)),
        Some(&found) if message.starts_with("unknown variant") => ("value", found, Unfit::Value { found, key }),
        _ => {
            let message = message.replace("expected usize", "expected a whole number, 0 or more");
            let message = message.replace("expected f64", "expected a number");
            let is_of_another_type = message.starts_with("invalid type");
            let advice = is_of_another_type.then(|| advice(Unfit::Type { key })).flatten();
            return message + &advice.map_or(String::new(), |advice| format!(": {advice}"));
        }
    };
    let known = &quoted[1..];
    if let Some(advice) = advice(unfit) {
        return format!("unknown {what} \"{found}\": {advice}. Known here: {}", known.join(", "));
    }
    match nearest(found, known.iter().copied()) {
        Some(candidate) => {
            format!("unknown {what} \"{found}\"; did you mean \"{candidate}\"? Known here: {}", known.join(", "))
        }
        None => format!("unknown {what} \"{found}\". Known here: {}", known.join(", ")),
    }
}

/// The candidate most like `found`, if any is alike at all.
pub fn nearest<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(found, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Window {
        kernel: usize,
    }

    #[test]
    fn names_line_and_nearest_key() {
        let error = parse::<Window>("\n\nkernal = 3\n").unwrap_err();
        assert!(error.starts_with("line 3: unknown key \"kernal\"; did you mean \"kernel\"?"), "{error}");
    }

    #[test]
    fn types_are_named_as_people_do() {
        let error = parse::<Window>("kernel = -3").unwrap_err();
        assert!(error.contains("expected a whole number, 0 or more"), "{error}");
    }

    #[test]
    fn reads_what_is_right() {
        assert_eq!(parse::<Window>("kernel = 3").unwrap().kernel, 3);
    }
}
