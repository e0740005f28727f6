//! Programs that are part of the firmware image.

/// Bytes at an address that is a multiple of [`convrnn_format::ALIGNMENT`].
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug)]
pub struct Aligned<T: ?Sized>(
    /// The bytes.
    pub T,
);

const _: () = assert!(align_of::<Aligned<[u8; 1]>>() == convrnn_format::ALIGNMENT);
