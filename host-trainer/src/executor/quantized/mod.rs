//! Runs a quantised graph with libtorch: forward its exact integers, backward as if nothing had been rounded.
//!
//! A tensor holds `x - zero point` of every value, whole numbers that f32 holds exactly. Every operation computes its
//! integers from what the graph says (weights, factors, tables, saturation) and, beside them, a smooth stand-in with the same
//! factors and slopes, whose gradient the result takes (straight through): rounding has slope one, saturation slope
//! zero beyond its limits, a table the slope of its entries.
//!
//! Weights that are trained come in through [`Source`]: the integers are the graph's, the gradient that of the real
//! weight divided by its unit.

mod arithmetic;
mod operations;
mod tables;
#[cfg(test)]
mod tests;

use super::{Frames, Run, RunOptions};
use arithmetic::quantize_frame;
use convrnn_graph::quantize::{QuantizedConvolution, QuantizedGraph, QuantizedOperation};
use convrnn_graph::{Convolution, NodeId, Operation, Read, StepGraph};
use operations::Prepared;
use tch::{Device, Kind, TchError, Tensor};

/// The trained tensors of a quantised convolution.
struct Source<'a> {
    weight: &'a Tensor,
    bias: Option<&'a Tensor>,
}

/// A value and which one it is: equal versions are the same tensor.
struct Value {
    tensor: Tensor,
    version: usize,
}

impl Value {
    fn share(&self) -> Self {
        Self { tensor: self.tensor.shallow_clone(), version: self.version }
    }
}

/// The float convolution that became a quantised node: the node of its name, or the one whose relu it is.
pub fn source_of<'g>(graph: &'g StepGraph, name: &str) -> Option<&'g Convolution> {
    let node = &graph.nodes[graph.node_named(name)?.0];
    match (&node.operation, node.inputs.as_slice()) {
        (Operation::Convolution(convolution), _) => Some(convolution),
        (Operation::Activation(_), &[Read::Node(before)]) => match &graph.nodes[before.0].operation {
            Operation::Convolution(convolution) => Some(convolution),
            Operation::Resize(_)
            | Operation::BatchNorm(_)
            | Operation::Scale { .. }
            | Operation::Add
            | Operation::Multiply
            | Operation::Affine { .. }
            | Operation::Activation(_)
            | Operation::MaxPool(_)
            | Operation::GlobalAverage => None,
        },
        _ => None,
    }
}

fn sources<'a>(
    graph: &StepGraph,
    quantized: &QuantizedGraph,
    parameters: &'a [Tensor],
) -> Result<Vec<Option<Source<'a>>>, TchError> {
    let source = |node: &convrnn_graph::quantize::QuantizedNode| match &node.operation {
        QuantizedOperation::Convolution(_) => match source_of(graph, &node.name) {
            Some(convolution) => Ok(Some(Source {
                weight: &parameters[convolution.weight.0],
                bias: convolution.bias.map(|bias| &parameters[bias.0]),
            })),
            None => Err(TchError::Torch(format!("{} is no convolution of {}", node.name, graph.name))),
        },
        QuantizedOperation::Add { .. }
        | QuantizedOperation::Multiply { .. }
        | QuantizedOperation::Lookup(_)
        | QuantizedOperation::Rescale(_)
        | QuantizedOperation::MaxPool(_)
        | QuantizedOperation::GlobalAverage { .. }
        | QuantizedOperation::Resize(_)
        | QuantizedOperation::GatedSum(_) => Ok(None),
    };
    quantized.nodes.iter().map(source).collect()
}

/// Which nodes must be computed at which step for the wanted logits, by step from 1 and node.
fn needed(graph: &QuantizedGraph, frames: &Frames, options: &RunOptions) -> Vec<Vec<bool>> {
    let steps = frames.steps.len();
    let mut needed = vec![vec![false; graph.nodes.len()]; steps];
    for step in (0..steps).rev() {
        needed[step][graph.logits.0] |= options.wanted.includes_logits(step + 1, steps);
        for index in (0..graph.nodes.len()).rev() {
            if !needed[step][index] {
                continue;
            }
            for &read in &graph.nodes[index].inputs {
                match read {
                    Read::Frame => {}
                    Read::Node(NodeId(other)) => needed[step][other] = true,
                    Read::State(state) if step > 0 && !frames.steps[step].resets => {
                        needed[step - 1][graph.states[state.0].next.0] = true;
                    }
                    Read::State(_) => {}
                }
            }
        }
    }
    needed
}

/// Shows a sequence of frames to a quantised form of `graph`, from zero states, and gives the real values of the logits
/// that are wanted. `parameters` are those of the float graph; their gradients pass through the rounding. Nothing but
/// logits is recorded.
pub(super) fn run(
    graph: &StepGraph,
    quantized: &QuantizedGraph,
    parameters: &[Tensor],
    frames: &Frames,
    options: RunOptions,
    device: Device,
) -> Result<Run, TchError> {
    let sources = sources(graph, quantized, parameters)?;
    let prepared = quantized
        .nodes
        .iter()
        .zip(&sources)
        .map(|(node, source)| Prepared::new(quantized, node, source.as_ref(), device))
        .collect::<Result<Vec<_>, _>>()?;
    let needed = needed(quantized, frames, &options);
    let mut versions = 0;
    let mut number = |tensor: Tensor| {
        versions += 1;
        Value { tensor, version: versions }
    };
    let mut blank_size = frames.images[0].size();
    blank_size[0] = 1;
    let blank = Tensor::f_full(blank_size.as_slice(), frames.blank, (Kind::Double, device))?;
    let blank = number(quantize_frame(&blank, &quantized.frame)?);
    let images = frames
        .images
        .iter()
        .map(|image| quantize_frame(image, &quantized.frame).map(&mut number))
        .collect::<Result<Vec<_>, _>>()?;
    let zeros = quantized
        .states
        .iter()
        .map(|state| {
            let shape = state.value.shape;
            let size = [1, shape.channels as i64, shape.height as i64, shape.width as i64];
            Tensor::f_zeros(size, (Kind::Float, device)).map(&mut number)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut states: Vec<Option<Value>> = zeros.iter().map(|zero| Some(zero.share())).collect();
    let mut before: Vec<Option<(Vec<usize>, Value)>> = quantized.nodes.iter().map(|_| None).collect();
    let mut run = Run { logits: Vec::new(), values: Vec::new(), states: Vec::new(), statistics: Vec::new() };
    let scale = quantized.nodes[quantized.logits.0].output.scale;
    for (step, shown) in frames.steps.iter().enumerate() {
        let frame = shown.image.map_or(&blank, |image| &images[image]);
        if shown.resets {
            states = zeros.iter().map(|zero| Some(zero.share())).collect();
        }
        let mut now: Vec<Option<(Vec<usize>, Value)>> = Vec::with_capacity(quantized.nodes.len());
        for (index, node) in quantized.nodes.iter().enumerate() {
            if !needed[step][index] {
                now.push(None);
                continue;
            }
            let operands: Vec<&Value> = node
                .inputs
                .iter()
                .map(|&read| match read {
                    Read::Frame => frame,
                    Read::Node(other) => &now[other.0].as_ref().expect("operands of a needed node are needed").1,
                    Read::State(state) => states[state.0].as_ref().expect("states of a needed node are needed"),
                })
                .collect();
            let read: Vec<usize> = operands.iter().map(|value| value.version).collect();
            let value = match &before[index] {
                Some((same, value)) if *same == read => value.share(),
                Some(_) | None => {
                    let tensors: Vec<&Tensor> = operands.iter().map(|value| &value.tensor).collect();
                    number(prepared[index].evaluate(&tensors)?)
                }
            };
            now.push(Some((read, value)));
        }
        let next = |node: NodeId| now[node.0].as_ref().map(|(_, value)| value.share());
        states = quantized.states.iter().map(|state| next(state.next)).collect();
        let wanted = options.wanted.includes_logits(step + 1, frames.steps.len());
        let logits = next(quantized.logits).filter(|_| wanted);
        let real = |value: Value| value.tensor.f_flatten(1, -1)?.f_mul_scalar(scale);
        run.logits.push(logits.map(real).transpose()?);
        before = now;
    }
    Ok(run)
}

/// Whether every partial sum of a convolution is a whole number that f32 holds exactly.
fn fits_f32(convolution: &QuantizedConvolution) -> bool {
    convolution
        .accumulator_bounds()
        .zip(&convolution.bias)
        .all(|(bound, &bias)| bound - i64::from(bias).abs() < 1 << 24)
}
