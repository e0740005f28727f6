//! COBS (Cheshire & Baker 1997) with a CRC inside, without a panic path: the `cobs` crate and
//! postcard's own flavour index their buffers, and the index checks would be linked into firmware.

use convrnn_format::crc32;
use crc::{Digest, Table};
use postcard::ser_flavors::Flavor;

/// Longest run of bytes behind one code byte.
const RUN: u8 = 254;

/// A postcard flavour that frames what it is given: `0x00`, COBS of (bytes, CRC), `0x00`.
pub(super) struct Framing<'b> {
    buffer: &'b mut [u8],
    length: usize,
    /// Where the code byte of the current run lies.
    code_at: usize,
    /// Bytes of the current run.
    run: u8,
    digest: Digest<'static, u32, Table<1>>,
}

impl<'b> Framing<'b> {
    pub(super) fn new(buffer: &'b mut [u8]) -> postcard::Result<Self> {
        let mut framing = Self { buffer, length: 0, code_at: 1, run: 0, digest: crc32::digest() };
        // A zero before the frame ends whatever noise came before; then room for the first code.
        framing.append(0)?;
        framing.append(0)?;
        Ok(framing)
    }

    fn append(&mut self, byte: u8) -> postcard::Result<()> {
        *self.buffer.get_mut(self.length).ok_or(postcard::Error::SerializeBufferFull)? = byte;
        self.length = self.length.saturating_add(1);
        Ok(())
    }

    /// Writes the code of the current run and leaves room for the next one's.
    fn end_run(&mut self) -> postcard::Result<()> {
        let code = self.buffer.get_mut(self.code_at).ok_or(postcard::Error::SerializeBufferFull)?;
        *code = self.run.saturating_add(1);
        self.code_at = self.length;
        self.run = 0;
        self.append(0)
    }

    fn stuff(&mut self, byte: u8) -> postcard::Result<()> {
        if byte == 0 {
            return self.end_run();
        }
        self.append(byte)?;
        self.run = self.run.saturating_add(1);
        if self.run == RUN { self.end_run() } else { Ok(()) }
    }
}

impl<'b> Flavor for Framing<'b> {
    type Output = &'b [u8];

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.digest.update(&[byte]);
        self.stuff(byte)
    }

    fn finalize(mut self) -> postcard::Result<&'b [u8]> {
        for byte in self.digest.clone().finalize().to_le_bytes() {
            self.stuff(byte)?;
        }
        // The room left for a next code becomes the closing zero.
        self.end_run()?;
        self.buffer.get(..self.length).ok_or(postcard::Error::SerializeBufferFull)
    }
}

/// Undoes COBS in place and checks the CRC; gives the payload. `frame` holds no zero byte.
pub(super) fn open(frame: &mut [u8]) -> Option<&[u8]> {
    let mut source = 0_usize;
    let mut target = 0_usize;
    while let Some(&code) = frame.get(source) {
        source = source.wrapping_add(1);
        for _ in 1..code {
            let byte = *frame.get(source)?;
            *frame.get_mut(target)? = byte;
            source = source.wrapping_add(1);
            target = target.wrapping_add(1);
        }
        if code <= RUN && source < frame.len() {
            *frame.get_mut(target)? = 0;
            target = target.wrapping_add(1);
        }
    }
    let (payload, crc) = frame.get(..target)?.split_last_chunk::<4>()?;
    (crc32::checksum(payload) == u32::from_le_bytes(*crc)).then_some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_that_of_the_cobs_crate() {
        // Lengths around the longest run, with and without zeros.
        for length in [0, 1, 2, 249, 250, 251, 253, 254, 255, 508, 600] {
            for zero_every in [1, 3, 254, 1000] {
                let payload: [u8; 600] = core::array::from_fn(|i| if i % zero_every == 0 { 0 } else { i as u8 | 1 });
                let payload = payload.get(..length).unwrap_or(&[]);
                let mut buffer = [0; 700];
                let mut framing = Framing::new(&mut buffer).expect("the buffer is long enough");
                payload.iter().for_each(|&byte| framing.try_push(byte).expect("the buffer is long enough"));
                let frame = framing.finalize().expect("the buffer is long enough");
                let [0, inner @ .., 0] = frame else { panic!("the frame lacks its zeros") };
                assert!(!inner.contains(&0));
                let mut expected = [0; 700];
                let mut with_crc = [0; 604];
                with_crc[..length].copy_from_slice(payload);
                with_crc[length..length + 4].copy_from_slice(&crc32::checksum(payload).to_le_bytes());
                let expected_length = cobs::encode(&with_crc[..length + 4], &mut expected);
                let mut decoded = [0; 700];
                decoded[..inner.len()].copy_from_slice(inner);
                assert_eq!(open(&mut decoded[..inner.len()]), Some(payload));
                // The crate drops a last code that stands for nothing; ours may keep it.
                assert_eq!(inner[..expected_length.min(inner.len())], expected[..expected_length.min(inner.len())]);
            }
        }
    }
}
