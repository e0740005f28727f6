//! Layers at once give the bits of layers one after the other.

use super::super::*;
use super::network::*;
use convrnn_graph::testing;
use convrnn_runtime::{Frame, Host, LayerTask, Portable, Session, Skipping, arena_length};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn programs(seed: u64, plan: Plan, skipping: Skipping) -> [AlignedBytes; 2] {
    let (network, frames) = network(seed);
    let options = ProgramOptions { plan, skipping, ..ProgramOptions::default() };
    let quantized = quantized(&network, &frames);
    let integer = write_integer(&quantized, &description(), &options).expect("a program");
    let real = write_real(&network.graph, &network.parameters, &description(), &options).expect("a program");
    [integer, real].map(|bytes| AlignedBytes::copy_of(&bytes))
}

/// Runs the layers of a step from the last to the first, against the order of the program.
fn step_backwards(session: &mut Session<'_, '_>) {
    let tasks = session.begin_step().expect("of the parallel plan");
    let mut tasks: Vec<LayerTask<'_>> = tasks.collect();
    for task in tasks.iter_mut().rev() {
        task.run(&mut Portable);
    }
    session.end_step();
}

/// Maps whose rows fill no block of positions.
const ODD_MAPS: &str = r#"
name = "odd-maps"
description = "maps of 11 and of 9 columns"
input = { channels = 3, height = 11, width = 11 }
presentation = { steps = 4, image_steps = 4 }

[[layer]]
convolution = { kernel = 3, channels = 48 }

[[layer]]
convolution = { kernel = 3, channels = 32, padding = "valid" }
cell = { kind = "reciprocal-gated", kernel = 3 }

[[layer]]
convolution = { kernel = 1, channels = 10 }
activation = "none"
average = "before"
"#;

/// Networks whose convolutions are large enough to be shared by threads, in both arithmetics.
fn large_programs() -> Vec<AlignedBytes> {
    let odd = convrnn_models::Architecture::parse(ODD_MAPS, "odd-maps").expect("an architecture");
    let mut programs = Vec::new();
    for architecture in [convrnn_models::catalogue::find("rgc-32").expect("in the catalogue"), odd] {
        let graph = architecture.lower().expect("a graph");
        let parameters = testing::random_parameters(&graph, &mut ChaCha8Rng::seed_from_u64(5));
        let frames = testing::random_frames(graph.frame, 2, 5);
        let network = testing::RandomNetwork { graph, parameters };
        let quantized = quantized(&network, &frames);
        let options = ProgramOptions { plan: Plan::Parallel, target: Target::HOST, ..ProgramOptions::default() };
        let integer = write_integer(&quantized, &description(), &options).expect("a program");
        let real = write_real(&network.graph, &network.parameters, &description(), &options).expect("a program");
        programs.extend([integer, real].map(|bytes| AlignedBytes::copy_of(&bytes)));
    }
    programs
}

#[test]
fn threads_that_share_convolutions_give_the_same_bits() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("threads");
    for program in large_programs() {
        let mut arenas = [(); 2].map(|()| AlignedBytes::zeroed(arena_length(&program)));
        let mut sessions = arenas
            .each_mut()
            .map(|arena| Session::with_backend(&program, arena, Host::default()).expect("the program loads"));
        for step in 0..6 {
            for (way, session) in sessions.iter_mut().enumerate() {
                let frame = session.buffer(session.program().prelude().frame_buffer).expect("the frame").elements();
                let integers: Vec<i8> = (0..frame).map(|index| (index * 37 + step * 11) as i8).collect();
                let reals: Vec<f32> = integers.iter().map(|&value| f32::from(value) / 64.0).collect();
                let presented = session.present(Frame::Quantized(&integers));
                presented.or_else(|_| session.present(Frame::Real(&reals))).expect("the frame fits");
                match way {
                    0 => session.step(),
                    _ if step % 2 == 0 => session.step_on(&pool),
                    _ => pool.install(|| session.step_on(&pool)),
                }
            }
            let found = sessions.each_ref().map(|session| (session.states_crc(), session.logits_crc()));
            assert_eq!(found[1], found[0], "step {step}");
        }
    }
}

#[test]
fn any_order_and_any_thread_gives_the_same_bits() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads");
    for seed in 0..30 {
        for skipping in [Skipping::None, Skipping::Propagation, Skipping::Comparison] {
            for program in programs(seed, Plan::Parallel, skipping) {
                let mut arenas = [(); 3].map(|()| AlignedBytes::zeroed(arena_length(&program)));
                let mut sessions =
                    arenas.each_mut().map(|arena| Session::new(&program, arena).expect("the program loads"));
                let elements = sessions[0].buffer(sessions[0].program().prelude().frame_buffer).expect("the frame");
                let elements = elements.elements();
                for step in 0..9 {
                    // A frame is held for three steps.
                    let pixel = |index: usize| (index * 37 + step / 3 * 11) % 200;
                    let integers: Vec<i8> = (0..elements).map(|index| (pixel(index) as i32 - 100) as i8).collect();
                    let reals: Vec<f32> = (0..elements).map(|index| pixel(index) as f32 / 100.0 - 1.0).collect();
                    for (way, session) in sessions.iter_mut().enumerate() {
                        if step % 3 == 0 {
                            let presented = session.present(Frame::Quantized(&integers));
                            presented.or_else(|_| session.present(Frame::Real(&reals))).expect("the frame fits");
                        }
                        match way {
                            0 => session.step(),
                            1 if step % 2 == 0 => session.step_on(&pool),
                            1 => pool.install(|| session.step_on(&pool)),
                            _ => step_backwards(session),
                        }
                    }
                    let found = sessions.each_ref().map(|s| (s.states_crc(), s.logits_crc(), s.steps(), s.work()));
                    assert_eq!(found[1], found[0], "seed {seed}, {skipping:?}, step {step}, threads");
                    assert_eq!(found[2], found[0], "seed {seed}, {skipping:?}, step {step}, backwards");
                }
            }
        }
    }
}

#[test]
fn a_sequential_program_steps_as_it_can() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads");
    for program in programs(2, Plan::Sequential, Skipping::None) {
        let mut arena = AlignedBytes::zeroed(arena_length(&program));
        let mut session = Session::new(&program, &mut arena).expect("the program loads");
        assert!(session.begin_step().is_none());
        session.step_on(&pool);
        assert_eq!(session.steps(), 1);
    }
}
