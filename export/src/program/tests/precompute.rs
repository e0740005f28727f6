//! Programs that start from computed states against those that compute every layer at every step.

use super::super::*;
use super::network::*;
use convrnn_format::{Element, NONE, Numerics, Program};
use convrnn_graph::Tensor;
use convrnn_graph::testing::{RandomNetwork, random_frames, random_parameters};
#[cfg(target_arch = "x86_64")]
use convrnn_runtime::backend::{Level, X86};
use convrnn_runtime::{Backend, Frame, Host, LayerProgress, Portable, Session, Work, arena_length};
use rand::SeedableRng;

/// Steps of a run; in the middle of it there is a reset.
const LONG: usize = 16;
const RESET: usize = 9;
/// Largest difference in f32, relative to the largest magnitude of the tensor (at least 1).
const TOLERANCE: f64 = 1e-5;

const SKIPPINGS: [Skipping; 3] = [Skipping::None, Skipping::Propagation, Skipping::Comparison];

/// A program in both forms.
struct Pair {
    plain: AlignedBytes,
    late: AlignedBytes,
}

impl Pair {
    fn both(network: &RandomNetwork, quantized: &Quantized, options: ProgramOptions) -> [Self; 2] {
        let RandomNetwork { graph, parameters } = network;
        let write = |numerics, precompute| {
            let options = ProgramOptions { precompute, ..options };
            let bytes = match numerics {
                Numerics::Real => write_real(graph, parameters, &description(), &options),
                Numerics::Integer => write_integer(quantized, &description(), &options),
            };
            AlignedBytes::copy_of(&bytes.expect("a program"))
        };
        [Numerics::Integer, Numerics::Real]
            .map(|numerics| Self { plain: write(numerics, false), late: write(numerics, true) })
    }

    /// By layer of the architecture: its first step.
    fn first_steps(&self) -> Vec<usize> {
        let program = Program::new_checked(&self.late).expect("the program loads");
        let mut layers: Vec<_> = program.layers().collect();
        layers.sort_by_key(|layer| layer.layer);
        layers.iter().map(|layer| layer.first_step.into()).collect()
    }
}

fn pairs(seed: u64, plan: Plan, skipping: Skipping) -> [Pair; 2] {
    let (network, frames) = network(seed);
    let options = ProgramOptions { skipping, plan, ..ProgramOptions::default() };
    Pair::both(&network, &quantized(&network, &frames), options)
}

/// Shows frame number `number`, which differs from every other.
fn show<B: Backend>(session: &mut Session<'_, '_, B>, number: usize) {
    let elements = session.buffer(session.program().prelude().frame_buffer).expect("the frame").buffer.elements();
    let pixel = |index: usize| (index * 37 + number * 23) % 200;
    let integers: Vec<i8> = (0..elements).map(|index| (pixel(index) as i32 - 100) as i8).collect();
    let reals: Vec<f32> = (0..elements).map(|index| pixel(index) as f32 / 100.0 - 1.0).collect();
    let presented = session.present(Frame::Quantized(&integers));
    presented.or_else(|_| session.present(Frame::Real(&reals))).expect("the frame fits");
}

/// A value after a step: the layer that computes it, its name, its bytes.
type Value = (usize, String, Vec<u8>);

fn values<B: Backend>(session: &Session<'_, '_, B>) -> Vec<Value> {
    let program = session.program();
    let mut values = Vec::new();
    for (index, state) in program.states().enumerate() {
        let name = program.name(state.name, state.name_length).to_owned();
        values.push((state.layer.into(), name, session.state(index).expect("a state").bytes.to_vec()));
    }
    for tap in program.taps() {
        let name = program.name(tap.name, tap.name_length).to_owned();
        let layer = program.layers().find(|layer| name.starts_with(program.name(layer.name, layer.name_length)));
        let layer = layer.expect("a tap of a layer").layer;
        values.push((layer.into(), format!("tap {name}"), session.buffer(tap.buffer).expect("a tap").bytes.to_vec()));
    }
    let logits = session.buffer(program.prelude().logits_buffer).expect("the logits").bytes.to_vec();
    let last = program.layer_count() - 1;
    values.push((last, "logits".into(), logits));
    values
}

/// Values of every step, with `changes` telling when a new frame comes.
fn run<B: Backend>(
    program: &AlignedBytes,
    backend: B,
    changes: impl Fn(usize) -> bool,
    step: impl Fn(&mut Session<'_, '_, B>),
) -> (Vec<Vec<Value>>, Work) {
    let mut arena = AlignedBytes::zeroed(arena_length(program));
    let mut session = Session::with_backend(program, &mut arena, backend).expect("the program loads");
    let mut steps = Vec::new();
    for number in 0..LONG {
        if number == RESET {
            session.reset();
        }
        if changes(number) {
            show(&mut session, number);
        }
        step(&mut session);
        steps.push(values(&session));
    }
    (steps, session.work())
}

/// Fails unless every value is the same from its layer's first step on; gives how many were compared, logits apart.
fn assert_same(pair: &Pair, plain: &[Vec<Value>], late: &[Vec<Value>], context: &str) -> [usize; 2] {
    let first_steps = pair.first_steps();
    let is_real = Program::new_checked(&pair.plain).expect("loads").numerics() == Numerics::Real;
    let mut compared = [0; 2];
    for (number, (plain, late)) in plain.iter().zip(late).enumerate() {
        let step = if number < RESET { number + 1 } else { number + 1 - RESET };
        assert_eq!(plain.len(), late.len());
        for ((layer, name, expected), (_, _, found)) in plain.iter().zip(late) {
            if step < first_steps[*layer] {
                continue;
            }
            compared[usize::from(name == "logits")] += 1;
            let place = format!("{context}, step {}, {name}", number + 1);
            match is_real {
                false => assert_eq!(found, expected, "{place}"),
                true => assert_close(found, expected, &place),
            }
        }
    }
    compared
}

fn assert_close(found: &[u8], expected: &[u8], place: &str) {
    let [found, expected] = [found, expected].map(|bytes| -> Vec<f32> { bytemuck::pod_collect_to_vec(bytes) });
    let magnitude = expected.iter().fold(1.0, |largest: f64, x| largest.max(f64::from(x.abs())));
    for (found, expected) in found.iter().zip(&expected) {
        let difference = f64::from((found - expected).abs());
        assert!(difference <= TOLERANCE * magnitude, "{place}: {found}, expected {expected}");
    }
}

/// A new frame in every step, or one for several, and through the reset.
fn change_every_step(_: usize) -> bool {
    true
}

fn change_now_and_then(number: usize) -> bool {
    number.is_multiple_of(5)
}

#[test]
fn values_are_the_same_from_each_layers_first_step_on() {
    let (mut late_layers, mut with_states, mut compared) = (0, 0, [0; 2]);
    for seed in 0..60 {
        for plan in [Plan::Sequential, Plan::Parallel] {
            for skipping in SKIPPINGS {
                for pair in pairs(seed, plan, skipping) {
                    late_layers += pair.first_steps().iter().filter(|&&step| step > 1).count();
                    let program = Program::new_checked(&pair.late).expect("the program loads");
                    with_states += usize::from(program.states().any(|state| state.initial != NONE));
                    for changes in [change_every_step, change_now_and_then] {
                        let context = format!("seed {seed}, {plan:?}, {skipping:?}");
                        let (plain, _) = run(&pair.plain, Portable, changes, at_once);
                        let (late, work) = run(&pair.late, Portable, changes, at_once);
                        let found = assert_same(&pair, &plain, &late, &context);
                        compared = [compared[0] + found[0], compared[1] + found[1]];
                        // Layers that are left for nothing but their first step.
                        let left = |steps: usize| -> usize {
                            pair.first_steps().iter().map(|first| (first - 1).min(steps)).sum()
                        };
                        if skipping == Skipping::None {
                            let left = (left(RESET) + left(LONG - RESET)) as u32;
                            let layers = (LONG * pair.first_steps().len()) as u32;
                            assert_eq!((work.skipped_layers, work.layers), (left, layers - left), "{context}");
                        }
                    }
                }
            }
        }
    }
    println!("{late_layers} late layers, {with_states} programs with states, {compared:?} values and logits");
    assert!(late_layers > 500 && with_states > 200, "{late_layers} {with_states}");
    assert!(compared[0] > 50_000 && compared[1] > 8_000, "{compared:?}");
}

fn at_once<B: Backend>(session: &mut Session<'_, '_, B>) {
    session.step();
}

/// Layers from the last to the first, against the order of the program.
fn step_backwards(session: &mut Session<'_, '_>) {
    let mut tasks: Vec<_> = session.begin_step().expect("of the parallel plan").collect();
    tasks.iter_mut().rev().for_each(|task| task.run(&mut Portable));
    session.end_step();
}

fn layer_by_layer(session: &mut Session<'_, '_>) {
    while session.step_layer() == LayerProgress::Within {}
}

#[test]
fn every_way_to_step_and_every_backend_gives_the_same_bits() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads");
    for seed in 0..24 {
        for (plan, skipping) in
            [Plan::Sequential, Plan::Parallel].into_iter().flat_map(|plan| SKIPPINGS.map(|s| (plan, s)))
        {
            let [integer, real] = pairs(seed, plan, skipping);
            for pair in [&integer, &real] {
                let expected = run(&pair.late, Portable, change_now_and_then, at_once);
                let same = |found, way: &str| assert_eq!(found, expected, "seed {seed}, {plan:?}, {skipping:?}, {way}");
                same(run(&pair.late, Portable, change_now_and_then, layer_by_layer), "layer by layer");
                if plan == Plan::Parallel {
                    same(run(&pair.late, Portable, change_now_and_then, |s| s.step_on(&pool)), "threads");
                    same(run(&pair.late, Portable, change_now_and_then, step_backwards), "backwards");
                }
            }
            #[cfg(target_arch = "x86_64")]
            let expected = run(&integer.late, Portable, change_every_step, at_once);
            #[cfg(target_arch = "x86_64")]
            for backend in Level::ALL.into_iter().filter_map(X86::with_level) {
                let found = run(&integer.late, backend, change_every_step, at_once);
                assert_eq!(found, expected, "seed {seed}, {plan:?}, {skipping:?}, {}", backend.level().name());
            }
        }
    }
}

#[test]
fn small_nets_of_the_catalogue_answer_the_same() {
    for name in ["rgc-28", "rgc-median-28", "lstm-28", "search-28", "rgc-32"] {
        let graph = convrnn_models::catalogue::find(name).expect("an entry").lower().expect("a valid entry");
        let parameters = random_parameters(&graph, &mut rand_chacha::ChaCha8Rng::seed_from_u64(3));
        let (graph, parameters) = passes::fold(&graph, &parameters).expect("finite");
        let frames: Vec<Tensor> = random_frames(graph.frame, 4, 5);
        let network = RandomNetwork { graph, parameters };
        let quantized = quantized(&network, &frames);
        for pair in Pair::both(&network, &quantized, ProgramOptions::default()) {
            let first_steps = pair.first_steps();
            let (plain, _) = run(&pair.plain, Host::default(), change_every_step, at_once);
            let (late, work) = run(&pair.late, Host::default(), change_every_step, at_once);
            let compared = assert_same(&pair, &plain, &late, name);
            println!("{name}: first steps {first_steps:?}, {work:?}, {compared:?} compared");
            assert!(compared[1] > 0 && work.skipped_layers > 0, "{name}");
        }
    }
}

#[test]
fn written_states_and_snapshots_go_on_as_they_would() {
    let (mut late_programs, mut resumed) = (0, 0);
    for seed in 0..30 {
        for skipping in SKIPPINGS {
            for pair in pairs(seed, Plan::Sequential, skipping) {
                late_programs += usize::from(pair.first_steps().iter().any(|&step| step > 1));
                let mut arenas = [&pair.plain, &pair.late, &pair.late].map(|p| AlignedBytes::zeroed(arena_length(p)));
                let [plain, late, other] = &mut arenas;
                let mut plain = Session::new(&pair.plain, plain).expect("the program loads");
                let mut late = Session::new(&pair.late, late).expect("the program loads");
                let mut other = Session::new(&pair.late, other).expect("the program loads");
                let mut snapshot = vec![0; late.snapshot_length()];
                // From a snapshot of any step, a session elsewhere goes on with the same bits.
                for number in 0..6 {
                    show(&mut late, number);
                    show(&mut other, number);
                    late.snapshot(&mut snapshot).expect("between steps");
                    other.reset();
                    other.restore(&snapshot).expect("of this program");
                    late.step();
                    other.step();
                    assert_eq!(values(&other), values(&late), "seed {seed}, {skipping:?}, step {number}");
                    resumed += 1;
                }
                // After states were written, every layer runs.
                plain.reset();
                late.reset();
                for number in 0..3 {
                    show(&mut plain, number);
                    plain.step();
                }
                for index in 0..plain.program().states().count() {
                    late.write_state(index, plain.state(index).expect("a state").bytes).expect("the state fits");
                }
                // A snapshot taken then knows.
                late.snapshot(&mut snapshot).expect("between steps");
                other.reset();
                other.restore(&snapshot).expect("of this program");
                for number in 3..6 {
                    for session in [&mut plain, &mut late, &mut other] {
                        show(session, number);
                        session.step();
                    }
                    assert_eq!(values(&late), values(&plain), "seed {seed}, {skipping:?}, written, step {number}");
                    assert_eq!(values(&other), values(&plain), "seed {seed}, {skipping:?}, restored, step {number}");
                }
            }
        }
    }
    assert!(late_programs > 100 && resumed > 1000, "{late_programs} {resumed}");
}

/// States that are written while a step is under way are not overwritten by layers that the step left.
#[test]
fn a_step_goes_on_with_the_layers_it_began_with() {
    let mut kept = 0;
    for seed in 0..30 {
        for pair in pairs(seed, Plan::Parallel, Skipping::None) {
            let first_steps = pair.first_steps();
            let mut arena = AlignedBytes::zeroed(arena_length(&pair.late));
            let mut session = Session::new(&pair.late, &mut arena).expect("the program loads");
            session.step_layer();
            for index in 0..session.program().states().count() {
                let buffer = session.state(index).expect("a state").buffer;
                let layer = usize::from(session.program().state(index).expect("a state").layer);
                if first_steps[layer] == 1 || !session.is_within_step() {
                    continue;
                }
                let bytes = match Element::from_byte(buffer.element) {
                    Some(Element::F32) => 1.5_f32.to_le_bytes().repeat(buffer.elements()),
                    Some(Element::I8 | Element::I16 | Element::I32) | None => vec![3; buffer.length as usize],
                };
                session.write_state(index, &bytes).expect("the state fits");
            }
            let before: Vec<Value> = values(&session);
            session.step();
            for (before, after) in before.iter().zip(values(&session)).take(session.program().states().count()) {
                if first_steps[before.0] > 1 {
                    assert_eq!(*before, after, "seed {seed}");
                    kept += 1;
                }
            }
        }
    }
    assert!(kept > 30, "{kept}");
}

/// A layer that reads the frame alone has to compute its output again after it was set to zero, held frame or not.
#[test]
fn what_was_reset_under_a_held_frame_is_computed_again() {
    let mut networks = 0;
    for seed in 0..40 {
        for skipping in [Skipping::Propagation, Skipping::Comparison] {
            for pair in pairs(seed, Plan::Sequential, skipping) {
                let mut arenas = [(); 2].map(|()| AlignedBytes::zeroed(arena_length(&pair.plain)));
                let [first, second] =
                    &mut arenas.each_mut().map(|arena| Session::new(&pair.plain, arena).expect("the program loads"));
                second.set_skipping(false);
                let mut snapshot = vec![0; first.snapshot_length()];
                for session in [&mut *first, &mut *second] {
                    show(session, 0);
                    session.snapshot(&mut snapshot).expect("between steps");
                    session.step();
                    session.step();
                }
                for number in 0..6 {
                    for session in [&mut *first, &mut *second] {
                        match number {
                            0 => session.reset(),
                            3 => session.restore(&snapshot).expect("of this program"),
                            _ => {}
                        }
                        session.step();
                    }
                    assert_eq!(values(first), values(second), "seed {seed}, {skipping:?}, step {number}");
                }
                networks += 1;
            }
        }
    }
    assert_eq!(networks, 160);
}
