//! tract, an ONNX engine in Rust.

use super::{Engine, EngineError, Image, Network, Record, frame_at, rows};
use crate::onnx::protobuf::{DimensionValue, ModelProto, ValueInfoProto};
use crate::onnx::{self, Frames, Logits, Values};
use convrnn_graph::Node;
use prost::Message;
use std::collections::HashMap;
use std::sync::Arc;
use tract_onnx::prelude::*;

const STEP: &str = "tract step";
const UNROLLED: &str = "tract unrolled";

type Plan = Arc<TypedRunnableModel>;

fn failed(engine: &'static str) -> impl Fn(TractError) -> EngineError {
    move |error| EngineError::Failed { engine, message: format!("{error:#}") }
}

/// A plan for a batch of one and the names of its outputs, in order.
fn plan(engine: &'static str, model: &ModelProto) -> Result<(Plan, Vec<String>), EngineError> {
    let graph = model.graph.as_ref().expect("a written model has a graph");
    let names = graph.output.iter().map(|output| output.name.clone()).collect();
    // The declared shapes name a batch dimension; here it is one.
    let onnx = tract_onnx::onnx().with_ignore_output_shapes(true);
    let build = || -> TractResult<Plan> {
        let theirs = tract_onnx::pb::ModelProto::decode(model.encode_to_vec().as_slice())?;
        let mut parsed = onnx.model_for_proto_model(&theirs)?;
        for (index, input) in graph.input.iter().enumerate() {
            parsed.set_input_fact(index, InferenceFact::dt_shape(f32::datum_type(), sizes(input)))?;
        }
        parsed.into_optimized()?.into_runnable()
    };
    Ok((build().map_err(failed(engine))?, names))
}

/// The declared sizes, one for the batch.
fn sizes(input: &ValueInfoProto) -> TVec<usize> {
    let size = |value: Option<&DimensionValue>| match value {
        Some(DimensionValue::DimValue(size)) => *size as usize,
        Some(DimensionValue::DimParam(_)) | None => 1,
    };
    onnx::dimensions(input).map(size).collect()
}

fn tensor(engine: &'static str, shape: &[usize], values: &[f32]) -> Result<TValue, EngineError> {
    Tensor::from_shape(shape, values).map(Tensor::into_tvalue).map_err(failed(engine))
}

fn values(engine: &'static str, tensor: &TValue) -> Result<Vec<f32>, EngineError> {
    let read = || -> TractResult<Vec<f32>> { Ok(tensor.to_plain_array_view::<f32>()?.iter().copied().collect()) };
    read().map_err(failed(engine))
}

/// `step.onnx` in tract.
pub struct TractStep<'a> {
    network: Network<'a>,
    plan: Plan,
    names: Vec<String>,
    states: Vec<TValue>,
}

impl<'a> TractStep<'a> {
    /// Builds the plan.
    pub fn new(network: &Network<'a>) -> Result<Self, EngineError> {
        Self::with_values(network, Values::Named)
    }

    fn with_values(network: &Network<'a>, values: Values) -> Result<Self, EngineError> {
        let (plan, names) = plan(STEP, &onnx::step_model(&network.exported, values, &[]))?;
        let mut engine = Self { network: *network, plan, names, states: Vec::new() };
        engine.reset()?;
        Ok(engine)
    }

    /// Sets all states to zero.
    pub fn reset(&mut self) -> Result<(), EngineError> {
        let states = self.network.source.graph.states.iter();
        let zeros = states.map(|state| {
            let shape = [1, state.shape.channels, state.shape.height, state.shape.width];
            tensor(STEP, &shape, &vec![0.0; state.shape.elements()])
        });
        self.states = zeros.collect::<Result<_, _>>()?;
        Ok(())
    }

    /// One step on a normalised frame; gives all outputs.
    fn outputs(&mut self, frame: &[f32]) -> Result<TVec<TValue>, EngineError> {
        let graph = self.network.source.graph;
        let shape = [1, graph.frame.channels, graph.frame.height, graph.frame.width];
        let mut inputs: TVec<TValue> = tvec![tensor(STEP, &shape, frame)?];
        inputs.extend(self.states.iter().cloned());
        let outputs = self.plan.run(inputs).map_err(failed(STEP))?;
        // Outputs are the logits, the taps, the states, then whatever else was asked for.
        let first = 1 + graph.taps.len();
        self.states = outputs[first..first + graph.states.len()].to_vec();
        Ok(outputs)
    }

    /// One step on a normalised frame; gives the logits.
    pub fn step(&mut self, frame: &[f32]) -> Result<Vec<f32>, EngineError> {
        let outputs = self.outputs(frame)?;
        values(STEP, &outputs[0])
    }
}

impl Engine for TractStep<'_> {
    fn run(&mut self, image: Image<'_>) -> Result<Vec<Vec<f32>>, EngineError> {
        let presentation = self.network.presentation;
        let blank = vec![presentation.blank as f32; image.values.len()];
        self.reset()?;
        (1..=presentation.steps).map(|step| self.step(frame_at(&presentation, step, image.values, &blank))).collect()
    }

    fn record(&mut self, image: Image<'_>) -> Result<Record, EngineError> {
        let mut diagnostic = Self::with_values(&self.network, Values::Every)?;
        let (graph, presentation) = (self.network.exported.graph, self.network.presentation);
        let blank = vec![presentation.blank as f32; image.values.len()];
        let mut record = Record::default();
        for step in 1..=presentation.steps {
            let outputs = diagnostic.outputs(frame_at(&presentation, step, image.values, &blank))?;
            record.logits.push(values(STEP, &outputs[0])?);
            let named = |node: &Node| node.name.clone();
            record.values.push(by_name(STEP, &diagnostic.names, &outputs, &graph.nodes, named)?);
        }
        Ok(record)
    }
}

/// The outputs that are nodes' values, by path; `named` says what the output of a node is called.
fn by_name(
    engine: &'static str,
    names: &[String],
    outputs: &[TValue],
    nodes: &[Node],
    named: impl Fn(&Node) -> String,
) -> Result<HashMap<String, Vec<f32>>, EngineError> {
    let places: HashMap<&str, usize> = names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let place = |node: &Node| Some((node.name.clone(), *places.get(named(node).as_str())?));
    let value = |(name, index): (String, usize)| Ok((name, values(engine, &outputs[index])?));
    nodes.iter().filter_map(place).map(value).collect()
}

/// `unrolled.onnx` in tract.
pub struct TractUnrolled<'a> {
    network: Network<'a>,
    plan: Plan,
    names: Vec<String>,
}

impl<'a> TractUnrolled<'a> {
    /// Builds the plan.
    pub fn new(network: &Network<'a>) -> Result<Self, EngineError> {
        Self::with_values(network, Values::Named)
    }

    fn with_values(network: &Network<'a>, values: Values) -> Result<Self, EngineError> {
        let frames = Frames::Presented(network.presentation);
        Self::from_model(network, &onnx::unrolled_model(&network.exported, frames, Logits::Every, values, &[]))
    }

    /// Runs a model that [`onnx::unrolled_model`] wrote for this network.
    pub fn from_model(network: &Network<'a>, model: &ModelProto) -> Result<Self, EngineError> {
        let (plan, names) = plan(UNROLLED, model)?;
        Ok(Self { network: *network, plan, names })
    }

    /// All logits for one image `[C, H, W]`, or for one sequence `[T, C, H, W]` if the model takes one.
    pub fn logits(&mut self, frames: &[f32]) -> Result<Vec<f32>, EngineError> {
        let outputs = self.outputs(frames)?;
        values(UNROLLED, &outputs[0])
    }

    fn outputs(&mut self, frames: &[f32]) -> Result<TVec<TValue>, EngineError> {
        let frame = self.network.source.graph.frame;
        let steps = frames.len() / frame.elements();
        let shape = [1, steps, frame.channels, frame.height, frame.width];
        let takes_sequence = self.plan.model().input_fact(0).map_err(failed(UNROLLED))?.rank() == shape.len();
        let shape = if takes_sequence { shape.to_vec() } else { [&[1], &shape[2..]].concat() };
        self.plan.run(tvec![tensor(UNROLLED, &shape, frames)?]).map_err(failed(UNROLLED))
    }
}

impl Engine for TractUnrolled<'_> {
    fn run(&mut self, image: Image<'_>) -> Result<Vec<Vec<f32>>, EngineError> {
        let logits = self.logits(image.values)?;
        Ok(rows(&logits, self.network.source.graph.classes()))
    }

    fn record(&mut self, image: Image<'_>) -> Result<Record, EngineError> {
        let mut diagnostic = Self::with_values(&self.network, Values::Every)?;
        let graph = self.network.exported.graph;
        let outputs = diagnostic.outputs(image.values)?;
        let logits = rows(&values(UNROLLED, &outputs[0])?, graph.classes());
        let by_step = (1..=self.network.presentation.steps).map(|step| {
            let named = |node: &Node| onnx::at_step(&node.name, step);
            by_name(UNROLLED, &diagnostic.names, &outputs, &graph.nodes, named)
        });
        Ok(Record { logits, values: by_step.collect::<Result<_, _>>()? })
    }
}
