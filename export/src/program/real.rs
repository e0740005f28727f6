//! From a step graph to a step in f32.

use super::ProgramDescription;
use super::error::ProgramError;
use super::step::{ConvolutionWork, Factor, Step, StepNode, StepState, Value, Weights, Work, bytes_of};
use convrnn_format::{Function, Numerics};
use convrnn_graph::{Activation, Node, Operation, Parameters, StepGraph};

pub(super) fn lower(
    graph: &StepGraph,
    parameters: &Parameters<f32>,
    description: &ProgramDescription<'_>,
) -> Result<Step, ProgramError> {
    let nodes = graph.nodes.iter().map(|node| {
        Ok(StepNode {
            name: node.name.clone(),
            layer: node.layer,
            work: work(node, parameters)?,
            inputs: node.inputs.clone(),
            value: Value::real(node.shape),
        })
    });
    let nodes = nodes.collect::<Result<_, ProgramError>>()?;
    let states = graph.states.iter().map(|state| StepState {
        name: state.name.clone(),
        layer: state.layer,
        kind: state.kind,
        value: Value::real(state.shape),
        next: state.next,
        initial: None,
    });
    let frame_table = match description.preprocessing {
        None => None,
        Some(preprocessing) if preprocessing.shape() != graph.frame => {
            let (found, expected) = (preprocessing.shape().to_string(), graph.frame.to_string());
            return Err(ProgramError::Preprocessing { found, expected });
        }
        Some(preprocessing) => {
            let channels = 0..graph.frame.channels;
            let values: Vec<f32> =
                channels.flat_map(|channel| (0..=255).map(move |pixel| preprocessing.value(channel, pixel))).collect();
            Some(bytes_of(&values, f32::to_le_bytes))
        }
    };
    Ok(Step {
        name: graph.name.clone(),
        numerics: Numerics::Real,
        frame: Value::real(graph.frame),
        layers: graph.layers.clone(),
        first_steps: vec![1; graph.layers.len()],
        nodes,
        states: states.collect(),
        taps: graph.taps.clone(),
        logits: graph.logits,
        blank: (description.presentation.blank as f32).to_bits(),
        frame_table,
    })
}

fn work(node: &Node, parameters: &Parameters<f32>) -> Result<Work, ProgramError> {
    Ok(match &node.operation {
        Operation::BatchNorm(_) | Operation::Scale { .. } => {
            return Err(ProgramError::Unfolded { node: node.name.clone(), operation: node.operation.kind() });
        }
        Operation::Convolution(convolution) => Work::Convolution(ConvolutionWork {
            weights: Weights::Real(parameters.get(convolution.weight).to_vec()),
            bias: convolution.bias.map(|bias| bytes_of(parameters.get(bias), f32::to_le_bytes)),
            multipliers: None,
            shift: 0,
            kernel: convolution.kernel,
            stride: convolution.stride,
            padding: convolution.padding,
            groups: convolution.groups,
        }),
        Operation::Add => Work::Add { left: Factor::default(), right: Factor::default() },
        Operation::Multiply => Work::Multiply(Factor::default()),
        Operation::Affine { scale, offset } => Work::Affine { scale: *scale as f32, offset: *offset as f32 },
        Operation::Activation(activation) => Work::Activation(match activation {
            Activation::Relu => Function::Relu,
            Activation::Elu => Function::Elu,
            Activation::Sigmoid => Function::Sigmoid,
            Activation::Tanh => Function::Tanh,
        }),
        Operation::MaxPool(pool) => Work::MaxPool(*pool),
        Operation::GlobalAverage => Work::GlobalAverage(Factor::default()),
        Operation::Resize(resize) => Work::Resize(*resize),
    })
}
