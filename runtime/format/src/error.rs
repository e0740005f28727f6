//! Why bytes are not a program that can be run.

use core::fmt;

/// A program that was refused. Small and `Copy`, so that firmware can send it over a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// What is wrong.
    pub kind: LoadErrorKind,
    /// The operation concerned, in order of execution, where there is one.
    pub operation: Option<u16>,
    /// The value found, an offset or an index, as the kind says.
    pub detail: u32,
}

impl LoadError {
    /// An error that concerns no single operation.
    pub const fn new(kind: LoadErrorKind, detail: u32) -> Self {
        Self { kind, operation: None, detail }
    }

    /// An error of one operation.
    pub const fn at(kind: LoadErrorKind, operation: u32, detail: u32) -> Self {
        Self { kind, operation: Some(operation as u16), detail }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $message:literal, $detail:literal;)*) => {
        /// What is wrong with a program. The documentation of each says what `detail` is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum LoadErrorKind {
            $($(#[$doc])* $kind,)*
        }

        impl LoadErrorKind {
            /// Every kind.
            pub const ALL: &'static [LoadErrorKind] = &[$(LoadErrorKind::$kind,)*];

            /// What is wrong, and what to do.
            pub const fn message(self) -> &'static str {
                match self {
                    $(LoadErrorKind::$kind => $message,)*
                }
            }

            /// What the detail is.
            pub const fn detail(self) -> &'static str {
                match self {
                    $(LoadErrorKind::$kind => $detail,)*
                }
            }
        }
    };
}

kinds! {
    /// Fewer bytes than the prelude or than the prelude says; detail: bytes found.
    Truncated = "the program is cut short: copy the whole file", "bytes found";
    /// More bytes than the prelude says; detail: bytes expected.
    TrailingBytes = "there are bytes after the program: pass the program alone", "bytes expected";
    /// Another kind of file; detail: the first four bytes.
    Magic = "this is not a convrnn device program", "first four bytes";
    /// Another format version; detail: the version found.
    FormatVersion = "the program has another format version: use a matching runtime or export again", "version found";
    /// Another operation set; detail: the version found.
    OperationSetVersion = "the program uses another set of operations: use a matching runtime or export again", "version found";
    /// Another packing version; detail: the version found.
    PackingVersion = "the program's weights are packed by another version: use a matching runtime or export again", "version found";
    /// The CRC does not match; detail: the CRC computed.
    Checksum = "the program is damaged: its checksum does not match", "CRC computed";
    /// The program's first byte is not aligned to 16; detail: the remainder.
    ProgramAlignment = "the program's bytes are not aligned to 16: include them with include_program!", "address modulo 16";
    /// The arena is not aligned to 16; detail: the remainder.
    ArenaAlignment = "the arena is not aligned to 16: use the Arena type", "address modulo 16";
    /// The arena is too short; detail: bytes needed.
    ArenaTooSmall = "the arena is too small for the program", "bytes needed";
    /// A number outside its enumeration; detail: the number.
    Unknown = "a field holds a value this version does not know", "value found";
    /// A count beyond the limit; detail: the count.
    TooMany = "the program has more records than a program may have", "count found";
    /// A section that is missing or appears twice; detail: its kind.
    Section = "a section is missing or appears twice", "section kind";
    /// A section that passes the program's end, is misaligned, or does not hold the records
    /// counted; detail: its kind.
    SectionBounds = "a section passes the end of the program or has the wrong length", "section kind";
    /// A name outside the strings section, or not UTF-8; detail: its start.
    Name = "a name lies outside the strings or is not UTF-8", "start of the name";
    /// Metadata that cannot be read; detail: section length.
    Metadata = "the metadata cannot be read", "bytes of metadata";
    /// A buffer that passes the arena's end, is misaligned, or has not the length of its shape;
    /// detail: buffer index.
    BufferBounds = "a buffer passes the end of the arena, is misaligned or has the wrong length", "buffer index";
    /// A side of zero or too large; detail: buffer index.
    Shape = "a tensor has a side of zero or too large a side", "buffer index";
    /// Scale or zero point out of range; detail: buffer index.
    Quantization = "a scale or a zero point is out of range", "buffer index";
    /// An index of a record that does not exist; detail: the index.
    Index = "a record refers to a record that does not exist", "index found";
    /// An element type that the operation does not take; detail: buffer index.
    ElementType = "an operation has a tensor of the wrong element type", "buffer index";
    /// Operand count; detail: the count.
    OperandCount = "an operation has the wrong number of operands", "count found";
    /// Shapes of operands and output that do not fit; detail: buffer index.
    ShapeMismatch = "the shapes of an operation do not fit together", "buffer index";
    /// A window that does not fit or a stride of zero; detail: the side.
    Window = "a window does not fit into its map", "extent found";
    /// Channel groups that do not divide the channels; detail: groups.
    Groups = "the channel groups do not divide the channels", "groups found";
    /// A packing with empty tiles or one that does not fit the convolution; detail: packing index.
    Packing = "a weight packing does not fit its convolution", "packing index";
    /// A constant outside its section or misaligned; detail: its offset.
    Constant = "a constant lies outside the constants or is misaligned", "offset found";
    /// A rescale with a negative multiplier or a shift above 31; detail: multiplier or shift.
    Rescale = "a rescale has a multiplier or a shift out of range", "value found";
    /// A resize table entry out of range; detail: its index.
    ResizeTable = "a resize table points outside its map", "entry index";
    /// Two buffers overlap while both are in use; detail: index of the second.
    Overlap = "two buffers overlap while both are in use", "buffer index";
    /// A buffer read before it is written, written twice, or used outside its declared life;
    /// detail: buffer index.
    Lifetime = "a buffer is used outside its declared life", "buffer index";
    /// A state whose buffer or commit source does not fit; detail: state index.
    State = "a state's buffer or commit source does not fit", "state index";
    /// Layers that do not cover the operations in order; detail: layer record.
    Layers = "the layers do not cover the operations in order", "layer record";
    /// A layer of a parallel program that reads or overwrites another layer's work; detail: buffer.
    Parallel = "layers of a parallel program depend on each other within a step", "buffer index";
    /// A group of operations in bands of rows that does not end, or whose rows do not meet; detail: buffer or count.
    Bands = "bands of rows do not fit together", "buffer or count";
    /// Convolutions that are to share windows and do not read the same; detail: the first one, or how many.
    Siblings = "convolutions that share windows are not alike", "operation or count";
    /// The stated cost is not that of the operation; detail: the low 32 bits stated.
    Cost = "a stated cost does not match the operations", "cost found";
    /// The frame's or the logits' buffer does not fit; detail: buffer index.
    Interface = "the frame or the logits have an impossible buffer", "buffer index";
    /// The backend cannot run the program; detail: backend specific.
    Backend = "the backend cannot run this program", "backend's number";
    /// A layer that begins before the first step, or a state that does not begin with its layer; detail: the step found.
    FirstStep = "a layer begins at step 0, or a state at another step than its layer", "step found";
}

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = self.operation {
            write!(formatter, "operation {operation}: ")?;
        }
        write!(formatter, "{} ({}: {})", self.kind.message(), self.kind.detail(), self.detail)
    }
}

impl core::error::Error for LoadError {}
