//! The command line of `convrnn-train`: one file a subcommand.

mod compare;
mod completions;
mod eval;
mod features;
mod fine_tune;
mod hints;
mod info;
mod init;
mod list;
mod matched;
mod network_options;
mod progress;
mod table;
mod trace;
mod train;
mod train_options;

use crate::error::Result;
use crate::memory::{caught, say_it_once};
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::process::ExitCode;

/// Train and examine convolutional recurrent networks.
#[derive(Debug, Parser)]
#[command(name = "convrnn-train", version, propagate_version = true, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a network, or go on with a run.
    Train(Box<train_options::Train>),
    /// Write an untrained checkpoint, for counts, costs and exports before training.
    Init(init::Init),
    /// Learn on in int8, so that the device program answers as well as the network did in reals.
    FineTune(Box<fine_tune::FineTune>),
    /// Measure a checkpoint's accuracy by time step.
    Eval(eval::Eval),
    /// Write values of chosen layers by time bin, image by image, for NumPy and xarray.
    Features(features::Features),
    /// Train several architectures over seeds and draw accuracy against parameters.
    Compare(compare::Compare),
    /// Record what libtorch computes, for `convrnn-export validate`.
    Trace(trace::TraceCommand),
    /// List the architectures that come with the program.
    List(list::List),
    /// Describe one architecture or checkpoint: layers, timing, warnings.
    Info(info::Info),
    /// Compute a feedforward net with as many parameters as another net.
    Match(matched::Match),
    /// Write a completion script for a shell.
    Completions(completions::Completions),
}

/// Parses the command line and runs it. Exit code 0, 1 for errors, 2 for wrong usage, 130 after Ctrl-C.
pub fn main() -> ExitCode {
    let matches = Arguments::command().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    say_it_once();
    let done = caught(|| match arguments.command {
        Command::Train(command) => command.run(),
        Command::Init(command) => command.run(),
        Command::FineTune(command) => command.run(),
        Command::Eval(command) => command.run(),
        Command::Features(command) => command.run(),
        Command::Compare(command) => command.run(),
        Command::Trace(command) => command.run(),
        Command::List(command) => command.run(),
        Command::Info(command) => command.run(),
        Command::Match(command) => command.run(),
        Command::Completions(command) => command.run(),
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", said(&error, &matches));
            ExitCode::FAILURE
        }
    }
}

/// The message of an error in the words of the command that was given.
fn said(error: &crate::error::TrainerError, matches: &ArgMatches) -> String {
    let program = Arguments::command();
    let given = matches.subcommand().and_then(|(name, given)| Some((program.find_subcommand(name)?, given)));
    match given {
        Some((command, given)) => {
            let has_study_file = matches!(given.try_contains_id("study"), Ok(true));
            hints::Speaker { command, has_study_file }.message(error)
        }
        None => error.to_string(),
    }
}

/// Writes a result to stdout; a reader that has gone (`| head`) is not an error.
fn print(text: &str) -> Result<()> {
    use std::io::Write;
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(crate::error::TrainerError::io("write", std::path::Path::new("standard output"))(error))
        }
        _ => Ok(()),
    }
}

/// A value as JSON text, for commands that give that.
fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).expect("reports have a JSON form") + "\n"
}
