//! Damaged and hostile programs: an error or a program that runs, never a panic.

use super::super::*;
use super::network::*;
use convrnn_format::program::seal;
use convrnn_format::{FORMAT_VERSION, LoadErrorKind, OPERATION_SET_VERSION, Prelude, Record};
use convrnn_runtime::{Session, arena_length};
use proptest::prelude::*;

/// Multiply-accumulates that a test is willing to spend on a damaged program.
const AFFORDABLE: u64 = 2_000_000;

fn programs() -> Vec<Vec<u8>> {
    let mut programs = Vec::new();
    for (seed, plan) in [(2, Plan::Sequential), (5, Plan::Parallel)] {
        let (network, frames) = network(seed);
        let options = ProgramOptions { plan, precompute: plan == Plan::Parallel, ..ProgramOptions::default() };
        programs.push(write_real(&network.graph, &network.parameters, &description(), &options).expect("a program"));
        let quantized = quantized(&network, &frames);
        programs.push(write_integer(&quantized, &description(), &options).expect("a program"));
    }
    programs
}

/// Loads and steps. Gives whether the bytes were accepted.
fn try_to_run(bytes: &[u8]) -> bool {
    let program = AlignedBytes::copy_of(bytes);
    // What a device can spare, whatever the bytes ask for.
    let mut arena = AlignedBytes::zeroed(1 << 20);
    let Ok(mut session) = Session::new(&program, &mut arena) else { return false };
    if session.program().prelude().multiply_accumulates < AFFORDABLE {
        session.step();
        session.step();
        session.reset();
        session.logits_crc();
    }
    true
}

#[test]
fn truncated_programs_are_refused() {
    for bytes in programs() {
        assert!(try_to_run(&bytes));
        for length in 0..bytes.len() {
            // With the size in the prelude left, and with it and the CRC made to fit.
            let mut short = bytes[..length].to_vec();
            assert!(!try_to_run(&short), "{length} of {} bytes", bytes.len());
            if length >= Prelude::STRIDE {
                short[12..16].copy_from_slice(&(length as u32).to_le_bytes());
                seal(&mut short);
                try_to_run(&short);
            }
        }
        let mut long = bytes.clone();
        long.push(0);
        assert!(!try_to_run(&long));
    }
}

#[test]
fn every_flipped_bit_is_found_by_the_checksum() {
    let bytes = &programs()[1];
    for index in (0..bytes.len()).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[index] ^= 1 << (index % 8);
        assert!(!try_to_run(&damaged), "byte {index}");
    }
}

#[test]
fn flipped_bits_behind_a_right_checksum_never_panic() {
    for bytes in programs() {
        let constants = convrnn_format::Program::new_checked(&bytes).expect("the program loads");
        let constants = constants.section(convrnn_format::SectionKind::Constants).len();
        // Every byte of the records, one bit each; the constants hold mostly weights, where any bit is as good.
        for index in 0..bytes.len() - constants {
            for bit in [0, 3, 7] {
                let mut damaged = bytes.clone();
                damaged[index] ^= 1 << bit;
                seal(&mut damaged);
                try_to_run(&damaged);
            }
        }
    }
}

#[test]
fn other_versions_are_refused_by_name() {
    let bytes = programs().remove(0);
    let kind_after = |offset: usize, value: u8| {
        let mut other = bytes.clone();
        other[offset] = value;
        seal(&mut other);
        let program = AlignedBytes::copy_of(&other);
        convrnn_format::Program::new_checked(&program).map(|_| ()).expect_err("another version").kind
    };
    assert_eq!(kind_after(0, b'X'), LoadErrorKind::Magic);
    assert_eq!(kind_after(4, FORMAT_VERSION as u8 + 1), LoadErrorKind::FormatVersion);
    assert_eq!(kind_after(6, OPERATION_SET_VERSION as u8 + 1), LoadErrorKind::OperationSetVersion);
    assert_eq!(kind_after(8, 2), LoadErrorKind::Unknown);
    assert_eq!(kind_after(10, 2), LoadErrorKind::PackingVersion);
    assert_eq!(arena_length(&bytes), Prelude::decode(&bytes).expect("a prelude").arena_length as usize);
}

#[test]
fn overlapping_buffers_are_refused() {
    use convrnn_format::{BufferRecord, Program, SectionKind};
    for bytes in programs() {
        let program = Program::new_checked(&bytes).expect("the program loads");
        let section = program.section(SectionKind::Buffers);
        let start = section.as_ptr().addr() - bytes.as_ptr().addr();
        let count = program.buffer_count();
        let mut refused = 0;
        for index in 0..count {
            for other in 0..count {
                let (mut record, target) =
                    (program.buffer(index as u16).expect("a buffer"), program.buffer(other as u16).expect("a buffer"));
                let (life, other_life) = (program.life(&record), program.life(&target));
                let at_once = life.0 <= other_life.1 && other_life.0 <= life.1;
                let is_permanent = target.role != 1 || record.role != 1;
                if index == other || record.offset == target.offset || !(at_once || is_permanent) {
                    continue;
                }
                record.offset = target.offset;
                let mut damaged = bytes.clone();
                record.encode(&mut damaged[start + index * BufferRecord::STRIDE..]).expect("room for a record");
                seal(&mut damaged);
                let error = Program::new_checked(&damaged).expect_err("overlapping buffers");
                assert!(matches!(error.kind, LoadErrorKind::Overlap | LoadErrorKind::BufferBounds), "{error}");
                refused += 1;
            }
        }
        assert!(refused > count, "{refused} cases");
    }
}

#[test]
fn impossible_beginnings_are_refused() {
    use convrnn_format::{LayerRecord, NONE, Program, SectionKind, StateRecord};
    let (mut late, mut given) = (0, 0);
    for bytes in programs() {
        let program = Program::new_checked(&bytes).expect("the program loads");
        let start = |kind| program.section(kind).as_ptr().addr() - bytes.as_ptr().addr();
        let refusal = |damaged: &mut Vec<u8>| {
            seal(damaged);
            Program::new_checked(damaged).map(|_| ()).expect_err("an impossible beginning")
        };
        for (index, record) in program.layers().enumerate() {
            let has_states = program.states().any(|state| state.layer == record.layer);
            late += u32::from(record.first_step > 1);
            for first_step in [0, record.first_step + 1] {
                let mut damaged = bytes.clone();
                let place = start(SectionKind::Layers) + index * LayerRecord::STRIDE;
                LayerRecord { first_step, ..record }.encode(&mut damaged[place..]).expect("room for a record");
                if first_step == 0 || has_states {
                    assert_eq!(refusal(&mut damaged).kind, LoadErrorKind::FirstStep);
                }
            }
        }
        for (index, record) in program.states().enumerate() {
            given += u32::from(record.initial != NONE);
            let place = start(SectionKind::States) + index * StateRecord::STRIDE;
            let write = |record: StateRecord| {
                let mut damaged = bytes.clone();
                record.encode(&mut damaged[place..]).expect("room for a record");
                refusal(&mut damaged)
            };
            let other = write(StateRecord { first_step: record.first_step + 1, ..record });
            assert_eq!((other.kind, other.detail), (LoadErrorKind::FirstStep, u32::from(record.first_step) + 1));
            // Before the constants, past their end, not aligned.
            let constants = start(SectionKind::Constants) as u32;
            let end = constants + program.section(SectionKind::Constants).len() as u32;
            for initial in [0, end.next_multiple_of(16), constants + 4] {
                let error = write(StateRecord { initial, ..record });
                assert_eq!((error.kind, error.detail), (LoadErrorKind::Constant, initial));
            }
        }
    }
    assert!(late > 2 && given > 2, "{late} late layers, {given} states that are given");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_fields_never_panic(
        which in 0..4_usize,
        damage in proptest::collection::vec((any::<u32>(), any::<u32>(), 0..3_u8), 1..5),
    ) {
        thread_local! {
            static PROGRAMS: Vec<Vec<u8>> = programs();
        }
        let mut bytes = PROGRAMS.with(|programs| programs[which].clone());
        for (place, value, width) in damage {
            let offset = (place as usize % (bytes.len() - 4)) & !3;
            match width {
                0 => bytes[offset] = value as u8,
                1 => bytes[offset..offset + 2].copy_from_slice(&(value as u16).to_le_bytes()),
                _ => bytes[offset..offset + 4].copy_from_slice(&(value % 4096).to_le_bytes()),
            }
        }
        seal(&mut bytes);
        try_to_run(&bytes);
    }
}
