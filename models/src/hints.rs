//! Options that a message names, so that no command hints at an option that it does not have.

use std::ops::Range;

/// An option in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The bytes of `--name`.
    pub place: Range<usize>,
    /// The name, without dashes.
    pub option: String,
    /// Program and command that the text names before it, for instance `convrnn-train` and `info`; none where the option is
    /// that of the command that says the text.
    pub command: Option<(String, String)>,
}

/// Programs whose commands a text may name.
const PROGRAMS: [&str; 3] = ["convrnn-train", "convrnn-export", "cargo"];

/// The options that a text names: `--name` at its start or after a space, a bracket or a backtick.
///
/// An option belongs to the command named before it within the same backticks, or, outside of any, within the same part of
/// the sentence: `see convrnn-train train --help`.
pub fn mentions(text: &str) -> Vec<Mention> {
    let is_name = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let mut found = Vec::new();
    for (at, _) in text.match_indices("--") {
        let (before, after) = (&text[..at], &text[at + 2..]);
        let starts_here =
            before.chars().next_back().is_none_or(|letter| letter.is_whitespace() || "(`\"".contains(letter));
        let length = after.find(|letter| !is_name(letter)).unwrap_or(after.len());
        let option = after[..length].trim_end_matches('-');
        if starts_here && option.starts_with(|letter: char| letter.is_ascii_lowercase()) {
            let place = at..at + 2 + option.len();
            found.push(Mention { place, option: option.to_owned(), command: command_before(before) });
        }
    }
    found
}

/// The command that the end of a text belongs to.
fn command_before(text: &str) -> Option<(String, String)> {
    let spans: Vec<&str> = text.split('`').collect();
    let part = match spans.len() % 2 {
        // Within backticks.
        0 => (*spans.last()?).to_owned(),
        _ => {
            let outside: String = spans.iter().step_by(2).copied().collect::<Vec<_>>().join("``");
            outside.rsplit([';', ',', '\n', '`', '(', ')']).next()?.to_owned()
        }
    };
    let mut words = part.split_whitespace();
    let mut command = None;
    while let Some(word) = words.next() {
        if PROGRAMS.contains(&word) {
            command = words.next().map(|name| (word.to_owned(), name.to_owned()));
            // What follows is for Cargo, whatever packages it names.
            if word == "cargo" {
                break;
            }
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, Option<String>)> {
        let one =
            |mention: Mention| (mention.option, mention.command.map(|(program, name)| format!("{program} {name}")));
        mentions(text).into_iter().map(one).collect()
    }

    #[test]
    fn options_are_found_with_the_command_that_they_are_of() {
        let own = |option: &str| (option.to_owned(), None);
        let of = |option: &str, command: &str| (option.to_owned(), Some(command.to_owned()));
        assert_eq!(found("give a smaller --batch"), [own("batch")]);
        assert_eq!(found("fewer layers (--layers) or --max-size=16"), [own("layers"), own("max-size")]);
        assert_eq!(found("see convrnn-train train --help"), [of("help", "convrnn-train train")]);
        assert_eq!(
            found("train anew (`convrnn-train train --classes 3 --seed 1`), or give --data"),
            [of("classes", "convrnn-train train"), of("seed", "convrnn-train train"), own("data")]
        );
        assert_eq!(found("see `cargo xtask bench --rounds 3`"), [of("rounds", "cargo xtask")]);
        assert_eq!(found("`cargo build -p convrnn-export --features x`"), [of("features", "cargo build")]);
        assert_eq!(found("`convrnn-export program` wrote it; give --target"), [own("target")]);
        assert_eq!(found("see convrnn-train info, and give --steps"), [own("steps")]);
        assert_eq!(found("a--b -- --- \u{2013}-x"), []);
        assert_eq!(mentions("x --batch")[0].place, 2..9);
    }
}
