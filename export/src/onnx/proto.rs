//! Small constructors for the messages of an ONNX model.

use super::protobuf::{
    AttributeProto, AttributeType, DataType, DimensionProto, DimensionValue, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto,
};
use convrnn_graph::Shape;
use std::collections::HashSet;

/// ONNX intermediate representation, fit for operator set 17.
const IR_VERSION: i64 = 8;
/// Version of the default operator set.
const OPSET: i64 = 17;
/// The name of the batch dimension.
const BATCH: &str = "batch";

/// A dimension of an input or output.
#[derive(Clone, Copy, Debug)]
pub(super) enum Size {
    /// Chosen by the caller at run time, the same for every input and output.
    Batch,
    /// Fixed.
    Fixed(usize),
}

impl Size {
    /// `[batch, channels, height, width]`.
    pub(super) fn of_map(shape: Shape) -> Vec<Size> {
        vec![Size::Batch, Size::Fixed(shape.channels), Size::Fixed(shape.height), Size::Fixed(shape.width)]
    }
}

/// Collects the nodes and constants of a graph; a constant of one name is stored once.
#[derive(Default)]
pub(super) struct ModelWriter {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    constant_names: HashSet<String>,
    inputs: Vec<ValueInfoProto>,
    outputs: Vec<ValueInfoProto>,
}

impl ModelWriter {
    /// Adds a node with one output, which has the node's name.
    pub(super) fn node(&mut self, kind: &str, name: &str, inputs: &[&str], attributes: Vec<AttributeProto>) {
        self.nodes.push(NodeProto {
            op_type: kind.into(),
            name: name.into(),
            input: inputs.iter().map(|&input| input.into()).collect(),
            output: vec![name.into()],
            attribute: attributes,
        });
    }

    /// A constant of f32, stored on its first use. Gives its name back.
    pub(super) fn reals(&mut self, name: String, shape: &[usize], values: &[f32]) -> String {
        let bytes = || values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, shape, DataType::Float, bytes)
    }

    /// A constant of i64, stored on its first use. Gives its name back.
    pub(super) fn integers(&mut self, name: String, values: &[i64]) -> String {
        let bytes = || values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, &[values.len()], DataType::Int64, bytes)
    }

    /// A scalar of i64, stored on its first use. Gives its name back.
    pub(super) fn scalar(&mut self, name: String, value: i64) -> String {
        self.constant(name, &[], DataType::Int64, || value.to_le_bytes().to_vec())
    }

    fn constant(&mut self, name: String, shape: &[usize], kind: DataType, bytes: impl FnOnce() -> Vec<u8>) -> String {
        if self.constant_names.insert(name.clone()) {
            self.constants.push(TensorProto {
                name: name.clone(),
                dims: shape.iter().map(|&size| size as i64).collect(),
                data_type: kind as i32,
                raw_data: bytes(),
            });
        }
        name
    }

    /// Declares an input of f32.
    pub(super) fn input(&mut self, name: &str, sizes: &[Size]) {
        self.inputs.push(value_info(name, sizes));
    }

    /// Declares a value as output of f32.
    pub(super) fn output(&mut self, name: &str, sizes: &[Size]) {
        self.outputs.push(value_info(name, sizes));
    }

    /// The finished model.
    pub(super) fn finish(self, graph_name: &str, metadata: &[(String, String)]) -> ModelProto {
        let entry = |(key, value): &(String, String)| StringStringEntryProto { key: key.clone(), value: value.clone() };
        ModelProto {
            ir_version: IR_VERSION,
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
            producer_name: "convrnn-export".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(GraphProto {
                name: graph_name.into(),
                node: self.nodes,
                initializer: self.constants,
                input: self.inputs,
                output: self.outputs,
            }),
            metadata_props: metadata.iter().map(entry).collect(),
        }
    }
}

fn value_info(name: &str, sizes: &[Size]) -> ValueInfoProto {
    let dimension = |size: &Size| {
        let value = match size {
            Size::Batch => DimensionValue::DimParam(BATCH.into()),
            Size::Fixed(size) => DimensionValue::DimValue(*size as i64),
        };
        DimensionProto { value: Some(value) }
    };
    let shape = TensorShapeProto { dim: sizes.iter().map(dimension).collect() };
    let tensor = TensorTypeProto { elem_type: DataType::Float as i32, shape: Some(shape) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}

/// `name [batch, 1, 28, 28]`
pub(super) fn describe(value: &ValueInfoProto) -> String {
    let sizes: Vec<String> = dimensions(value)
        .map(|size| match size {
            Some(DimensionValue::DimValue(size)) => size.to_string(),
            Some(DimensionValue::DimParam(name)) => name.clone(),
            None => "?".into(),
        })
        .collect();
    format!("{} [{}]", value.name, sizes.join(", "))
}

/// The declared sizes of a value.
pub(crate) fn dimensions(value: &ValueInfoProto) -> impl Iterator<Item = Option<&DimensionValue>> {
    let tensor = value.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let shape = tensor.and_then(|tensor| tensor.shape.as_ref());
    shape.into_iter().flat_map(|shape| &shape.dim).map(|dimension| dimension.value.as_ref())
}

/// An attribute holding one integer.
pub(super) fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i: value, ..AttributeProto::default() }
}

/// An attribute holding one real number.
pub(super) fn real(name: &str, value: f64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Float as i32,
        f: value as f32,
        ..AttributeProto::default()
    }
}

/// An attribute holding a list of integers.
pub(super) fn integers(name: &str, values: &[usize]) -> AttributeProto {
    let ints = values.iter().map(|&value| value as i64).collect();
    AttributeProto { name: name.into(), r#type: AttributeType::Ints as i32, ints, ..AttributeProto::default() }
}

/// An attribute holding a tensor of one f32, as `ConstantOfShape` takes it.
pub(super) fn one_real(name: &str, value: f32) -> AttributeProto {
    let tensor = TensorProto {
        dims: vec![1],
        data_type: DataType::Float as i32,
        raw_data: value.to_le_bytes().to_vec(),
        ..TensorProto::default()
    };
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Tensor as i32,
        t: Some(tensor),
        ..AttributeProto::default()
    }
}
