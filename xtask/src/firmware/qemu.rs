//! QEMU's machines with their serial line on a local TCP port.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::board::Board;
use crate::process::Guarded;

/// One instruction takes 2^3 ns of the machine's time: 125 million a second, which is what a Cortex-M4 at 168 MHz
/// does at 1.3 cycles an instruction. Time stands still for no host: it is counted in instructions, and skipped when
/// the core sleeps.
const INSTRUCTION_CLOCK: &str = "shift=3,sleep=off";

/// How long a start or an answer may take on a busy host.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The command that runs an image; it waits for a connection to the port.
pub fn command(board: Board, image: &Path, port: u16) -> Command {
    with_serial(board, image, &format!("tcp:127.0.0.1:{port},server=on,wait=on,nodelay=on"), "")
}

/// The command that runs an image whose serial line leads nowhere.
pub fn silent(board: Board, image: &Path) -> Command {
    with_serial(board, image, "null", "")
}

/// The same with the path of a file as the image's command line.
pub fn with_file(board: Board, image: &Path, file: &Path) -> Command {
    // A comma would begin another option.
    with_serial(board, image, "null", &format!(",arg={}", file.display().to_string().replace(',', ",,")))
}

fn with_serial(board: Board, image: &Path, serial: &str, argument: &str) -> Command {
    let mut command = Command::new("qemu-system-arm");
    command
        .args(["-machine", board.name, "-display", "none", "-monitor", "none", "-icount", INSTRUCTION_CLOCK])
        .args(["-semihosting-config", &format!("enable=on,target=native{argument}")])
        .args(["-serial", serial])
        .arg("-kernel")
        .arg(image);
    command
}

/// Lets QEMU load a network's program into the machine's external memory, its length in front of it: see
/// `firmware-examples/common/src/external.rs`.
pub fn load(command: &mut Command, board: Board, program: &Path) -> Result<()> {
    let length = program.metadata().with_context(|| format!("cannot read {}", program.display()))?.len();
    let Some(length_at) = board.external else { bail!("{} has no memory to load programs into", board.name) };
    /// The room there is, see the file above.
    const ROOM: u64 = (8 << 20) - 16;
    if length > ROOM {
        bail!("{} has {length} bytes, expected at most {ROOM}: the machine has no room for more", program.display());
    }
    let program_at = length_at + 16;
    // In QEMU's options a comma is written twice.
    let path = std::path::absolute(program)?.to_string_lossy().replace(',', ",,");
    command.arg("-device").arg(format!("loader,addr={length_at:#x},data={length:#x},data-len=4"));
    command.arg("-device").arg(format!("loader,addr={program_at:#x},file={path},force-raw=on"));
    Ok(())
}

/// A port of the loopback that nothing listens on.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

/// A running machine and the line to it.
pub struct Machine {
    process: Guarded,
    /// The device's serial line.
    pub line: TcpStream,
}

impl Machine {
    /// Starts an image and connects to its serial line.
    pub fn start(board: Board, image: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut process = Guarded::start(&mut command(board, image, port))
            .context("QEMU is needed to run firmware: run `cargo xtask setup`, which says how to get it")?;
        let end = Instant::now() + PATIENCE;
        let line = loop {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                Ok(line) => break line,
                Err(error) if Instant::now() > end => {
                    bail!("QEMU opened no serial line at 127.0.0.1:{port} within {} s: {error}", PATIENCE.as_secs())
                }
                Err(_) => process.still_running().context("QEMU did not start")?,
            }
            thread::sleep(Duration::from_millis(20));
        };
        line.set_nodelay(true)?;
        line.set_read_timeout(Some(PATIENCE))?;
        line.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { process, line })
    }

    /// Waits until the program has ended the machine with success.
    pub fn finish(self) -> Result<()> {
        self.process.finish(PATIENCE).context("the firmware did not end well")
    }
}
