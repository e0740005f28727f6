//! `cargo xtask firmware`: bare-metal programs, with whatever compiler for the target is there.

mod build;
mod echo;
mod qemu;
mod toolchain;

use anyhow::Result;
use clap::Subcommand;

pub use toolchain::Toolchain;

/// The example that set-up, demo and tests use.
const EXAMPLE: &str = "mps2-an386";

#[derive(Subcommand)]
pub enum FirmwareTask {
    /// Build one program and say where it is and how large
    Build(Choice),
    /// Build one program and run it in QEMU with its serial line on a local TCP port
    Run {
        #[command(flatten)]
        choice: Choice,
        /// Port of the serial line; any free one when left out
        #[arg(long)]
        port: Option<u16>,
    },
    /// Check in QEMU that the serial line, the tick and the stack gauge work, and that a panic path fails the link
    Check,
}

#[derive(clap::Args)]
pub struct Choice {
    /// Program: a file of `src/bin` in the example's folder
    #[arg(default_value = "echo")]
    program: String,
    /// Folder in `firmware-examples`
    #[arg(long, default_value = EXAMPLE)]
    example: String,
}

pub fn run(task: &FirmwareTask) -> Result<()> {
    match task {
        FirmwareTask::Build(choice) => {
            let image = build::release(&choice.example, &choice.program, &[])?;
            println!("{}", image.display());
            println!("{}", build::size(&image)?);
            Ok(())
        }
        FirmwareTask::Run { choice, port } => {
            let image = build::release(&choice.example, &choice.program, &[])?;
            let port = port.map_or_else(qemu::free_port, Ok)?;
            eprintln!(
                "the serial line is at 127.0.0.1:{port}; QEMU starts the program when something connects"
            );
            crate::process::run(&mut qemu::command(&image, port))
        }
        FirmwareTask::Check => check(),
    }
}

/// What is missing to build and run firmware, if anything.
pub fn missing() -> Option<&'static str> {
    if Toolchain::find().is_none() {
        Some("a compiler for the Cortex-M4")
    } else if crate::process::find("qemu-system-arm").is_none() {
        Some("qemu-system-arm")
    } else {
        None
    }
}

/// The tests of the firmware that need no network.
pub fn check() -> Result<()> {
    build::refuses_panics(EXAMPLE)?;
    println!("firmware: a panic path fails the link");
    let image = build::release(EXAMPLE, "echo", &[])?;
    println!("firmware: {}", build::size(&image)?);
    println!("firmware: {}", echo::check(&image)?);
    Ok(())
}
