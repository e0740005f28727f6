//! Programs that are part of the firmware image.

/// Bytes at an address that is a multiple of [`convrnn_format::ALIGNMENT`].
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug)]
pub struct Aligned<T: ?Sized>(
    /// The bytes.
    pub T,
);

const _: () = assert!(align_of::<Aligned<[u8; 1]>>() == convrnn_format::ALIGNMENT);

/// Includes a program file in an image, aligned for reading in place: a [`crate::BuiltIn`], for
/// [`crate::Session::built_in`]. With the feature `include`, which is one of the defaults.
///
/// ```text
/// static PROGRAM: BuiltIn = include_program!("net.crnn");
/// static PROGRAM: BuiltIn = include_program!(env!("NET", "set NET to the path of a program"));
/// static PROGRAM: BuiltIn = include_program!(concat!(env!("OUT_DIR"), "/net.crnn"));
/// ```
///
/// The path is relative to the file that uses the macro. The whole program is verified while that file is compiled, as
/// loading it would: one that is damaged, or of another version, is an error of the compiler, and the firmware needs no
/// code that verifies it.
#[cfg(feature = "include")]
#[macro_export]
macro_rules! include_program {
    ($($path:tt)*) => { $crate::include::include_verified!($crate, $($path)*) };
}

#[cfg(feature = "include")]
#[doc(hidden)]
pub use convrnn_include::include_verified;
