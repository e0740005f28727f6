//! Any bytes as a device program: loading either refuses them or gives a session whose steps,
//! snapshots and taps stay within their memory. The checksum is made right first, so that the checks
//! behind it are reached.

#![no_main]

use bytemuck::cast_slice_mut;
use convrnn_runtime::{Frame, LayerProgress, Session};
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
    let mut arena = vec![0_u128; length.div_ceil(16)];
    let Ok(mut session) = Session::new(program, cast_slice_mut(&mut arena)) else { return };
    let pixels: Vec<u8> = (0..1 << 12).map(|i| (i * 37 % 251) as u8).collect();
    let size = session.program().buffer(session.program().prelude().frame_buffer).map_or(0, |frame| frame.elements());
    if let Some(frame) = pixels.get(..size) {
        let _ = session.present(Frame::Bytes(frame));
    }
    session.step();
    session.present_blank();
    while session.step_layer() == LayerProgress::Within {}
    let mut snapshot = vec![0; session.snapshot_length()];
    if session.snapshot(&mut snapshot).is_ok() {
        let _ = session.restore(&snapshot);
    }
    session.step();
    let _ = (session.logits_crc(), session.states_crc());
    for tap in session.program().taps() {
        let _ = session.buffer(tap.buffer).map(|tensor| tensor.elements());
    }
});
