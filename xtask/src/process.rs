//! Running other programs: never with a standard input, always with the command line in the error.

use std::{
    ffi::OsStr,
    io,
    path::PathBuf,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// The command as one would type it, for messages.
pub fn describe(command: &Command) -> String {
    let parts = std::iter::once(command.get_program()).chain(command.get_args());
    parts.map(|part| part.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Runs a command to its end; its output goes where this program's goes.
pub fn run(command: &mut Command) -> Result<()> {
    command.stdin(Stdio::null());
    let status = command.status().with_context(|| format!("cannot start `{}`", describe(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", describe(command));
    }
    Ok(())
}

/// As [`run`], with the command's standard output on standard error: for helpers whose output is progress.
pub fn run_on_stderr(command: &mut Command) -> Result<()> {
    command.stdout(io::stderr());
    run(command)
}

/// Runs a command to its end and returns status and output, whatever the status is.
pub fn output(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null());
    command.output().with_context(|| format!("cannot start `{}`", describe(command)))
}

/// Standard output of a command that succeeds, trimmed; `None` when it is missing or fails.
pub fn answer(command: &mut Command) -> Option<String> {
    let output = output(command).ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// First file of that name in the folders of `PATH`.
pub fn find(program: impl AsRef<OsStr>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program.as_ref())).find(|file| file.is_file())
}

/// True for the user who may install packages.
pub fn is_root() -> bool {
    answer(Command::new("id").arg("-u")).as_deref() == Some("0")
}

/// A child that is killed when dropped, so that no failed test leaves one behind.
pub struct Guarded(std::process::Child);

impl Guarded {
    /// Starts the command without a standard input.
    pub fn start(command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::null());
        let child = command.spawn().with_context(|| format!("cannot start `{}`", describe(command)))?;
        Ok(Self(child))
    }

    /// Fails when the child has ended already.
    pub fn still_running(&mut self) -> Result<()> {
        match self.0.try_wait()? {
            Some(status) => bail!("it ended early ({status})"),
            None => Ok(()),
        }
    }

    /// Asks the child to end, and waits until it has; what it leaves behind is then complete.
    pub fn end(mut self, limit: Duration) -> Result<()> {
        let id = self.0.id().to_string();
        run(Command::new("kill").args(["-TERM", &id]))?;
        let end = Instant::now() + limit;
        while self.0.try_wait()?.is_none() {
            if Instant::now() > end {
                bail!("it had not ended {} s after it was asked to", limit.as_secs());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Waits until the child has ended by itself with success, at most for `limit`.
    pub fn finish(mut self, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        loop {
            match self.0.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("it ended with a failure ({status})"),
                None if Instant::now() > end => {
                    bail!("it had not ended after {} s", limit.as_secs())
                }
                None => thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Both fail only when the child has ended already, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
