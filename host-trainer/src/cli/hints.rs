//! Errors in the words of the command that says them.
//!
//! Below the command line, messages call a setting by the option of `convrnn-train train`. Other commands have some of
//! these options: `compare` has keys of a study file instead, `fine-tune` takes the rest from the run that it begins with.
//! Here every option that a command does not have becomes what a user of that command can do.

use crate::error::TrainerError;
use crate::study::overrides::key_of;
use convrnn_models::hints::mentions;

/// The message of an error for the user of a command. Only words of the program are changed, nothing that was found.
pub(super) fn message(error: &TrainerError, command: &clap::Command) -> String {
    let say = |text: &str| reworded(text, command);
    match error {
        TrainerError::Invalid { what, expected, found, hint } => {
            format!("{}: expected {}, found {found}; {}", say(what), say(expected), say(hint))
        }
        TrainerError::Exploded(explosion) => say(&explosion.to_string()),
        TrainerError::OutOfMemory { .. } => say(&error.to_string()),
        other => other.to_string(),
    }
}

/// A text without options that the command does not have.
pub(super) fn reworded(text: &str, command: &clap::Command) -> String {
    let mut said = String::with_capacity(text.len());
    let mut done = 0;
    for mention in mentions(text) {
        if mention.command.is_some() || has(command, &mention.option) {
            continue;
        }
        said += &text[done..mention.place.start];
        done = mention.place.end;
        said += &match key_of(&mention.option).filter(|_| command.get_name() == "compare") {
            Some(key) => key.to_owned(),
            None => format!("`convrnn-train train --{}`", mention.option),
        };
    }
    said + &text[done..]
}

/// Whether a command has an option.
fn has(command: &clap::Command, option: &str) -> bool {
    let is_given =
        |argument: &clap::Arg| argument.get_long_and_visible_aliases().is_some_and(|names| names.contains(&option));
    matches!(option, "help" | "version") || command.get_arguments().any(is_given)
}

#[cfg(test)]
mod tests {
    use super::super::Arguments;
    use super::*;
    use clap::CommandFactory;

    fn said(name: &str, text: &str) -> String {
        reworded(text, Arguments::command().find_subcommand(name).unwrap())
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

    #[test]
    fn what_was_found_stays_as_it_is() {
        let invalid = TrainerError::Invalid {
            what: "--batch",
            expected: "at most 3".into(),
            found: "--batch".into(),
            hint: "give a smaller --batch".into(),
        };
        let program = Arguments::command();
        let found = message(&invalid, program.find_subcommand("compare").unwrap());
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
            for option in &options {
                for mention in mentions(&reworded(&format!("give --{option}"), command)) {
                    let is_right = mention.command.is_some() || has(command, &mention.option);
                    assert!(is_right, "{} says --{option}", command.get_name());
                }
            }
        }
    }
}
