//! TOML with errors that name the line and the nearest known key.

use serde::de::DeserializeOwned;

/// Parses TOML. The error says the line and what was wrong; an unknown key or value is answered with
/// the nearest known one.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let place = line.map_or(String::new(), |line| format!("line {line}: "));
        format!("{place}{}", explain(error.message()))
    })
}

/// Rewrites serde's "unknown field `kernal`, expected one of `kernel`, ..." so that the nearest
/// candidate comes first.
fn explain(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (what, found) = match quoted.first() {
        Some(found) if message.starts_with("unknown field") => ("key", found),
        Some(found) if message.starts_with("unknown variant") => ("value", found),
        _ => {
            let message = message.replace("expected usize", "expected a whole number, 0 or more");
            return message.replace("expected f64", "expected a number");
        }
    };
    let known = &quoted[1..];
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
