//! One operation of the step graph as ONNX nodes.

use super::proto::{ModelWriter, integer, integers, real};
use super::protobuf::AttributeProto;
use convrnn_graph::{
    Activation, Node, Operation, Padding, ParameterId, Parameters, Resize, ResizeMode, Shape, StepGraph,
};

/// Writes graph operations. Helper values are named `<path>/<what>`; graph paths have no slash.
pub(super) struct OperationWriter<'a> {
    pub(super) graph: &'a StepGraph,
    pub(super) parameters: &'a Parameters<f32>,
}

impl OperationWriter<'_> {
    /// Emits the nodes of one operation; the value `output` is its result.
    pub(super) fn emit(&self, model: &mut ModelWriter, node: &Node, inputs: &[&str], output: &str) {
        match &node.operation {
            Operation::Convolution(convolution) => {
                let source = match inputs {
                    [single] => (*single).to_owned(),
                    several => {
                        let name = format!("{output}/inputs");
                        model.node("Concat", &name, several, vec![integer("axis", 1)]);
                        name
                    }
                };
                let weight = self.parameter(model, convolution.weight);
                let bias = convolution.bias.map(|bias| self.parameter(model, bias));
                let mut operands = vec![source.as_str(), weight.as_str()];
                operands.extend(bias.as_deref());
                let attributes = vec![
                    integers("kernel_shape", &convolution.kernel),
                    integers("strides", &convolution.stride),
                    pads(convolution.padding),
                    integer("group", convolution.groups as i64),
                ];
                model.node("Conv", output, &operands, attributes);
            }
            Operation::Resize(spec) => resize(model, spec, self.graph.read_shape(node.inputs[0]), inputs[0], output),
            Operation::BatchNorm(norm) => {
                let tensors = norm.parameters().map(|id| self.parameter(model, id));
                let operands: Vec<&str> =
                    std::iter::once(inputs[0]).chain(tensors.iter().map(String::as_str)).collect();
                model.node("BatchNormalization", output, &operands, vec![real("epsilon", norm.epsilon)]);
            }
            Operation::Scale { factor } => {
                let factor = self.parameter(model, *factor);
                model.node("Mul", output, &[inputs[0], &factor], vec![]);
            }
            Operation::Add => model.node("Add", output, inputs, vec![]),
            Operation::Multiply => model.node("Mul", output, inputs, vec![]),
            Operation::Affine { scale, offset } => affine(model, *scale, *offset, inputs[0], output),
            Operation::Activation(activation) => model.node(activation_kind(*activation), output, inputs, vec![]),
            Operation::MaxPool(pool) => {
                let attributes =
                    vec![integers("kernel_shape", &pool.kernel), integers("strides", &pool.stride), pads(pool.padding)];
                model.node("MaxPool", output, inputs, attributes);
            }
            Operation::GlobalAverage => model.node("GlobalAveragePool", output, inputs, vec![]),
        }
    }

    fn parameter(&self, model: &mut ModelWriter, id: ParameterId) -> String {
        let parameter = &self.graph.parameters[id.0];
        model.reals(parameter.name.clone(), &parameter.shape, self.parameters.get(id))
    }
}

/// ELU's alpha defaults to 1, which is the graph's ELU.
fn activation_kind(activation: Activation) -> &'static str {
    match activation {
        Activation::Relu => "Relu",
        Activation::Elu => "Elu",
        Activation::Sigmoid => "Sigmoid",
        Activation::Tanh => "Tanh",
    }
}

/// ONNX orders the four sides top, left, bottom, right.
fn pads(Padding { top, bottom, left, right }: Padding) -> AttributeProto {
    integers("pads", &[top, left, bottom, right])
}

/// `Mul` then `Add`, in f32 as on every other engine.
fn affine(model: &mut ModelWriter, scale: f64, offset: f64, input: &str, output: &str) {
    let constant = |model: &mut ModelWriter, value: f64| {
        let value = value as f32;
        model.reals(format!("constant/{value}"), &[], &[value])
    };
    let scaled = format!("{output}/scaled");
    let scale = constant(model, scale);
    let offset = constant(model, offset);
    model.node("Mul", &scaled, &[input, &scale], vec![]);
    model.node("Add", output, &[&scaled, &offset], vec![]);
}

/// A bilinear resize is two `MatMul`s with the weights of [`ResizeMode::sample`], a nearest one two
/// `Gather`s with its positions. ONNX `Resize` would compute positions anew in f32, and differently
/// from engine to engine: its `scales` may round the output's size down by one, its `sizes` would fix
/// the batch.
fn resize(model: &mut ModelWriter, spec: &Resize, source: Shape, input: &str, output: &str) {
    let rows = format!("{output}/rows");
    match spec.mode {
        ResizeMode::BilinearAlignedCorners | ResizeMode::BilinearHalfPixel => {
            let down = weights(model, spec.mode, source.height, spec.height, Side::Left);
            let along = weights(model, spec.mode, source.width, spec.width, Side::Right);
            model.node("MatMul", &rows, &[&down, input], vec![]);
            model.node("MatMul", output, &[&rows, &along], vec![]);
        }
        ResizeMode::Nearest => {
            let down = positions(model, spec.mode, source.height, spec.height);
            let along = positions(model, spec.mode, source.width, spec.width);
            model.node("Gather", &rows, &[input, &down], vec![integer("axis", 2)]);
            model.node("Gather", output, &[&rows, &along], vec![integer("axis", 3)]);
        }
    }
}

/// On which side of the map an interpolation matrix stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// `[output, input]`, for rows.
    Left,
    /// `[input, output]`, for columns.
    Right,
}

/// Weight of every source position for every target position along one axis.
fn weights(model: &mut ModelWriter, mode: ResizeMode, input: usize, output: usize, side: Side) -> String {
    let mut matrix = vec![0.0f32; input * output];
    for target in 0..output {
        let (first, second, weight) = mode.sample(target, input, output);
        let mut add = |source: usize, weight: f64| {
            let index = match side {
                Side::Left => target * input + source,
                Side::Right => source * output + target,
            };
            matrix[index] += weight as f32;
        };
        add(first, 1.0 - weight);
        add(second, weight);
    }
    let shape = match side {
        Side::Left => [output, input],
        Side::Right => [input, output],
    };
    let name = format!("constant/{mode:?}/{side:?}/{input}/{output}");
    model.reals(name, &shape, &matrix)
}

/// Source position of every target position along one axis.
fn positions(model: &mut ModelWriter, mode: ResizeMode, input: usize, output: usize) -> String {
    let positions: Vec<i64> = (0..output).map(|target| mode.sample(target, input, output).0 as i64).collect();
    model.integers(format!("constant/{mode:?}/{input}/{output}"), &positions)
}
