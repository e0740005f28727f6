//! Which kernels and which ways to step a program needs, found while compiling.
//!
//! A [`crate::backend::Tailored`] backend and its sessions have no others, so that firmware with one program leaves the
//! rest of the runtime out of its image.

use crate::kernels::convolution::{self, Way};
use crate::kernels::window::Axis;
use convrnn_format::{
    BufferRecord, Element, LayerRecord, NONE, OperandRecord, OperationKind, OperationRecord, Packing, Prelude, Record,
    SectionKind, Skipping, StateRecord, TableKind, section_start,
};

/// What a program needs of the runtime: one bit for each kind of operation with the element type of its output, and for
/// what else decides which code runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uses(u64);

/// What decides beside the kind of an operation and the elements of its output.
#[derive(Clone, Copy)]
pub(crate) enum Use {
    /// A way to convolve.
    Convolution(Way),
    /// A table of a lookup.
    Lookup(TableKind),
    /// A table of an operand of a gated sum.
    Factor(TableKind),
    /// An i8 operand of a gated sum without a table.
    NarrowFactor,
    /// A gated sum with a function.
    Function,
    /// A gated sum without one.
    Sum,
    /// A gated sum that shifts its products.
    ShiftedProducts,
    /// A rescale from i16 to i8 without a shift.
    Narrowing,
    /// Another rescale.
    OtherRescale,
    /// A pooling whose pixels have less than a word.
    SmallPixels,
    /// Operations that are computed in bands of rows.
    Bands,
    /// Convolutions that share their windows.
    Siblings,
    /// Memory for what skipping remembers.
    Skipping,
    /// States with values of their own before the first step, and layers that begin later.
    Beginning,
}

impl Use {
    /// Behind those of the kinds: 12 for each of three element types.
    const fn bit(self) -> u64 {
        let place = match self {
            Use::Convolution(way) => way as u64,
            Use::Lookup(kind) => 8 + kind as u64,
            Use::Factor(kind) => 11 + kind as u64,
            Use::NarrowFactor => 14,
            Use::Function => 15,
            Use::Sum => 16,
            Use::ShiftedProducts => 17,
            Use::Narrowing => 18,
            Use::OtherRescale => 19,
            Use::SmallPixels => 20,
            Use::Bands => 21,
            Use::Siblings => 22,
            Use::Skipping => 23,
            Use::Beginning => 24,
        };
        1 << (36 + place)
    }
}

/// The bit of a kind with outputs of a type.
const fn kind_bit(kind: OperationKind, element: Element) -> u64 {
    let group = match element {
        Element::I8 => 0,
        Element::I16 => 12,
        Element::F32 | Element::I32 => 24,
    };
    1 << (group + kind as u64)
}

impl Uses {
    /// All there are.
    pub const ALL: Self = Self(u64::MAX);

    /// Those that were written as a number.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// As a number, for a constant parameter of a type.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Those of a program. For constant evaluation: bytes that are no program of this version stop the build.
    pub const fn of(program: &[u8]) -> Self {
        convrnn_format::assert_fits(program, usize::MAX);
        let prelude = Prelude::at(program, 0);
        let count = prelude.operation_count as usize;
        let start = section_start(program, SectionKind::Operations);
        let mut bits = match Skipping::from_byte(prelude.skipping) {
            Some(Skipping::None) => 0,
            Some(Skipping::Propagation | Skipping::Comparison) => Use::Skipping.bit(),
            None => panic!("the program has an unknown form of skipping: export it again"),
        };
        if begins_late(program, &prelude) {
            bits |= Use::Beginning.bit();
        }
        let mut index = 0;
        while index < count {
            let record = OperationRecord::at(program, start + index * OperationRecord::STRIDE);
            bits |= Self::of_operation(program, &record);
            index += 1;
        }
        Self(bits)
    }

    const fn of_operation(program: &[u8], record: &OperationRecord) -> u64 {
        let Some(kind) = OperationKind::from_byte(record.kind) else {
            panic!("the program has an operation of an unknown kind: export it again")
        };
        let output = buffer(program, record.output);
        let element = element(&output);
        let more = match kind {
            OperationKind::Convolution => {
                let siblings = if record.has_sibling() { Use::Siblings.bit() } else { 0 };
                Use::Convolution(way(program, record, &output)).bit() | siblings
            }
            OperationKind::Lookup => match TableKind::from_byte(record.variant) {
                Some(kind) => Use::Lookup(kind).bit(),
                None => panic!("the program has a table of an unknown kind: export it again"),
            },
            OperationKind::Rescale => {
                let input = buffer(program, operand(program, record, 0).buffer);
                let is_narrowing = matches!(self::element(&input), Element::I16) && matches!(element, Element::I8);
                let is_narrowing = is_narrowing && record.first_shift == 0;
                if is_narrowing { Use::Narrowing } else { Use::OtherRescale }.bit()
            }
            OperationKind::MaxPool => {
                // Kernels by words take integers of at least a word a pixel.
                let is_small = output.channels as usize * element.size() < 4;
                if is_small || matches!(element, Element::F32) { Use::SmallPixels.bit() } else { 0 }
            }
            OperationKind::GatedSum => of_gated_sum(program, record),
            OperationKind::Add
            | OperationKind::Multiply
            | OperationKind::Affine
            | OperationKind::Activation
            | OperationKind::GlobalAverage
            | OperationKind::Resize => 0,
        };
        let bands = if record.is_in_bands() { Use::Bands.bit() } else { 0 };
        kind_bit(kind, element) | more | bands
    }

    /// Whether a kind of operation is among them.
    #[inline(always)]
    pub(crate) const fn has_kind(self, kind: OperationKind) -> bool {
        let all = kind_bit(kind, Element::I8) | kind_bit(kind, Element::I16) | kind_bit(kind, Element::F32);
        self.0 & all != 0
    }

    /// Whether a kind of operation with outputs of a type is.
    #[inline(always)]
    pub(crate) const fn has_output(self, kind: OperationKind, element: Element) -> bool {
        self.0 & kind_bit(kind, element) != 0
    }

    #[inline(always)]
    pub(crate) const fn has(self, which: Use) -> bool {
        self.0 & which.bit() != 0
    }
}

/// Whether a layer begins after the first step or a state has values of its own before it.
const fn begins_late(program: &[u8], prelude: &Prelude) -> bool {
    let (layers, states) = (section_start(program, SectionKind::Layers), section_start(program, SectionKind::States));
    let mut index = 0;
    while index < prelude.layer_count as usize {
        if LayerRecord::at(program, layers + index * LayerRecord::STRIDE).first_step > 1 {
            return true;
        }
        index += 1;
    }
    index = 0;
    while index < prelude.state_count as usize {
        let state = StateRecord::at(program, states + index * StateRecord::STRIDE);
        if state.initial != NONE || state.first_step > 1 {
            return true;
        }
        index += 1;
    }
    false
}

const fn of_gated_sum(program: &[u8], record: &OperationRecord) -> u64 {
    let mut bits = if record.table == NONE { Use::Sum } else { Use::Function }.bit();
    if record.first_shift != 0 || record.second_shift != 0 {
        bits |= Use::ShiftedProducts.bit();
    }
    let mut slot = 0;
    while slot < record.operand_count {
        let operand = operand(program, record, slot as usize);
        let element = element(&buffer(program, operand.buffer));
        let is_fine = record.variant & (1 << slot) != 0;
        bits |= match (TableKind::of_operand(element, is_fine), operand.weights) {
            (_, NONE) if matches!(element, Element::I8) => Use::NarrowFactor.bit(),
            (Some(kind), weights) if weights != NONE => Use::Factor(kind).bit(),
            (_, _) => 0,
        };
        slot += 1;
    }
    bits
}

/// The way that a convolution is computed.
const fn way(program: &[u8], record: &OperationRecord, output: &BufferRecord) -> Way {
    let first = buffer(program, operand(program, record, 0).buffer);
    let (rows, columns) = (Axis::rows(&first, record), Axis::columns(&first, record));
    let packing = section_start(program, SectionKind::Packings) + record.packing as usize * Packing::STRIDE;
    let mut shape = convolution::Shape {
        packing: Packing::at(program, packing),
        groups: record.groups as usize,
        extent: convolution::Extent::new(rows, columns, output.width as usize),
        #[cfg(feature = "cortex-m4")]
        shift: record.first_shift,
        element: output.element,
    };
    let mut slot = 0;
    while slot < record.operand_count {
        let operand = buffer(program, operand(program, record, slot as usize).buffer);
        shape.extent = shape.extent.with(operand.channels as usize);
        slot += 1;
    }
    shape.way()
}

const fn buffer(program: &[u8], index: u16) -> BufferRecord {
    BufferRecord::at(program, section_start(program, SectionKind::Buffers) + index as usize * BufferRecord::STRIDE)
}

const fn element(buffer: &BufferRecord) -> Element {
    match Element::from_byte(buffer.element) {
        Some(element) => element,
        None => panic!("the program has an unknown type of elements: export it again"),
    }
}

const fn operand(program: &[u8], record: &OperationRecord, slot: usize) -> OperandRecord {
    let index = record.first_operand as usize + slot;
    OperandRecord::at(program, section_start(program, SectionKind::Operands) + index * OperandRecord::STRIDE)
}
