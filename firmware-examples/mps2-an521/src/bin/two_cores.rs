//! Steps a network with the layers of each step on both cores at once, and says what each core did and the checksum of
//! all states and logits, which the host compares with its own.
//!
//! The program is part of the image: `CONVRNN_PROGRAM` names its file when this is built. Its plan is `parallel`.
#![no_std]
#![no_main]

use conformance::steps;
use convrnn_runtime::{Arena, BuiltIn, LayerTask, Portable, Session, arena_length, assert_fits, include_program};
use cortex_m_rt::entry;
use firmware::{
    cores::{SecondCore, identity},
    end, memory,
    registers::mark,
    say,
};
use heapless::Vec;

static PROGRAM: BuiltIn = include_program!(env!(
    "CONVRNN_PROGRAM",
    "set CONVRNN_PROGRAM to the full path of an int8 program (.crnn) of the parallel plan"
));

/// RAM that is kept for both stacks.
const RESERVED_BYTES: usize = 96 * 1024 + FRAME_BYTES;

const _: () = assert_fits(PROGRAM.bytes(), memory::RAM_BYTES - RESERVED_BYTES);
const ARENA_BYTES: usize = arena_length(PROGRAM.bytes());

/// The largest frame.
const FRAME_BYTES: usize = 32 * 1024;

/// Layers that one core can be given.
const LAYERS: usize = 32;

/// What a core did.
#[derive(Clone, Copy, Default)]
struct Done {
    layers: u32,
    multiply_accumulates: u64,
    /// One bit for each core that was here.
    cores: u32,
}

/// Layers for one core.
type Share<'a> = Vec<LayerTask<'a>, LAYERS>;

#[entry]
fn main() -> ! {
    static mut ARENA: Arena<ARENA_BYTES> = Arena::for_program(PROGRAM.bytes());
    static mut FRAME: [u8; FRAME_BYTES] = [0; FRAME_BYTES];

    let Some(mut second_core) = SecondCore::start() else { end(false) };
    let Ok(mut session) = Session::built_in(PROGRAM, ARENA.as_mut_slice()) else { end(false) };
    let (mut first, mut second) = (Done::default(), Done::default());
    let checksum = steps::run(&mut session, FRAME, |session| {
        {
            let Some((mut share, mut other)) = shares(session) else {
                say("not a program of the parallel plan, or of too many layers", 0, 0);
                end(false)
            };
            second_core.join(|| compute(&mut share, &mut first), || compute(&mut other, &mut second));
        }
        session.end_step();
    });
    let Some(checksum) = checksum else { end(false) };
    for (name, done) in
        [("first core: layers, multiply-accumulates", first), ("second core: layers, multiply-accumulates", second)]
    {
        say(name, done.layers, u32::try_from(done.multiply_accumulates).unwrap_or(u32::MAX));
    }
    say("cores that computed the shares, a bit each", first.cores, second.cores);
    say("checksum", checksum, 0);
    end(true)
}

/// The layers of a step in two shares: the dearest layer left goes to whoever has less.
fn shares<'a>(session: &'a mut Session<'_, '_>) -> Option<(Share<'a>, Share<'a>)> {
    let mut layers: Share<'a> = Vec::new();
    for layer in session.begin_step()? {
        layers.push(layer).ok()?;
    }
    let (mut first, mut second) = (Share::new(), Share::new());
    let (mut first_cost, mut second_cost) = (0_u64, 0_u64);
    while let Some((dearest, _)) = layers.iter().enumerate().max_by_key(|(_, layer)| layer.multiply_accumulates()) {
        if dearest >= layers.len() {
            break;
        }
        let layer = layers.swap_remove(dearest);
        let (share, cost) = match first_cost <= second_cost {
            true => (&mut first, &mut first_cost),
            false => (&mut second, &mut second_cost),
        };
        *cost = cost.saturating_add(layer.multiply_accumulates());
        share.push(layer).ok()?;
    }
    Some((first, second))
}

/// Computes a share, between two marks for the instruction counter.
fn compute(share: &mut Share<'_>, done: &mut Done) {
    mark();
    for layer in share.iter_mut() {
        layer.run(&mut Portable);
        done.layers = done.layers.saturating_add(1);
        done.multiply_accumulates = done.multiply_accumulates.saturating_add(layer.multiply_accumulates());
    }
    done.cores |= 1 << (identity() & 31);
    mark();
}
