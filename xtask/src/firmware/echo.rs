//! Drives the `echo` program: every byte comes back, in bursts longer than the device's queue; the report is plausible.

use std::{
    io::{Read, Write},
    path::Path,
    thread,
};

use anyhow::{Context, Result, ensure};

use super::{board::Board, qemu::Machine};

/// The byte that asks for the report.
const END_OF_TRANSMISSION: u8 = 4;

/// Longest burst sent before its echo is read, several times the device's queue.
const LONGEST_BURST: usize = 20_000;

/// Runs the check and returns a line on what was seen.
pub fn check(image: &Path) -> Result<String> {
    let mut machine = Machine::start(Board::CORTEX_M4, image)?;
    let mut sent = 0;
    for length in [1, 2, 63, 64, 65, 1000, LONGEST_BURST] {
        let burst = pattern(length);
        let mut writer = machine.line.try_clone()?;
        let echo = thread::scope(|scope| {
            let writing = scope.spawn(|| writer.write_all(&burst));
            let mut echo = vec![0; length];
            machine.line.read_exact(&mut echo).with_context(|| format!("no full echo of {length} bytes"))?;
            writing.join().map_err(|_| anyhow::anyhow!("the writing thread ended early"))??;
            anyhow::Ok(echo)
        })?;
        ensure!(echo == burst, "{length} bytes came back changed, first at byte {:?}", first_difference(&echo, &burst));
        sent += length;
    }
    machine.line.write_all(&[END_OF_TRANSMISSION])?;
    let mut report = [0; 13];
    machine.line.read_exact(&mut report).context("no report from the device")?;
    ensure!(report[0] == END_OF_TRANSMISSION, "the report starts with {} instead of 4", report[0]);
    let word = |at: usize| u32::from_le_bytes([report[at], report[at + 1], report[at + 2], report[at + 3]]);
    let (ticks, stack, overruns) = (word(1), word(5), word(9));
    ensure!(ticks > 0, "the device's tick stands still");
    ensure!((64..=4096).contains(&stack), "a peak stack of {stack} bytes is not plausible for this program");
    ensure!(overruns == 0, "the device lost bytes {overruns} times");
    machine.finish()?;
    Ok(format!("{sent} bytes echoed in QEMU, {ticks} ticks of 10 ms, peak stack {stack} bytes, none lost"))
}

/// Bytes that differ from their neighbours and are never the one that ends the program.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index.wrapping_mul(167) >> 3) as u8).map(|byte| if byte == 4 { 5 } else { byte }).collect()
}

fn first_difference(left: &[u8], right: &[u8]) -> Option<usize> {
    left.iter().zip(right).position(|(left, right)| left != right)
}
