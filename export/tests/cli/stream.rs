//! `convrnn-export stream` against a device on loopback: a session behind the runtime's protocol.

use crate::common::{Fixture, export, output};
use convrnn_export::device::{calibration_path, program};
use convrnn_export::program::{AlignedBytes, ProgramOptions};
use convrnn_models::Checkpoint;
use convrnn_runtime::protocol::{
    Answer, Decoder, Envelope, ErrorKind, ProgramInfo, Report, Request, Scores, StepResult, encode,
};
use convrnn_runtime::{Frame, Numerics, Session, arena_length};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// A device that serves one connection. With `fault` it flips a bit of a state's CRC at that step of
/// the second image, as a broken kernel would.
struct Device {
    address: String,
    thread: JoinHandle<()>,
}

impl Device {
    fn start(program: AlignedBytes, fault: Option<u32>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("tcp:{}", listener.local_addr().expect("an address"));
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a host");
            serve(stream, &program, fault);
        });
        Self { address, thread }
    }
}

fn serve(mut stream: TcpStream, program: &AlignedBytes, fault: Option<u32>) {
    let mut arena = AlignedBytes::zeroed(arena_length(program));
    let mut session = Session::new(program, &mut arena).expect("a program");
    let info = ProgramInfo { tick_microseconds: 10_000, receive_buffer: 600, ..ProgramInfo::of(&session) };
    let size = info.frame.iter().map(|&side| usize::from(side)).product();
    let mut staged = vec![0; size];
    let mut buffer = vec![0; 600];
    let mut decoder = Decoder::new(&mut buffer);
    let (mut sequence, mut steps_done) = (0, 0);
    let mut answer = |stream: &mut TcpStream, message: Answer<'_>| {
        let mut buffer = vec![0; 4096];
        let bytes = encode(&Envelope { sequence, message }, &mut buffer).expect("room");
        sequence += 1;
        // The host may have gone once it has what it wants.
        let _ = stream.write_all(bytes);
    };
    let mut received = [0; 512];
    while let Ok(count @ 1..) = stream.read(&mut received) {
        for &byte in &received[..count] {
            let Some(envelope) = decoder.push::<Request<'_>>(byte) else { continue };
            match envelope.message {
                Request::Hello => answer(&mut stream, Answer::Program(info)),
                Request::Reset { id } => answer(&mut stream, Answer::Received { id, offset: 0 }),
                Request::Chunk { id, offset, pixels } => {
                    let start = offset as usize;
                    match staged.get_mut(start..start + pixels.len()) {
                        Some(part) => {
                            part.copy_from_slice(pixels);
                            answer(&mut stream, Answer::Received { id, offset });
                        }
                        None => {
                            answer(&mut stream, Answer::Error { kind: ErrorKind::ChunkBounds, detail: size as u32 })
                        }
                    }
                }
                Request::Present { id, steps, image_steps, reset, pixels } => {
                    let pixels = if pixels.is_empty() { &staged } else { pixels };
                    session.present(Frame::Bytes(pixels)).expect("a frame");
                    if reset {
                        session.reset();
                    }
                    for step in 1..=u32::from(steps) {
                        if step == u32::from(image_steps) + 1 {
                            session.present_blank();
                        }
                        session.step();
                        steps_done += 1;
                        let broken = u32::from(id == 2 && fault == Some(step));
                        let result = StepResult {
                            id,
                            step: session.steps(),
                            scores: Scores::of(&session),
                            logits_crc: session.logits_crc(),
                            states_crc: session.states_crc() ^ broken,
                            tick: steps_done,
                            elapsed: 1,
                            missed: 0,
                        };
                        answer(&mut stream, Answer::Step(result));
                    }
                }
                Request::Report => {
                    answer(&mut stream, Answer::Report(Report { steps: steps_done, ..Report::default() }))
                }
            }
        }
    }
}

/// A program file of the given arithmetic and a trace of five images.
fn prepared(numerics: Numerics) -> (Fixture, PathBuf, AlignedBytes) {
    let fixture = Fixture::new("rgc-28-m4");
    fixture.write_trace(5, 0);
    let checkpoint = fixture.path("checkpoint");
    let read = Checkpoint::read(&checkpoint).expect("a checkpoint");
    let options = ProgramOptions::default();
    let bytes = program(&read, numerics, &options, &calibration_path(&checkpoint), |_| ()).expect("a program");
    let path = fixture.path("net.crnn");
    std::fs::write(&path, &*bytes).expect("written");
    (fixture, path, bytes)
}

fn stream(fixture: &Fixture, program: &Path, device: Device, extra: &[&str], code: i32) -> serde_json::Value {
    let mut command = export(&["stream", "--json", "--connect", &device.address], &[program]);
    command.arg("--trace").arg(fixture.path("trace.safetensors")).args(extra);
    let summary = serde_json::from_str(&output(&mut command, code)).expect("JSON");
    device.thread.join().expect("the device ends");
    summary
}

#[test]
fn a_device_with_the_hosts_bits_passes_in_both_arithmetics() {
    for numerics in [Numerics::Integer, Numerics::Real] {
        let (fixture, path, bytes) = prepared(numerics);
        let summary = stream(&fixture, &path, Device::start(bytes, None), &[], 0);
        assert_eq!(
            (&summary["steps"], &summary["answered"], &summary["differing"]),
            (&40.into(), &40.into(), &0.into())
        );
        assert_eq!((&summary["resent"], &summary["line"]["damaged"]), (&0.into(), &0.into()), "{summary}");
        // The trace's labels are the float network's own answers.
        assert!(numerics == Numerics::Integer || summary["right"] == serde_json::json!([5, 5]), "{summary}");
    }
}

#[test]
fn one_wrong_bit_is_found_and_placed() {
    let (fixture, path, bytes) = prepared(Numerics::Integer);
    let summary = stream(&fixture, &path, Device::start(bytes, Some(6)), &[], 1);
    assert_eq!(summary["differing"], 1);
    let expected = serde_json::json!({ "image": 1, "step": 6, "what": "CRC of the states" });
    assert_eq!(summary["first_difference"], expected);
}

#[test]
fn a_bad_line_loses_messages_but_lets_no_damaged_one_through() {
    let (fixture, path, bytes) = prepared(Numerics::Integer);
    let summary = stream(&fixture, &path, Device::start(bytes, None), &["--damage", "100", "--images", "3"], 0);
    assert_eq!(summary["differing"], 0, "{summary}");
    assert!(summary["line"]["damaged"].as_u64() > Some(0) && summary["resent"].as_u64() > Some(0), "{summary}");
    assert!(summary["answered"].as_u64() > Some(0), "{summary}");
}

#[test]
fn a_line_that_was_to_be_damaged_and_was_not_does_not_pass() {
    let (fixture, path, bytes) = prepared(Numerics::Integer);
    let extra = ["--damage", "4000000000", "--images", "1"];
    let summary = stream(&fixture, &path, Device::start(bytes, None), &extra, 1);
    assert_eq!((&summary["differing"], &summary["answered"]), (&0.into(), &8.into()), "{summary}");
    assert_eq!(summary["failure"], "no byte was damaged: show more images, or damage one byte of fewer");
}

#[test]
fn a_device_with_another_program_is_refused() {
    let (fixture, path, _) = prepared(Numerics::Integer);
    let other = Device::start(prepared(Numerics::Real).2, None);
    let mut command = export(&["stream", "--connect", &other.address], &[&path]);
    let run = command.arg("--trace").arg(fixture.path("trace.safetensors")).output().expect("the program starts");
    assert_eq!(run.status.code(), Some(1));
    let error = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(error.starts_with("error: the device runs another program: its CRC is "), "{error}");
    other.thread.join().expect("the device ends");
}

#[test]
fn scores_are_printed_a_line_a_step_where_there_is_no_terminal() {
    let (_fixture, path, bytes) = prepared(Numerics::Integer);
    let device = Device::start(bytes, None);
    let text = output(&mut export(&["stream", "--images", "2", "--connect", &device.address], &[&path]), 0);
    device.thread.join().expect("the device ends");
    assert_eq!(text.lines().filter(|line| line.contains("same as host")).count(), 16, "{text}");
    assert!(text.lines().last().is_some_and(|line| line == "the device gives the host's bits"), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
}
