//! Programs that are part of the firmware image.

/// Bytes at an address that is a multiple of [`convrnn_format::ALIGNMENT`].
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug)]
pub struct Aligned<T: ?Sized>(
    /// The bytes.
    pub T,
);

const _: () = assert!(align_of::<Aligned<[u8; 1]>>() == convrnn_format::ALIGNMENT);

/// The bytes of a program file, aligned for loading in place: `&'static [u8]`. The path is relative
/// to the file that uses the macro. Bytes that are no program of this version stop the build.
#[macro_export]
macro_rules! include_program {
    ($path:expr) => {{
        static PROGRAM: &$crate::Aligned<[u8]> = &$crate::Aligned(*include_bytes!($path));
        const _: () = $crate::assert_fits(include_bytes!($path), usize::MAX);
        &PROGRAM.0
    }};
}
