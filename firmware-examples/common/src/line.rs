//! The host's end of the device: requests in, answers out, whenever no step is being computed.

use convrnn_runtime::{
    Backend, LoadError,
    protocol::{Answer, Decoder, ErrorKind, ProgramInfo, Report, Request},
};

use crate::{
    device::{Device, Reply},
    outbox::Outbox,
    registers, serial, stack,
};

/// Bytes taken off the queue at once: few, so that a tick is never kept waiting.
const PIECE_BYTES: usize = 64;

/// Both directions of the line.
pub struct Line<'memory> {
    decoder: Decoder<'memory>,
    receive_bytes: u32,
    /// Answers on their way.
    pub outbox: &'memory mut Outbox,
}

impl<'memory> Line<'memory> {
    /// A line that takes framed requests of up to the buffer's length.
    pub fn new(buffer: &'memory mut [u8], outbox: &'memory mut Outbox) -> Self {
        Self { receive_bytes: buffer.len() as u32, decoder: Decoder::new(buffer), outbox }
    }

    /// Sends and takes a piece; sleeps until the next interrupt if there was nothing to do.
    pub fn serve<B: Backend>(&mut self, device: &mut Result<Device<'_, '_, B>, LoadError>) {
        self.outbox.send_waiting();
        let mut piece = [0; PIECE_BYTES];
        let count = serial::receive(&mut piece);
        for &byte in piece.iter().take(count) {
            if let Some(envelope) = self.decoder.push::<Request<'_>>(byte) {
                let reply = match device {
                    Ok(device) => device.take(&envelope.message),
                    Err(error) => Reply::Error { kind: ErrorKind::Load, detail: error.kind as u32 },
                };
                self.answer(device, reply);
            }
        }
        if count == 0 && self.outbox.is_empty() {
            cortex_m::asm::wfi();
        }
    }

    fn answer<B: Backend>(&mut self, device: &Result<Device<'_, '_, B>, LoadError>, reply: Reply) {
        let answer = match (reply, device) {
            (Reply::Program, Ok(device)) => {
                Answer::Program(ProgramInfo { receive_buffer: self.receive_bytes, ..device.program() })
            }
            (Reply::Report, Ok(device)) => Answer::Report(self.complete(device.report())),
            (Reply::Received { id, offset }, _) => Answer::Received { id, offset },
            (Reply::Error { kind, detail }, _) => Answer::Error { kind, detail },
            // Without a device every request is refused with an error.
            (Reply::Silence, _) | (Reply::Program | Reply::Report, Err(_)) => return,
        };
        self.outbox.put(&answer);
    }

    /// Adds what is known here to a report.
    fn complete(&self, report: Report) -> Report {
        let counters = self.decoder.counters();
        Report {
            peak_stack: stack::peak_bytes() as u32,
            stack: stack::available_bytes() as u32,
            flash: registers::flash_bytes() as u32,
            static_memory: registers::static_bytes() as u32,
            accepted: counters.accepted,
            refused: counters.refused(),
            overruns: serial::overruns(),
            dropped: self.outbox.dropped(),
            ..report
        }
    }
}
