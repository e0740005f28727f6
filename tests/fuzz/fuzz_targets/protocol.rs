//! Any bytes on the line: the decoder drops what is damaged and never counts past what came, and a
//! whole message right after the noise is accepted.

#![no_main]

use convrnn_runtime::protocol::{Decoder, Envelope, Request, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut buffer = [0; 256];
    let mut decoder = Decoder::new(&mut buffer);
    for &byte in bytes {
        let _ = decoder.push::<Request>(byte);
    }
    // The end of whatever was under way.
    let _ = decoder.push::<Request>(0);
    let before = decoder.counters();
    assert!(before.accepted as usize + before.refused() as usize <= bytes.len() + 1);
    let mut frame = [0; 64];
    let frame = encode(&Envelope { sequence: 7, message: Request::Reset { id: 42 } }, &mut frame).unwrap();
    let accepted = frame.iter().filter_map(|&byte| {
        let envelope = decoder.push::<Request>(byte)?;
        Some((envelope.sequence, envelope.message == Request::Reset { id: 42 }))
    });
    assert_eq!(accepted.collect::<Vec<_>>(), [(7, true)]);
});
