//! Aligned memory on the host.

use std::ops::{Deref, DerefMut};

/// Bytes at an address that the runtime accepts for programs and arenas.
#[derive(Clone, Debug)]
pub struct AlignedBytes {
    blocks: Vec<u128>,
    length: usize,
}

impl AlignedBytes {
    /// Zeros.
    pub fn zeroed(length: usize) -> Self {
        Self { blocks: vec![0; length.div_ceil(size_of::<u128>())], length }
    }

    /// A copy of bytes.
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut aligned = Self::zeroed(bytes.len());
        aligned.copy_from_slice(bytes);
        aligned
    }
}

impl Deref for AlignedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.blocks)[..self.length]
    }
}

impl DerefMut for AlignedBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.blocks)[..self.length]
    }
}
