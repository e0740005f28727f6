//! What the operations of a program look like to a prediction.

use super::Processor;
use super::counts::{Axis, Counts};
use super::figures::WITH_SIBLINGS;
use super::{cortex_m4, cortex_m55};
use convrnn_format::{BufferRecord, Element, NONE, OperationKind, OperationRecord, Packing, Program, TableKind};

/// Elements of a gated sum that are done at a time.
const fn gated_sum_block(processor: Processor) -> usize {
    match processor {
        Processor::CortexM4 => 256,
        Processor::CortexM55 => 128,
    }
}

/// One operand of a convolution.
pub(super) struct Operand {
    pub channels: usize,
    pub zero_point: i32,
}

/// A convolution.
pub(super) struct Convolution {
    pub rows: Axis,
    pub columns: Axis,
    /// Of the output.
    pub height: usize,
    pub width: usize,
    pub outputs: usize,
    pub groups: usize,
    pub operands: Vec<Operand>,
    pub packing: Packing,
    pub shift: u8,
    /// Whether the output is i16.
    pub is_wide: bool,
}

impl Convolution {
    /// Loops over positions, channels and the window inside the map, without anything clever.
    pub fn plain(&self, family: &str) -> Counts {
        let mut counts = Counts::new(family);
        let positions = self.height * self.width;
        let per_group = self.outputs / self.groups.max(1);
        let tile = usize::from(self.packing.output_tile).max(1);
        let tiles = self.groups * per_group.div_ceil(tile);
        counts.add("positions", positions);
        counts.add("outputs", positions * self.outputs);
        counts.add("tiles", positions * tiles);
        for row in 0..self.height {
            for column in 0..self.width {
                let ([_, rows, _], [_, columns, _]) = (self.rows.span(row), self.columns.span(column));
                for operand in &self.operands {
                    let values = rows * columns * (operand.channels / self.groups.max(1));
                    counts.add("rows of tiles", tiles * rows);
                    counts.add("positions of tiles", tiles * rows * columns);
                    counts.add("values of tiles", tiles * values);
                }
            }
        }
        counts
    }
}

impl Convolution {
    /// A depthwise convolution by blocks of four channels, without anything clever.
    pub fn plain_depthwise(&self, family: &str) -> Counts {
        let mut counts = Counts::new(family);
        let blocks = self.outputs.div_ceil(4);
        counts.add("positions", self.height * self.width);
        counts.add("blocks", self.height * self.width * blocks);
        counts.add("outputs", self.height * self.width * self.outputs);
        for row in 0..self.height {
            for column in 0..self.width {
                let ([_, rows, _], [_, columns, _]) = (self.rows.span(row), self.columns.span(column));
                counts.add("rows of blocks", blocks * rows);
                counts.add("positions of blocks", blocks * rows * columns);
            }
        }
        counts
    }
}

/// The counts of one operation. Those of siblings that the processor computes at once are counted with the first; the
/// others have no terms.
pub(super) fn counts(program: &Program<'_>, index: usize, processor: Processor) -> Option<Counts> {
    let record = program.operation(index)?;
    let mut counts = own_counts(program, &record, processor)?;
    let Some(parts) = shared_parts(processor, &counts.family) else { return Some(counts) };
    if index.checked_sub(1).and_then(|before| program.operation(before)).is_some_and(|before| before.has_sibling()) {
        return Some(Counts { family: "computed with its sibling".into(), ..Counts::default() });
    }
    if program.siblings(index).len() > 1 {
        counts.family.push_str(WITH_SIBLINGS);
    }
    let rounds: u64 = ["rounds", "rounds over an end"].iter().filter_map(|term| counts.terms.get(term)).sum();
    for sibling in program.siblings(index).skip(1) {
        counts.add("siblings", 1);
        counts.add("siblings of rounds", rounds as usize);
        counts.merge(own_counts(program, &program.operation(sibling)?, processor)?, |term| parts.contains(&term));
    }
    Some(counts)
}

/// The terms that every sibling of a convolution has for itself, where the processor computes siblings at once.
fn shared_parts(processor: Processor, family: &str) -> Option<&'static [&'static str]> {
    match processor {
        Processor::CortexM4 => cortex_m4::GATHERED.contains(&family).then_some(&cortex_m4::PARTS[..]),
        Processor::CortexM55 => cortex_m55::GATHERED.contains(&family).then_some(&cortex_m55::PARTS[..]),
    }
}

/// The counts of one operation for itself, of all its bands if it is computed in bands.
fn own_counts(program: &Program<'_>, record: &OperationRecord, processor: Processor) -> Option<Counts> {
    let target = program.buffer(record.output)?;
    let operands: Vec<BufferRecord> = (0..usize::from(record.operand_count))
        .map(|slot| program.buffer(program.operand(record, slot)?.buffer))
        .collect::<Option<_>>()?;
    if !record.is_in_bands() {
        return part(program, record, operands, target, processor);
    }
    let mut sum: Option<Counts> = None;
    for band in 0..record.band_count(target.height) {
        let rows = record.rows_of_band(target.height, band);
        let low = |buffer: &BufferRecord| BufferRecord {
            height: record.operand_rows(buffer.height, &rows).len() as u32,
            ..*buffer
        };
        let lower = BufferRecord { height: rows.len() as u32, ..target };
        let mut counts = part(program, &record.part(&rows), operands.iter().map(low).collect(), lower, processor)?;
        if record.kind != OperationKind::Convolution.to_byte() {
            add_places(&mut counts, program, record, &operands, &target, band);
        }
        match &mut sum {
            Some(sum) => sum.merge(counts, |_| true),
            None => sum = Some(counts),
        }
    }
    sum
}

/// What the place of a band's rows in their buffers costs: such buffers are asked for their writers, and rows that begin
/// within a word are not read or written by words. Next to the work of a convolution that is nothing.
fn add_places(
    counts: &mut Counts,
    program: &Program<'_>,
    record: &OperationRecord,
    operands: &[BufferRecord],
    target: &BufferRecord,
    band: u32,
) {
    let rows = record.rows_of_band(target.height, band);
    let place = |buffer: &BufferRecord, row: u32, first: u32| row.saturating_sub(first) as usize * buffer.row_bytes();
    let mut places = vec![place(target, rows.start, target.first_resident(rows.end))];
    counts.add("bands", 1);
    for operand in operands {
        counts.add("operands held in part", usize::from(!operand.is_whole()));
        let row = record.operand_rows(operand.height, &rows).start;
        places.push(place(operand, row, program.first_row(operand, band)));
    }
    if places.iter().any(|place| !place.is_multiple_of(4)) {
        counts.add("bands in odd places", 1);
        counts.add("elements in odd places", rows.len() * target.elements() / target.height.max(1) as usize);
    }
}

/// The counts of an operation on maps of these shapes.
fn part(
    program: &Program<'_>,
    record: &OperationRecord,
    operands: Vec<BufferRecord>,
    target: BufferRecord,
    processor: Processor,
) -> Option<Counts> {
    let kind = OperationKind::from_byte(record.kind)?;
    let types = || operands.iter().map(element).chain([element(&target)]).collect::<Vec<_>>().join(" ");
    let elements = target.elements();
    let elementwise = |family: String| {
        let mut counts = Counts::new(family);
        counts.add("elements", elements);
        counts.add("elements left by eights", elements % 8);
        counts.add("elements left by fours", elements % 4);
        counts
    };
    Some(match kind {
        OperationKind::Convolution => {
            let convolution = convolution(program, record, &operands, &target)?;
            match processor {
                Processor::CortexM4 => cortex_m4::convolution(&convolution),
                Processor::CortexM55 => cortex_m55::convolution(&convolution),
            }
        }
        OperationKind::Add => elementwise(format!("add {}", types())),
        OperationKind::Multiply => elementwise(format!("multiply {}", types())),
        OperationKind::Affine => elementwise(format!("affine {}", types())),
        OperationKind::Activation => elementwise(format!("activation {}", types())),
        OperationKind::Rescale => {
            let shift = if record.first_shift > 0 { " shifted" } else { "" };
            elementwise(format!("rescale {}{shift}", types()))
        }
        OperationKind::Lookup => {
            elementwise(format!("lookup {} {}", table(TableKind::from_byte(record.variant)?), types()))
        }
        OperationKind::MaxPool => max_pool(record, operands.first()?, &target),
        OperationKind::GlobalAverage => {
            let mut counts = Counts::new(format!("mean {}", types()));
            let positions = operands.first()?.elements() / elements.max(1);
            counts.add("channels", elements);
            counts.add("values", elements * positions);
            for (blocks, values, count) in [
                ("words of channels", "words of values", elements / 4),
                ("channels left", "values left", elements % 4),
                ("sixteens of channels", "sixteens of values", elements / 16),
                ("fours of channels", "fours of values", (elements % 16).div_ceil(4)),
            ] {
                counts.add(blocks, count);
                counts.add(values, count * positions);
            }
            counts
        }
        OperationKind::Resize => {
            let mut counts = Counts::new(format!("resize {}", element(&target)));
            let (positions, channels) = ((target.height * target.width) as usize, target.channels as usize);
            counts.add("rows", target.height as usize);
            counts.add("positions", positions);
            counts.add("blocks", positions * (channels / 4));
            counts.add("vectors", positions * channels.div_ceil(8));
            counts.add("channels left", positions * (channels % 4));
            counts
        }
        OperationKind::GatedSum => gated_sum(program, record, &operands, &target, processor)?,
    })
}

fn element(buffer: &BufferRecord) -> &'static str {
    match Element::from_byte(buffer.element) {
        Some(Element::I8) => "i8",
        Some(Element::I16) => "i16",
        Some(Element::I32) => "i32",
        Some(Element::F32) | None => "f32",
    }
}

fn table(kind: TableKind) -> &'static str {
    match kind {
        TableKind::Direct => "direct",
        TableKind::Interpolated => "interpolated",
        TableKind::Fine => "fine",
    }
}

fn axes(record: &OperationRecord, input: &BufferRecord) -> [Axis; 2] {
    [
        Axis {
            size: input.height as usize,
            kernel: record.kernel_height.into(),
            stride: record.stride_height.into(),
            before: record.padding_top.into(),
        },
        Axis {
            size: input.width as usize,
            kernel: record.kernel_width.into(),
            stride: record.stride_width.into(),
            before: record.padding_left.into(),
        },
    ]
}

fn convolution(
    program: &Program<'_>,
    record: &OperationRecord,
    operands: &[BufferRecord],
    target: &BufferRecord,
) -> Option<Convolution> {
    let [rows, columns] = axes(record, operands.first()?);
    Some(Convolution {
        rows,
        columns,
        height: target.height as usize,
        width: target.width as usize,
        outputs: target.channels as usize,
        groups: record.groups.into(),
        operands: operands
            .iter()
            .map(|operand| Operand { channels: operand.channels as usize, zero_point: operand.zero_point })
            .collect(),
        packing: program.packing(record.packing)?,
        shift: record.first_shift,
        is_wide: target.element == Element::I16.to_byte(),
    })
}

fn max_pool(record: &OperationRecord, input: &BufferRecord, target: &BufferRecord) -> Counts {
    let mut counts = Counts::new(format!("max-pool {}", element(target)));
    let ([rows, columns], channels) = (axes(record, input), target.channels as usize);
    let size = if element(target) == "i8" { 1 } else { 2 };
    counts.add("rows", target.height as usize);
    for row in 0..target.height as usize {
        for column in 0..target.width as usize {
            let ([_, rows, _], [_, columns, _]) = (rows.span(row), columns.span(column));
            counts.add("positions", 1);
            counts.add("rows of windows", rows);
            counts.add("words", channels * size / 4);
            counts.add("words of rows", rows * (channels * size / 4));
            counts.add("words of windows", rows * columns * (channels * size / 4));
            counts.add("vectors", (channels * size).div_ceil(16));
            counts.add("vectors of rows", rows * (channels * size).div_ceil(16));
            counts.add("vectors of windows", rows * columns * (channels * size).div_ceil(16));
            counts.add("channels left", channels * size % 4);
            counts.add("channels left of windows", rows * columns * (channels * size % 4));
        }
    }
    counts
}

fn gated_sum(
    program: &Program<'_>,
    record: &OperationRecord,
    operands: &[BufferRecord],
    target: &BufferRecord,
    processor: Processor,
) -> Option<Counts> {
    let mut family = String::from("gated sum");
    for (slot, operand) in operands.iter().enumerate() {
        let is_fine = record.variant & (1 << slot) != 0;
        let map = match program.operand(record, slot)?.weights {
            NONE => "plain",
            _ => table(TableKind::of_operand(Element::from_byte(operand.element)?, is_fine)?),
        };
        family = format!("{family} {map}:{}", element(operand));
    }
    let function = if record.table == NONE { "" } else { " function" };
    let shift = if (record.first_shift, record.second_shift) == (0, 0) { "" } else { " shifted" };
    let mut counts = Counts::new(format!("{family}{function}{shift} {}", element(target)));
    counts.add("elements", target.elements());
    counts.add("elements left", target.elements() % 8);
    counts.add("blocks", target.elements().div_ceil(gated_sum_block(processor)));
    Some(counts)
}
