//! What a developer does with this repository: set-up, demo, tests, firmware.

mod bench;
mod checkout;
mod demo;
mod firmware;
mod fuzz;
mod process;
mod setup;
mod stages;
mod suite;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Set-up, demo, tests and firmware of convrnn")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Put libtorch, ONNX Runtime, QEMU and a compiler for the Cortex-M4 in place; takes under a second when they are
    Setup,
    /// Train a small network, export it, compare all engines, stream it through a Cortex-M4 in QEMU, write a report
    Demo(demo::DemoArguments),
    /// Run every test, the firmware in QEMU included
    Test(suite::TestArguments),
    /// Fuzz the program loader, `step` and the stream protocol under the address sanitizer
    Fuzz(fuzz::FuzzArguments),
    /// Measure speed against peers, side by side, and write docs/PERFORMANCE.md
    #[command(subcommand)]
    Bench(bench::BenchTask),
    /// Build firmware, or run it in QEMU
    #[command(subcommand)]
    Firmware(firmware::FirmwareTask),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Setup => setup::run(),
        Task::Demo(arguments) => demo::run(&arguments),
        Task::Test(arguments) => suite::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Bench(task) => bench::run(&task),
        Task::Firmware(task) => firmware::run(&task),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
