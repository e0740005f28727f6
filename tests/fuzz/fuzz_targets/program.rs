//! Any bytes as a device program: loading either refuses them or gives a session whose steps,
//! snapshots and taps stay within their memory, and in which every level of the host's own backend gives the portable
//! one's integers. The checksum is made right first, so that the checks behind it are reached.

#![no_main]

use bytemuck::cast_slice_mut;
use convrnn_runtime::backend::{Backend, Level, Portable, X86};
use convrnn_runtime::{Frame, LayerProgress, Numerics, Session};
use libfuzzer_sys::fuzz_target;

/// Larger arenas are legal, but take long to no purpose.
const LARGEST_ARENA: usize = 1 << 18;

/// A copy that starts at a multiple of 16 bytes, as `include_program!` gives it.
fn aligned(bytes: &[u8]) -> Vec<u128> {
    let mut blocks = vec![0; bytes.len().div_ceil(16)];
    cast_slice_mut(&mut blocks)[..bytes.len()].copy_from_slice(bytes);
    blocks
}

fuzz_target!(|bytes: &[u8]| {
    let mut program = aligned(bytes);
    let program: &mut [u8] = &mut cast_slice_mut(&mut program)[..bytes.len()];
    // Too short to hold a checksum: the loader must refuse it as it is.
    let _ = convrnn_format::program::seal(program);
    if !convrnn_format::is_program(program) {
        let _ = Session::new(program, &mut []);
        return;
    }
    let length = convrnn_format::arena_length(program);
    if length > LARGEST_ARENA {
        return;
    }
    let Some((numerics, expected)) = run(program, Portable) else { return };
    for backend in Level::ALL.into_iter().filter_map(X86::with_level) {
        let found = run(program, backend).map(|(_, found)| found);
        match numerics {
            Numerics::Integer => assert_eq!(found.as_ref(), Some(&expected), "{}", backend.level().name()),
            // Infinities and what is no number make any difference.
            Numerics::Real => assert!(found.is_some()),
        }
    }
});

/// Steps a program in every way there is; gives the bytes of its arena that can be seen, after each step. None if it is
/// refused.
fn run<B: Backend>(program: &[u8], backend: B) -> Option<(Numerics, Vec<Vec<u8>>)> {
    let mut arena = vec![0_u128; convrnn_format::arena_length(program).div_ceil(16)];
    let mut session = Session::with_backend(program, cast_slice_mut(&mut arena), backend).ok()?;
    let pixels: Vec<u8> = (0..1 << 12).map(|i| (i * 37 % 251) as u8).collect();
    let size = session.program().buffer(session.program().prelude().frame_buffer).map_or(0, |frame| frame.elements());
    if let Some(frame) = pixels.get(..size) {
        let _ = session.present(Frame::Bytes(frame));
    }
    session.step();
    let mut seen = vec![visible(&session)];
    session.present_blank();
    while session.step_layer() == LayerProgress::Within {}
    seen.push(visible(&session));
    let mut snapshot = vec![0; session.snapshot_length()];
    if session.snapshot(&mut snapshot).is_ok() {
        let _ = session.restore(&snapshot);
    }
    session.step();
    seen.push(visible(&session));
    Some((session.program().numerics(), seen))
}

/// Checksums of states and logits, and the bytes of the taps.
fn visible<B: Backend>(session: &Session<'_, '_, B>) -> Vec<u8> {
    let taps = session.program().taps().filter_map(|tap| session.buffer(tap.buffer));
    let checksums = [session.states_crc(), session.logits_crc()];
    checksums.iter().flat_map(|crc| crc.to_le_bytes()).chain(taps.flat_map(|tap| tap.bytes.to_vec())).collect()
}
