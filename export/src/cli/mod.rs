//! The command line: one file a subcommand.

mod completions;
mod cost;
mod drift;
mod inspect;
mod onnx;
mod program;
mod stream;
mod validate;

use clap::{Parser, Subcommand};
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

/// What a subcommand ends with. Errors are printed as `error: ...` and end with exit code 1.
pub type Outcome = Result<ExitCode, Box<dyn Error>>;

/// ONNX models and device programs from a checkpoint, checked on every engine.
#[derive(Debug, Parser)]
#[command(name = "convrnn-export", version, about)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Onnx(onnx::Arguments),
    Program(program::Arguments),
    Validate(validate::Arguments),
    Inspect(inspect::Arguments),
    Cost(cost::Arguments),
    Drift(drift::Arguments),
    Stream(stream::Arguments),
    Completions(completions::Arguments),
}

/// Runs a subcommand.
pub fn run(arguments: Arguments) -> Outcome {
    match arguments.command {
        Command::Onnx(arguments) => onnx::run(&arguments),
        Command::Program(arguments) => program::run(&arguments),
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Cost(arguments) => cost::run(&arguments),
        Command::Drift(arguments) => drift::run(&arguments),
        Command::Stream(arguments) => stream::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}

/// Writes a line to standard output; unlike `println!` a closed pipe is an error, not a panic.
fn say(text: impl std::fmt::Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Writes indented JSON to standard output.
fn say_json(value: &impl serde::Serialize) -> Result<(), Box<dyn Error>> {
    Ok(say(serde_json::to_string_pretty(value)?)?)
}

/// Tells the user of something that is no error, on standard error. Nothing is said where that has gone.
fn warn(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "warning: {text}");
}

/// Whether whoever read our output has gone, as in `convrnn-export inspect … | head`.
pub fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Thousands apart: `12 345`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Bytes as `12.3 KiB`.
fn bytes(number: u64) -> String {
    match number {
        0..1024 => format!("{number} B"),
        1024..1_048_576 => format!("{:.1} KiB", number as f64 / 1024.0),
        1_048_576.. => format!("{:.1} MiB", number as f64 / 1_048_576.0),
    }
}
