//! Files of the host, over semihosting: for test programs that take more than an image holds.
#![allow(unsafe_code)]

use cortex_m_semihosting::{nr, syscall1};

/// Longest command line, with the zero behind it.
const COMMAND_LINE: usize = 512;

/// Opens for reading, as bytes.
const READ_BINARY: usize = 1;

/// A file that is read from its start to its end.
#[derive(Debug)]
pub struct HostFile {
    handle: usize,
}

impl HostFile {
    /// The file whose path is the command line that the host gives the program; none if there is no such file.
    pub fn of_command_line() -> Option<Self> {
        let mut line = [0_u8; COMMAND_LINE];
        let mut place = [line.as_mut_ptr() as usize, line.len()];
        // SAFETY: the host writes at most as many bytes as the second word says to where the first points, which is
        // `line` in full, and then their number without the final zero into the second; both are borrowed for writing
        // through the call, and the assembly behind it is taken to write what it has the address of.
        let failed = unsafe { syscall1(nr::GET_CMDLINE, place.as_mut_ptr() as usize) } != 0;
        let [_, length] = place;
        let path = line.get(..length).filter(|path| !failed && !path.is_empty())?;
        Self::open(path)
    }

    fn open(path: &[u8]) -> Option<Self> {
        let arguments = [path.as_ptr() as usize, READ_BINARY, path.len()];
        // SAFETY: the three words are a name, a mode and the name's length, all of memory that lives through the call;
        // the host only reads it. A zero follows the name: it is a part of a buffer that the host filled with one.
        let handle = unsafe { syscall1(nr::OPEN, arguments.as_ptr() as usize) };
        (handle != usize::MAX).then_some(Self { handle })
    }

    /// Fills a buffer; false if the file ends before.
    pub fn read(&mut self, buffer: &mut [u8]) -> bool {
        if buffer.is_empty() {
            return true;
        }
        let arguments = [self.handle, buffer.as_mut_ptr() as usize, buffer.len()];
        // SAFETY: the words are a handle that the host gave, and a buffer that is borrowed for writing through the call
        // with its length; the host writes no more, which the assembly behind the call is taken to do.
        let missing = unsafe { syscall1(nr::READ, arguments.as_ptr() as usize) };
        missing == 0
    }
}
