//! The device program (`.crnn`): its bytes, written by the exporter and read in place by the
//! runtime. No operating system, no allocator.
//!
//! ```text
//! prelude        fixed, little endian, see [`Prelude`]; a `const fn` can read it
//! section table  16 bytes a section, see [`SectionRecord`]
//! sections       operations, operands, buffers, states, layers, taps, packings (fixed strides),
//!                strings, constants (each aligned to 16 from the program's start), metadata (postcard)
//! ```
//!
//! Every record is defined once, by [`record!`], which gives its decoder to the runtime and its
//! encoder to the exporter. [`Program::new_checked`] turns untrusted bytes into a verified view: it
//! checks bounds, shapes, element types, tables and the arena plan, so that whoever executes the
//! program afterwards cannot fail. A newer format, operation set or packing is refused.
//!
//! All lengths and offsets are in bytes, shapes are channels, height, width, and elements lie in
//! height, width, channel order (NHWC).
#![no_std]
#![forbid(unsafe_code)]

pub mod bands;
pub mod buffer;
pub mod built_in;
pub mod crc32;
pub mod error;
pub mod metadata;
pub mod operation;
pub mod packing;
pub mod prelude;
pub mod program;
pub mod record;
pub mod section;
pub mod siblings;
pub mod tables;
pub mod verify;

pub use buffer::{BufferRecord, Element, Role};
pub use built_in::BuiltIn;
pub use error::{LoadError, LoadErrorKind};
pub use metadata::Metadata;
pub use operation::{Function, OperationKind, OperationRecord, Resampling, TableKind};
pub use packing::{Packing, PackingKind};
pub use prelude::{Numerics, Plan, Prelude, Skipping, arena_length, assert_fits, is_program};
pub use program::Program;
pub use record::Record;
pub use section::{SectionKind, SectionRecord, section_start};
pub use tables::{LayerRecord, NameReference, OperandRecord, ResizeEntry, StateKind, StateRecord, TapRecord};

/// First four bytes of a program.
pub const MAGIC: [u8; 4] = *b"CRNN";
/// Version of the prelude, the section table and the records' layouts.
pub const FORMAT_VERSION: u16 = 2;
/// Version of the set of operations and of their arithmetic.
pub const OPERATION_SET_VERSION: u16 = 2;
/// Version of the weight packings that [`Packing`] can describe.
pub const PACKING_VERSION: u16 = 1;
/// Alignment of the program's first byte, of the arena, and of every constant.
pub const ALIGNMENT: usize = 16;
/// Alignment of a buffer's offset in the arena.
pub const BUFFER_ALIGNMENT: usize = 8;
/// Index or offset that stands for "none" in 32-bit fields.
pub const NONE: u32 = u32::MAX;
/// Index that stands for "none" in 16-bit fields.
pub const NO_INDEX: u16 = u16::MAX;
/// Most operations, buffers, states, layers, taps or packings a program may have: verification
/// compares buffers pair by pair, so this bounds its time.
pub const MAXIMUM_RECORDS: u32 = 2048;
/// Most operands of all operations together.
pub const MAXIMUM_OPERANDS: u32 = 8192;
/// Most operands of one convolution: kernels keep them on the stack.
pub const MAXIMUM_CONVOLUTION_OPERANDS: usize = 16;
/// Most convolutions that share their windows, and most operands of each: backends keep them on the stack.
pub const MAXIMUM_SIBLINGS: usize = 4;
/// See [`MAXIMUM_SIBLINGS`].
pub const MAXIMUM_SIBLING_OPERANDS: usize = 2;
/// Most operations of a group that is computed in bands: this and [`MAXIMUM_BANDS`] bound the time of verification.
pub const MAXIMUM_GROUP: usize = 64;
/// Most bands of a group.
pub const MAXIMUM_BANDS: u32 = 1024;
/// Largest side, channel count, kernel, stride or padding.
pub const MAXIMUM_EXTENT: u32 = 32767;
