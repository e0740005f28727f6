//! What a session does around the operations of a program.

use super::counts::Counts;
use convrnn_format::{BufferRecord, NO_INDEX, OperationRecord, Program};

/// The counts of a layer; for the last one also what the session does at the end of a step.
pub(super) fn counts(program: &Program<'_>, layer: usize) -> Option<Counts> {
    let record = program.layer(layer)?;
    let first = record.first_operation as usize;
    let mut counts = Counts::new("session");
    let mut index = first;
    while index < first + record.operation_count as usize {
        let together = program.together(index);
        let bands = program.bands(&together) as usize;
        for operation in together.clone().filter_map(|index| program.operation(index)) {
            counts.add("operations", bands);
            counts.add("operands", bands * usize::from(operation.operand_count));
            if operation.is_in_bands() {
                counts.add("bands", bands);
                counts.add("operands of bands", bands * usize::from(operation.operand_count));
                add_moves(&mut counts, &operation, &program.buffer(operation.output)?);
            }
            if operation.has_sibling() {
                counts.add("siblings", bands);
            }
        }
        index = together.end;
    }
    if layer + 1 == program.layer_count() {
        counts.add("steps", 1);
        for state in program.states() {
            counts.add("states", 1);
            if state.commit_source != NO_INDEX {
                counts.add("states copied", 1);
                counts.add("bytes copied", program.buffer(state.buffer)?.length as usize);
            }
        }
    }
    Some(counts)
}

/// The rows that an operation's buffer keeps from one band to the next.
fn add_moves(counts: &mut Counts, operation: &OperationRecord, target: &BufferRecord) {
    for band in 1..operation.band_count(target.height) {
        let rows = operation.rows_of_band(target.height, band);
        let (before, first) = (target.first_resident(rows.start), target.first_resident(rows.end));
        if first > before && rows.start > first {
            let [bytes, distance] = [rows.start - first, first - before].map(|rows| rows as usize * target.row_bytes());
            let is_by_words = distance.is_multiple_of(4);
            counts.add("moves", 1);
            counts.add(if is_by_words { "bytes moved by words" } else { "bytes moved" }, bytes);
        }
    }
}
