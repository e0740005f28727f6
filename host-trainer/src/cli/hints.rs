//! Errors in the words of the command that says them.
//!
//! Below the command line, messages call a setting by the option of `convrnn-train train`. Other commands have some of
//! these options: `compare` has keys of a study file instead, `fine-tune` takes the rest from the run that it begins with.
//! Here every option that a command does not have becomes what a user of that command can do.

use crate::data::error::SKIP_DAMAGED;
use crate::data::{DataError, Share};
use crate::error::TrainerError;
use crate::study::overrides::key_of;
use convrnn_models::hints::mentions;

/// Who says a text: a command, and whether its user has given a study file, which takes the place of options.
#[derive(Clone, Copy)]
pub(super) struct Speaker<'a> {
    pub(super) command: &'a clap::Command,
    pub(super) has_study_file: bool,
}

impl Speaker<'_> {
    /// The message of an error. Only words of the program are changed, nothing that was found.
    pub(super) fn message(self, error: &TrainerError) -> String {
        let say = |text: &str| self.reworded(text);
        match error {
            TrainerError::Invalid { what, expected, found, hint } => {
                format!("{}: expected {}, found {found}; {}", say(what), say(expected), say(hint))
            }
            TrainerError::Exploded(explosion) => say(&explosion.to_string()),
            TrainerError::OutOfMemory { .. } => say(&error.to_string()),
            // The option, where there is one, says the same in less. The list of files follows, which stays as it is.
            TrainerError::Data(DataError::DamagedImages { .. }) if self.takes("skip-damaged") => {
                error.to_string().replacen(SKIP_DAMAGED, "give --skip-damaged", 1)
            }
            other => other.to_string(),
        }
    }

    /// A text without options that the user cannot give.
    pub(super) fn reworded(self, text: &str) -> String {
        let is_study = self.command.get_name() == "compare";
        let mut said = String::with_capacity(text.len());
        let mut done = 0;
        for mention in mentions(text) {
            let option = mention.option.as_str();
            // What `compare` calls so is for trials.
            let is_another = is_study && option == "hold-out";
            if mention.command.is_some() || (self.takes(option) && !is_another) {
                continue;
            }
            said += &text[done..mention.place.start];
            done = mention.place.end;
            match key_of(option).filter(|_| is_study) {
                Some(key) => {
                    said += key;
                    if let Some((value, length)) = value(option, &text[done..]) {
                        said += &format!(" = {value}");
                        done += length;
                    }
                }
                None => said += &format!("`convrnn-train train --{option}`"),
            }
        }
        said + &text[done..]
    }

    /// Whether the user can give an option.
    fn takes(self, option: &str) -> bool {
        let is_given = |argument: &&clap::Arg| {
            argument.get_long_and_visible_aliases().is_some_and(|names| names.contains(&option))
        };
        let Some(argument) = self.command.get_arguments().find(is_given) else {
            return matches!(option, "help" | "version");
        };
        let conflicts = || self.command.get_arg_conflicts_with(argument);
        !(self.has_study_file && conflicts().iter().any(|other| other.get_id() == "study"))
    }
}

/// What a study file has for the value of an option, and how long the value is, with the space before it. None where no value
/// follows, but the next word of the sentence, and for words that are other ones there.
fn value(option: &str, rest: &str) -> Option<(String, usize)> {
    let rest = rest.strip_prefix(' ')?;
    let value = rest.split(|letter: char| letter.is_whitespace() || ",;)`".contains(letter)).next()?;
    let value = value.trim_end_matches('.');
    // A number, or what stands for one.
    let is_plain = value.starts_with(|letter: char| letter.is_ascii_digit())
        || value.starts_with(char::is_alphabetic) && value.chars().all(|letter| !letter.is_lowercase());
    let said = match (option, value) {
        ("schedule", "constant" | "cosine") => format!("{{ kind = \"{value}\" }}"),
        ("select-on", "test") => "{ kind = \"test\" }".into(),
        ("hold-out", "0") => "{ kind = \"last\" }".into(),
        ("hold-out", share) if share.parse::<Share>().is_ok() => {
            format!("{{ kind = \"held-out\", share = \"{share}\" }}")
        }
        ("schedule" | "select-on" | "hold-out", _) => return None,
        ("seed", seed) if is_plain => format!("[{seed}]"),
        (_, other) if is_plain => other.into(),
        _ => return None,
    };
    Some((said, 1 + value.len()))
}

#[cfg(test)]
mod tests {
    use super::super::Arguments;
    use super::*;
    use crate::data::ImageFile;
    use clap::CommandFactory;

    fn said(name: &str, text: &str) -> String {
        let program = Arguments::command();
        Speaker { command: program.find_subcommand(name).unwrap(), has_study_file: false }.reworded(text)
    }

    /// With a study file `compare` takes no option of a study.
    #[test]
    fn with_a_study_file_its_keys_are_named() {
        let program = Arguments::command();
        let command = program.find_subcommand("compare").unwrap();
        let with =
            |has_study_file| Speaker { command, has_study_file }.reworded("--classes 3, --data SOURCE, --output DIR");
        assert_eq!(with(true), "classes = 3, data = SOURCE, --output DIR");
        assert_eq!(with(false), "--classes 3, --data SOURCE, --output DIR");
    }

    /// What `compare` holds out by an option is for its trials; what chooses the best epoch is a setting.
    #[test]
    fn what_chooses_is_a_setting_of_a_study() {
        assert_eq!(
            said(
                "compare",
                "hold out a tenth (--hold-out 10%), or none (--hold-out 0, with another --schedule than plateau)"
            ),
            "hold out a tenth (settings.selection = { kind = \"held-out\", share = \"10%\" }), or none (settings.selection = \
             { kind = \"last\" }, with another settings.schedule than plateau)"
        );
        assert_eq!(said("compare", "--hold-out: expected 1"), "settings.selection: expected 1");
        assert_eq!(
            said("compare", "without --select-on test, others"),
            "without settings.selection = { kind = \"test\" }, others"
        );
        assert_eq!(said("compare", "give --schedule cosine, or"), "give settings.schedule = { kind = \"cosine\" }, or");
        assert_eq!(said("fine-tune", "--hold-out 10%"), "--hold-out 10%");
    }

    #[test]
    fn a_command_names_what_its_user_can_do() {
        let text = "give a smaller --batch, or see convrnn-train train --help";
        assert_eq!(said("train", text), text);
        assert_eq!(said("fine-tune", text), text);
        assert_eq!(said("compare", text), "give a smaller settings.batch, or see convrnn-train train --help");
        assert_eq!(
            said("fine-tune", "zero states (--sequence stream-reset=N)"),
            "zero states (`convrnn-train train --sequence` stream-reset=N)"
        );
        assert_eq!(said("compare", "--data and --classes"), "--data and --classes");
        assert_eq!(said("eval", "--clip: expected 0"), "`convrnn-train train --clip`: expected 0");
    }

    /// What a study file has is a key, a sign and a value.
    #[test]
    fn a_value_of_a_study_is_written_as_in_its_file() {
        let program = Arguments::command();
        let command = program.find_subcommand("compare").unwrap();
        let study = |text: &str| Speaker { command, has_study_file: true }.reworded(text);
        assert_eq!(study("give --classes 2, or data with others"), "give classes = 2, or data with others");
        assert_eq!(
            study("(--batch N/2 with --accumulate 2 has as many)"),
            "(settings.batch = N/2 with settings.accumulate = 2 has as many)"
        );
        assert_eq!(study("another --seed 4."), "another seeds = [4].");
        assert_eq!(study("give more --steps; a --batch that fits"), "give more steps; a settings.batch that fits");
    }

    /// What goes on without damaged files is an option of `train`, and a key of the data source elsewhere.
    #[test]
    fn a_damaged_file_is_left_out_by_the_option_where_there_is_one() {
        let program = Arguments::command();
        let file = ImageFile { path: "data/a --batch `,skip-damaged=yes`.png".into(), entry: None };
        let error = TrainerError::Data(DataError::damaged(vec![(file, "cut short".into())], 3));
        let said = |name: &str| {
            let command = program.find_subcommand(name).unwrap();
            Speaker { command, has_study_file: false }.message(&error)
        };
        let expected = "1 of 3 image files cannot be decoded; replace or delete them, or go on without them: give \
                        --skip-damaged\n  data/a --batch `,skip-damaged=yes`.png: cut short";
        assert_eq!(said("train"), expected);
        for name in ["fine-tune", "eval", "features", "trace", "init", "compare"] {
            let source = expected.replace("give --skip-damaged", "write `,skip-damaged=yes` behind the data source");
            assert_eq!(said(name), source, "{name}");
        }
    }

    #[test]
    fn what_was_found_stays_as_it_is() {
        let invalid = TrainerError::Invalid {
            what: "--batch",
            expected: "at most 3".into(),
            found: "--batch".into(),
            hint: "give a smaller --batch".into(),
        };
        let program = Arguments::command();
        let command = program.find_subcommand("compare").unwrap();
        let found = Speaker { command, has_study_file: false }.message(&invalid);
        assert_eq!(found, "settings.batch: expected at most 3, found --batch; give a smaller settings.batch");
    }

    #[test]
    fn no_command_is_left_with_an_option_that_it_lacks() {
        let program = Arguments::command();
        let options: Vec<String> = program
            .get_subcommands()
            .flat_map(clap::Command::get_arguments)
            .filter_map(|argument| argument.get_long().map(str::to_owned))
            .collect();
        assert!(options.len() > 100, "{}", options.len());
        for command in program.get_subcommands() {
            for (option, has_study_file) in options.iter().flat_map(|option| [(option, false), (option, true)]) {
                let speaker = Speaker { command, has_study_file };
                for mention in mentions(&speaker.reworded(&format!("give --{option}"))) {
                    let is_right = mention.command.is_some() || speaker.takes(&mention.option);
                    assert!(is_right, "{} says --{option}", command.get_name());
                }
            }
        }
    }
}
