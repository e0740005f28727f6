//! Work that is left out changes nothing, and is as much as the graph says.

use super::super::*;
use super::network::*;
use convrnn_format::Program;
use convrnn_graph::propagation;
use convrnn_runtime::{Frame, Session, Skipping, Work};

/// Steps, long enough for short nets to come to rest.
const LONG: usize = 25;

/// 10 steps of one image and 15 of another, gray or not; the frame is presented when it changes and never again.
const CHANGES: [bool; LONG] = {
    let mut changes = [false; LONG];
    changes[0] = true;
    changes[10] = true;
    changes
};

fn programs(seed: u64, skipping: Skipping, plan: Plan) -> [AlignedBytes; 2] {
    let (network, frames) = network(seed);
    let options = ProgramOptions { skipping, plan, ..ProgramOptions::default() };
    let quantized = quantized(&network, &frames);
    let integer = write_integer(&quantized, &description(), &options).expect("a program");
    let real = write_real(&network.graph, &network.parameters, &description(), &options).expect("a program");
    [integer, real].map(|bytes| AlignedBytes::copy_of(&bytes))
}

/// Checksums of every step, states, logits and taps, and the work done.
fn run(program: &[u8], is_on: bool) -> (Vec<Vec<u32>>, Work) {
    let mut arena = AlignedBytes::zeroed(convrnn_runtime::arena_length(program));
    let mut session = Session::new(program, &mut arena).expect("the program loads");
    session.set_skipping(is_on);
    let taps: Vec<String> = {
        let view = Program::new_checked(program).expect("the program loads");
        view.taps().map(|tap| view.name(tap.name, tap.name_length).to_owned()).collect()
    };
    let elements = session.buffer(session.program().prelude().frame_buffer).expect("the frame").buffer.elements();
    let image = |number: usize| move |index: usize| (index * 37 + number * 11) % 200;
    let mut checksums = Vec::new();
    for (step, &is_new) in CHANGES.iter().enumerate() {
        if is_new {
            let pixel = image(step);
            let integers: Vec<i8> = (0..elements).map(|index| (pixel(index) as i32 - 100) as i8).collect();
            let reals: Vec<f32> = (0..elements).map(|index| pixel(index) as f32 / 100.0 - 1.0).collect();
            let presented = session.present(Frame::Quantized(&integers));
            presented.or_else(|_| session.present(Frame::Real(&reals))).expect("the frame fits");
        }
        session.step();
        let mut step = vec![session.states_crc(), session.logits_crc()];
        let crc = |name: &String| convrnn_format::crc32::checksum(session.tap(name).expect("a tap").bytes);
        step.extend(taps.iter().map(crc));
        checksums.push(step);
    }
    (checksums, session.work())
}

#[test]
fn skipping_changes_no_bit_and_leaves_what_no_change_reaches() {
    let mut at_rest = 0;
    for seed in 0..40 {
        let (network, _) = network(seed);
        let whole = LONG as u64 * convrnn_graph::Cost::new(&network.graph).multiply_accumulates();
        let bound = propagation::multiply_accumulates(&network.graph, &CHANGES);
        for plan in [Plan::Sequential, Plan::Parallel] {
            let plain = programs(seed, Skipping::None, plan).map(|program| run(&program, true));
            for skipping in [Skipping::Propagation, Skipping::Comparison] {
                for (program, plain) in programs(seed, skipping, plan).iter().zip(&plain) {
                    let context = format!("seed {seed}, {skipping:?}, {plan:?}");
                    let (checksums, work) = run(program, true);
                    assert_eq!(checksums, plain.0, "{context}");
                    assert_eq!(work.multiply_accumulates + work.skipped_multiply_accumulates, whole, "{context}");
                    match skipping {
                        Skipping::Propagation => assert_eq!(work.multiply_accumulates, bound, "{context}"),
                        Skipping::Comparison => {
                            assert!(work.multiply_accumulates <= bound, "{context}");
                            at_rest += u32::from(work.multiply_accumulates < bound);
                        }
                        Skipping::None => {}
                    }
                    let (checksums, work) = run(program, false);
                    assert_eq!(checksums, plain.0, "{context}, switched off");
                    assert_eq!((work.skipped_layers, work.multiply_accumulates), (0, whole), "{context}, switched off");
                }
            }
        }
    }
    assert!(at_rest > 20, "{at_rest} programs came to rest");
}

#[test]
fn what_is_written_from_outside_is_seen() {
    for skipping in [Skipping::Propagation, Skipping::Comparison] {
        for program in programs(4, skipping, Plan::Sequential) {
            let mut arena = AlignedBytes::zeroed(convrnn_runtime::arena_length(&program));
            let mut other_arena = AlignedBytes::zeroed(convrnn_runtime::arena_length(&program));
            let mut session = Session::new(&program, &mut arena).expect("the program loads");
            let mut other = Session::new(&program, &mut other_arena).expect("the program loads");
            other.set_skipping(false);
            let mut snapshot = vec![0; session.snapshot_length()];
            for step in 0..20 {
                if step == 6 {
                    session.snapshot(&mut snapshot).expect("between steps");
                }
                if step == 12 {
                    session.restore(&snapshot).expect("of this program");
                    other.restore(&snapshot).expect("of this program");
                }
                if step == 15 {
                    session.reset();
                    other.reset();
                }
                // A frame that comes while a step is under way.
                session.step_layer();
                other.step_layer();
                if step == 9 {
                    session.present_blank();
                    other.present_blank();
                }
                if session.is_within_step() {
                    session.step();
                    other.step();
                }
                assert_eq!((session.states_crc(), session.logits_crc()), (other.states_crc(), other.logits_crc()));
            }
        }
    }
}
