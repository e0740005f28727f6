//! The layers of a step on two cores at once: the host's bits, and what each core's share takes.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail, ensure};

use super::{Board, Firmware, Toolchain, count, qemu, say};
use crate::{checkout, process};

const BOARD: Board = Board::TWO_CORTEX_M33;

/// The network whose layers are shared out.
const NETWORK: &str = "rgc-28-m4";

/// Instructions of both cores' shares of one step.
type Shares = [u64; 2];

/// Steps the network on both cores. The host's programs are there.
pub fn check() -> Result<()> {
    let processor = BOARD.processor;
    if Toolchain::find(BOARD).is_none() {
        say(&format!("left out: {processor} (no compiler for {}; see `cargo xtask setup`)", BOARD.target));
        return Ok(());
    }
    let program = checkout::firmware_target("programs").join(format!("{NETWORK}-parallel.crnn"));
    let examples = checkout::built("examples");
    process::run_on_stderr(
        Command::new(examples.join("untrained_program")).arg(NETWORK).arg(&program).arg("parallel"),
    )?;
    let expected = process::answer(Command::new(examples.join("conformance_programs")).arg("steps").arg(&program))
        .with_context(|| format!("no checksum of {}", program.display()))?;
    let image = Firmware { board: BOARD, program: "two_cores", network: Some(&program) }.release()?;
    let (text, steps) = run(&image)?;
    let numbers = |label: &str| -> Result<[u64; 2]> {
        let line =
            text.lines().find_map(|line| line.strip_prefix(label)).with_context(|| format!("no {label}: {text}"))?;
        let (first, second) = line.trim().split_once(' ').with_context(|| format!("{line:?} are no two numbers"))?;
        Ok([first.parse()?, second.parse()?])
    };
    let [checksum, _] = numbers("checksum")?;
    ensure!(checksum.to_string() == expected, "{processor}: checksum {checksum}, the host's is {expected}");
    ensure!(
        numbers("cores that computed the shares, a bit each")? == [1, 2],
        "not each core has computed its share: {text}"
    );
    let [first_layers, first] = numbers("first core: layers, multiply-accumulates")?;
    let [second_layers, second] = numbers("second core: layers, multiply-accumulates")?;
    ensure!(first_layers > 0 && second_layers > 0, "one core has computed nothing: {text}");
    say(&format!(
        "{processor}: the host's bits in {} steps of {NETWORK}, {first_layers} layers ({first} multiply-accumulates) on one \
         core, {second_layers} ({second}) on the other",
        steps.len()
    ));
    if let Some([one, other]) = steps.last() {
        let (longer, sum) = (one.max(other), one + other);
        say(&format!(
            "{processor}: {one} and {other} instructions in the last step: the longer share is {:.0} % of both",
            100.0 * *longer as f64 / sum as f64
        ));
    }
    Ok(())
}

/// What the image says, and both shares of every step.
fn run(image: &Path) -> Result<(String, Vec<Shares>)> {
    let plugin = count::build_plugin()?;
    let output = checkout::firmware_target(count::PLUGIN).join("processors.txt");
    if output.exists() {
        fs::remove_file(&output).with_context(|| format!("cannot remove {}", output.display()))?;
    }
    let mut command = qemu::silent(BOARD, image);
    command.arg("-plugin").arg(format!("{},processors={}", plugin.display(), output.display()));
    let ended = process::output(&mut command)?;
    let text = String::from_utf8_lossy(&ended.stdout).into_owned();
    if !ended.status.success() {
        bail!("the firmware did not end well ({}): {text}{}", ended.status, String::from_utf8_lossy(&ended.stderr));
    }
    let marks = fs::read_to_string(&output).with_context(|| {
        format!("QEMU left no {}: its plugin interface may not be version 1 (QEMU 4.2 to 8.1)", output.display())
    })?;
    let steps = shares(&marks).with_context(|| format!("not two marks a core and step:\n{marks}"))?;
    Ok((text, steps))
}

/// From lines of a processor and its instructions so far, two for each share, the shares.
fn shares(marks: &str) -> Option<Vec<Shares>> {
    let of = |processor: &str| -> Option<Vec<u64>> {
        let counts: Option<Vec<u64>> = marks
            .lines()
            .filter_map(|line| line.split_once(' ').filter(|(number, _)| *number == processor))
            .map(|(_, count)| count.parse().ok())
            .collect();
        let pairs = counts?;
        // The first mark itself is counted.
        let shares =
            pairs.chunks_exact(2).map(|pair| pair[1].checked_sub(pair[0] + 1)).collect::<Option<Vec<u64>>>()?;
        (2 * shares.len() == pairs.len()).then_some(shares)
    };
    let (first, second) = (of("0")?, of("1")?);
    (first.len() == second.len()).then(|| first.into_iter().zip(second).map(|(one, other)| [one, other]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_both_processors_are_paired_by_step() {
        let marks = "0 100\n1 7\n1 20\n0 151\n1 30\n0 160\n0 171\n1 36\n";
        assert_eq!(shares(marks), Some(vec![[50, 12], [10, 5]]));
        assert_eq!(shares("0 100\n0 151\n"), None);
        assert_eq!(shares("0 100\n0 151\n1 3\n"), None);
    }
}
