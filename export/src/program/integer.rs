//! From a quantised graph to a step in integers.

use super::error::ProgramError;
use super::step::{
    ConvolutionWork, Factor, GatedSumWork, Step, StepNode, StepState, Table, Value, Weights, Work, bytes_of,
};
use convrnn_format::{Element, Numerics, TableKind};
use convrnn_graph::quantize::{
    FrameTable, GatedSum, Lookup, QuantizedConvolution, QuantizedGraph, QuantizedOperation, QuantizedType, Rescale,
};

pub(super) fn lower(
    graph: &QuantizedGraph,
    frame_table: Option<&FrameTable>,
    blank: f64,
) -> Result<Step, ProgramError> {
    // The runtime's arithmetic wraps at 32 bits and the definition's does not: they are the same
    // where nothing can overflow, which the graph's own check proves.
    graph.check().map_err(|error| ProgramError::Overflow { node: error.to_string() })?;
    let mut nodes = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        nodes.push(StepNode {
            name: node.name.clone(),
            layer: node.layer,
            work: work(&node.name, &node.operation)?,
            inputs: node.inputs.clone(),
            value: value(&node.output),
        });
    }
    let states = graph.states.iter().map(|state| StepState {
        name: state.name.clone(),
        layer: state.layer,
        kind: state.kind,
        value: value(&state.value),
        next: state.next,
        initial: None,
    });
    Ok(Step {
        name: graph.name.clone(),
        numerics: Numerics::Integer,
        frame: value(&graph.frame),
        layers: graph.layers.clone(),
        first_steps: vec![1; graph.layers.len()],
        nodes,
        states: states.collect(),
        taps: graph.taps.clone(),
        logits: graph.logits,
        blank: graph.frame.quantize(blank) as u32,
        frame_table: frame_table.map(|table| bytes_of(&table.entries, i8::to_le_bytes)),
    })
}

fn value(kind: &QuantizedType) -> Value {
    let element = match kind.element {
        convrnn_graph::quantize::Element::I8 => Element::I8,
        convrnn_graph::quantize::Element::I16 => Element::I16,
    };
    Value { shape: kind.shape, element, scale: kind.scale as f32, zero_point: kind.zero_point }
}

fn factor(rescale: &Rescale) -> Factor {
    Factor { bits: rescale.multiplier as u32, shift: rescale.shift }
}

fn work(name: &str, operation: &QuantizedOperation) -> Result<Work, ProgramError> {
    Ok(match operation {
        QuantizedOperation::Convolution(spec) => Work::Convolution(convolution(name, spec)?),
        QuantizedOperation::Add { left, right } => Work::Add { left: factor(left), right: factor(right) },
        QuantizedOperation::Multiply { rescale } => Work::Multiply(factor(rescale)),
        QuantizedOperation::Lookup(lookup) => Work::Lookup(table(lookup)),
        QuantizedOperation::Rescale(rescale) => Work::Rescale(factor(rescale)),
        QuantizedOperation::MaxPool(pool) => Work::MaxPool(*pool),
        QuantizedOperation::GlobalAverage { rescale } => Work::GlobalAverage(factor(rescale)),
        QuantizedOperation::Resize(resize) => Work::Resize(*resize),
        QuantizedOperation::GatedSum(spec) => Work::GatedSum(gated_sum(spec)),
    })
}

fn table(lookup: &Lookup) -> Table {
    let (kind, entries) = match lookup {
        Lookup::Direct(entries) => (TableKind::Direct, entries),
        Lookup::Interpolated(entries) => (TableKind::Interpolated, entries),
        Lookup::Fine(entries) => (TableKind::Fine, entries),
    };
    Table { kind, entries: entries.clone() }
}

fn gated_sum(spec: &GatedSum) -> GatedSumWork {
    let product = |index: usize| spec.rescale.get(index).map_or(Factor::default(), factor);
    GatedSumWork {
        tables: spec.tables.iter().map(|lookup| lookup.as_ref().map(table)).collect(),
        factors: [product(0), product(1)],
        function: spec.function.as_ref().map(table),
    }
}

fn convolution(name: &str, spec: &QuantizedConvolution) -> Result<ConvolutionWork, ProgramError> {
    let first = spec.rescale.first().map_or(0, |rescale| rescale.shift);
    if let Some(other) = spec.rescale.iter().map(|rescale| rescale.shift).find(|&shift| shift != first) {
        return Err(ProgramError::Shift { node: name.into(), first, other });
    }
    let multipliers: Vec<i32> = spec.rescale.iter().map(|rescale| rescale.multiplier).collect();
    Ok(ConvolutionWork {
        weights: Weights::Integer(spec.weight.clone()),
        bias: Some(bytes_of(&spec.bias, i32::to_le_bytes)),
        multipliers: Some(bytes_of(&multipliers, i32::to_le_bytes)),
        shift: first,
        kernel: spec.kernel,
        stride: spec.stride,
        padding: spec.padding,
        groups: spec.groups,
    })
}
