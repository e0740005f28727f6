//! The stream protocol over good and bad lines.

use convrnn_runtime::protocol::{
    Answer, Counters, Decoder, Envelope, MESSAGE_OVERHEAD, Request, Scores, encode, framed_length,
};
use proptest::prelude::*;

fn frame(sequence: u32, message: &Request<'_>) -> Vec<u8> {
    let mut buffer = [0; framed_length(MESSAGE_OVERHEAD + 600)];
    encode(&Envelope { sequence, message: *message }, &mut buffer).expect("the buffer is long enough").to_vec()
}

/// Everything a decoder accepts of a stream, as (sequence, debug text).
fn decode(stream: &[u8], capacity: usize) -> (Vec<(u32, String)>, Counters) {
    let mut buffer = vec![0; capacity];
    let mut decoder = Decoder::new(&mut buffer);
    let mut accepted = Vec::new();
    for &byte in stream {
        if let Some(envelope) = decoder.push::<Request<'_>>(byte) {
            accepted.push((envelope.sequence, format!("{:?}", envelope.message)));
        }
    }
    (accepted, decoder.counters())
}

fn requests(pixels: &[u8]) -> Vec<Request<'_>> {
    vec![
        Request::Hello,
        Request::Reset { id: 7 },
        Request::Chunk { id: 8, offset: 300, pixels },
        Request::Present { id: 9, steps: 8, image_steps: 5, reset: true, pixels },
        Request::Report,
    ]
}

#[test]
fn messages_come_through_a_good_line() {
    let pixels: Vec<u8> = (0..600).map(|index| (index % 256) as u8).collect();
    let requests = requests(&pixels);
    let mut stream = Vec::new();
    for (sequence, request) in requests.iter().enumerate() {
        stream.extend(frame(sequence as u32, request));
    }
    let (accepted, counters) = decode(&stream, framed_length(MESSAGE_OVERHEAD + 600));
    let expected: Vec<(u32, String)> =
        requests.iter().enumerate().map(|(sequence, request)| (sequence as u32, format!("{request:?}"))).collect();
    assert_eq!(accepted, expected);
    assert_eq!(counters, Counters { accepted: 5, ..Counters::default() });
}

#[test]
fn answers_keep_their_scores() {
    let bytes = [1, 0, 254, 255];
    let answer = Answer::Received { id: 3, offset: 4 };
    let mut buffer = [0; 64];
    let sent = encode(&Envelope { sequence: 1, message: answer }, &mut buffer).expect("room").to_vec();
    let mut received = [0; 64];
    let mut decoder = Decoder::new(&mut received);
    let found: Vec<String> = sent
        .iter()
        .filter_map(|&byte| decoder.push::<Answer<'_>>(byte).map(|envelope| format!("{:?}", envelope.message)))
        .collect();
    assert_eq!(found, [format!("{answer:?}")]);
    let scores = Scores::I16(&bytes);
    assert_eq!(
        (scores.classes(), scores.real(0, 0.5), scores.real(1, 0.5), scores.real(2, 0.5)),
        (2, Some(0.5), Some(-1.0), None)
    );
}

#[test]
fn frames_longer_than_the_buffer_are_dropped_and_counted() {
    let pixels = [9; 200];
    let mut stream = frame(0, &Request::Chunk { id: 1, offset: 0, pixels: &pixels });
    stream.extend(frame(1, &Request::Hello));
    let (accepted, counters) = decode(&stream, 64);
    assert_eq!(accepted, [(1, "Hello".to_owned())]);
    assert_eq!((counters.overlong, counters.accepted), (1, 1));
    assert!(
        encode(&Envelope { sequence: 0, message: Request::Chunk { id: 1, offset: 0, pixels: &pixels } }, &mut [0; 64])
            .is_err()
    );
}

#[test]
fn lost_messages_are_counted() {
    let mut stream = frame(0, &Request::Hello);
    stream.extend(frame(4, &Request::Hello));
    stream.extend(frame(5, &Request::Hello));
    assert_eq!(decode(&stream, 64).1.lost, 3);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Damaged bytes, lost bytes and inserted ones: whatever is accepted was sent, and a whole frame
    /// that follows is.
    #[test]
    fn no_damaged_frame_is_accepted_and_the_next_one_is(
        lengths in proptest::collection::vec(0..600_usize, 1..8),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..40),
    ) {
        let mut sent = Vec::new();
        let mut stream = Vec::new();
        for (sequence, &length) in lengths.iter().enumerate() {
            let pixels: Vec<u8> = (0..length).map(|index| (index * sequence) as u8).collect();
            let request = Request::Chunk { id: sequence as u32, offset: 0, pixels: &pixels };
            sent.push((sequence as u32, format!("{request:?}")));
            stream.extend(frame(sequence as u32, &request));
        }
        for (place, byte, kind) in damage {
            let index = place.index(stream.len());
            match kind {
                0 => stream[index] = byte,
                1 => drop(stream.remove(index)),
                _ => stream.insert(index, byte),
            }
            if stream.is_empty() {
                break;
            }
        }
        stream.extend(frame(1000, &Request::Hello));
        let (accepted, counters) = decode(&stream, framed_length(MESSAGE_OVERHEAD + 600));
        let (last, others) = accepted.split_last().expect("the whole frame is accepted");
        prop_assert_eq!(last, &(1000, "Hello".to_owned()));
        for message in others {
            prop_assert!(sent.contains(message), "{:?} was never sent", message);
        }
        prop_assert_eq!(counters.accepted as usize, accepted.len());
    }

    #[test]
    fn noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let (accepted, _) = decode(&noise, 128);
        prop_assert!(accepted.is_empty());
    }
}
