//! Shape inference: the shape of a node from its operation and what it reads.

use crate::graph::{ParameterId, Read, StepGraph};
use crate::operation::{Operation, Padding};
use crate::shape::Shape;

/// The output's shape, or what does not fit and how to mend it.
pub fn infer(graph: &StepGraph, operation: &Operation, inputs: &[Read]) -> Result<Shape, String> {
    let shape = unbounded(graph, operation, inputs)?;
    bounded([shape.channels, shape.height, shape.width])
        .map_err(|bound| format!("its output {shape} has more than {bound} elements"))?;
    Ok(shape)
}

/// Elements of one tensor. Far above what fits any machine this is for, and low enough that products of two sizes, and
/// sums of them, do not overflow.
const LARGEST: usize = 1 << 28;

/// The product of some extents, or the bound that it passes.
fn bounded(extents: [usize; 3]) -> Result<usize, usize> {
    let product = extents.into_iter().try_fold(1, usize::checked_mul);
    product.filter(|&elements| elements <= LARGEST).ok_or(LARGEST)
}

fn unbounded(graph: &StepGraph, operation: &Operation, inputs: &[Read]) -> Result<Shape, String> {
    let shapes: Vec<Shape> = inputs.iter().map(|&read| graph.read_shape(read)).collect();
    let one = || match shapes.as_slice() {
        [shape] => Ok(*shape),
        _ => Err(format!("has {} inputs, expected 1", shapes.len())),
    };
    let two = || match shapes.as_slice() {
        [left, right] if left == right => Ok(*left),
        [left, right] => Err(format!(
            "combines {} of shape {left} with {} of shape {right}: elementwise operations need equal shapes",
            graph.read_name(inputs[0]),
            graph.read_name(inputs[1]),
        )),
        _ => Err(format!("has {} inputs, expected 2", shapes.len())),
    };
    match operation {
        Operation::Convolution(convolution) => {
            let first = *shapes.first().ok_or("has no input")?;
            for (shape, &read) in shapes.iter().zip(inputs) {
                if (shape.height, shape.width) != (first.height, first.width) {
                    return Err(format!(
                        "reads {} of shape {shape} beside {} of shape {first}: resize it to {}x{} first",
                        graph.read_name(read),
                        graph.read_name(inputs[0]),
                        first.height,
                        first.width,
                    ));
                }
            }
            let weight = graph.parameters.get(convolution.weight.0).ok_or("its weight does not exist")?;
            let channels: usize = shapes.iter().map(|shape| shape.channels).sum();
            let groups = convolution.groups;
            if groups == 0 || !channels.is_multiple_of(groups) || (groups > 1 && shapes.len() > 1) {
                return Err(format!(
                    "cannot split {channels} channels of {} inputs into {groups} groups",
                    shapes.len()
                ));
            }
            let [kernel_height, kernel_width] = convolution.kernel;
            let out_channels = weight.shape.first().copied().unwrap_or(0);
            let area = kernel_height.saturating_mul(kernel_width);
            bounded([out_channels, channels / groups, area]).map_err(|bound| {
                format!("weight {} of shape {:?} has more than {bound} elements", weight.name, weight.shape)
            })?;
            let expected = vec![out_channels, channels / groups, kernel_height, kernel_width];
            if weight.shape != expected || out_channels == 0 || !out_channels.is_multiple_of(groups) {
                return Err(format!("weight {} has shape {:?}, expected {expected:?}", weight.name, weight.shape));
            }
            if let Some(bias) = convolution.bias {
                vector(graph, bias, out_channels)?;
            }
            windows(first, convolution.kernel, convolution.stride, convolution.padding)
                .map(|shape| shape.with_channels(out_channels))
        }
        Operation::Resize(resize) => {
            let shape = one()?;
            if resize.height == 0 || resize.width == 0 || shape.positions() == 0 {
                return Err(format!("cannot resize {shape} to {}x{}", resize.height, resize.width));
            }
            Ok(Shape::new(shape.channels, resize.height, resize.width))
        }
        Operation::BatchNorm(norm) => {
            let shape = one()?;
            for id in norm.parameters() {
                vector(graph, id, shape.channels)?;
            }
            match norm.epsilon.is_finite() && norm.epsilon > 0.0 {
                true => Ok(shape),
                false => Err(format!("has epsilon {}, expected a number above 0", norm.epsilon)),
            }
        }
        Operation::Scale { factor } => vector(graph, *factor, 1).and_then(|()| one()),
        Operation::Add | Operation::Multiply => two(),
        Operation::Affine { scale, offset } => {
            if !scale.is_finite() || !offset.is_finite() {
                return Err(format!("has constants {scale} and {offset}, expected finite numbers"));
            }
            one()
        }
        Operation::Activation(_) => one(),
        Operation::MaxPool(pool) => {
            let Padding { top, bottom, left, right } = pool.padding;
            if top.max(bottom) >= pool.kernel[0].max(1) || left.max(right) >= pool.kernel[1].max(1) {
                return Err("pads by a whole window: a window with no element has no maximum".into());
            }
            windows(one()?, pool.kernel, pool.stride, pool.padding)
        }
        Operation::GlobalAverage => one().map(|shape| Shape::new(shape.channels, 1, 1)),
    }
}

/// Verifies that a parameter is a vector of so many elements.
fn vector(graph: &StepGraph, id: ParameterId, length: usize) -> Result<(), String> {
    let parameter = graph.parameters.get(id.0).ok_or("one of its parameters does not exist")?;
    match parameter.shape == [length] {
        true => Ok(()),
        false => Err(format!("parameter {} has shape {:?}, expected [{length}]", parameter.name, parameter.shape)),
    }
}

/// Positions of a sliding window: `(size + padding - kernel) / stride + 1` along each axis.
pub(crate) fn windows(input: Shape, kernel: [usize; 2], stride: [usize; 2], padding: Padding) -> Result<Shape, String> {
    let along = |size: usize, before: usize, after: usize, axis: usize| {
        let padded = size + before + after;
        if kernel[axis] == 0 || stride[axis] == 0 || padded < kernel[axis] {
            return Err(format!(
                "a {}x{} window with stride {} does not fit into {input} with padding {before} and {after}: \
                 use a smaller kernel, less pooling before it, or padding \"same\"",
                kernel[0], kernel[1], stride[axis]
            ));
        }
        Ok((padded - kernel[axis]) / stride[axis] + 1)
    };
    let height = along(input.height, padding.top, padding.bottom, 0)?;
    let width = along(input.width, padding.left, padding.right, 1)?;
    Ok(Shape::new(input.channels, height, width))
}
