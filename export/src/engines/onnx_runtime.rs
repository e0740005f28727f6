//! ONNX Runtime, loaded from a shared library at run time.

use super::{Engine, EngineError, Image, Network, Record, frame_at, rows};
use crate::onnx::protobuf::ModelProto;
use crate::onnx::{self, Frames, IMAGE, LOGITS, Logits, Values};
use convrnn_graph::{Node, Shape};
use ort::environment::Environment;
use ort::session::{Session, SessionInputValue, SessionOutputs};
use ort::value::Tensor;
use prost::Message;
use std::borrow::Cow;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::OnceLock;

const STEP: &str = "ONNX Runtime step";
const UNROLLED: &str = "ONNX Runtime unrolled";

/// Where set-up puts the library.
const IN_CHECKOUT: &str = ".onnxruntime/libonnxruntime.so";

/// The library, loaded once a process.
fn environment() -> Result<&'static Environment, EngineError> {
    static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();
    let loaded = ENVIRONMENT.get_or_init(|| {
        let path = library()?;
        let builder = ort::init_from(&path).map_err(|error| error.to_string())?;
        builder.with_telemetry(false).build().map_err(|error| error.to_string())
    });
    loaded.as_ref().map_err(|reason| EngineError::OnnxRuntimeMissing { reason: reason.clone() })
}

/// The library that `ORT_DYLIB_PATH` names, or else the one that set-up put into the checkout this
/// program was built in.
fn library() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from) {
        return match path.is_file() {
            true => Ok(path),
            false => Err(format!("ORT_DYLIB_PATH names {}, which is not a file", path.display())),
        };
    }
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let found = program.ancestors().map(|folder| folder.join(IN_CHECKOUT)).find(|path| path.is_file());
    found.ok_or_else(|| "ORT_DYLIB_PATH is not set".into())
}

/// One thread a session: images are spread over threads outside.
fn session(engine: &'static str, model: &[u8]) -> Result<Session, EngineError> {
    let environment = environment()?;
    let fail = |error: &dyn Display| failed(engine, error);
    let builder = Session::builder(environment).map_err(|error| fail(&error))?;
    let builder = builder.with_intra_threads(1).map_err(|error| fail(&error))?;
    let mut builder = builder.with_inter_threads(1).map_err(|error| fail(&error))?;
    builder.commit_from_memory(model).map_err(|error| fail(&error))
}

fn failed(engine: &'static str, error: &dyn Display) -> EngineError {
    EngineError::Failed { engine, message: error.to_string() }
}

type Inputs<'a> = Vec<(Cow<'a, str>, SessionInputValue<'a>)>;

fn map(engine: &'static str, batch: usize, shape: Shape, values: Vec<f32>) -> Result<Tensor<f32>, EngineError> {
    let dimensions = [batch, shape.channels, shape.height, shape.width];
    Tensor::from_array((dimensions, values)).map_err(|error| failed(engine, &error))
}

fn output(engine: &'static str, outputs: &SessionOutputs<'_>, name: &str) -> Result<Vec<f32>, EngineError> {
    let value = outputs.get(name).ok_or_else(|| failed(engine, &format!("gives no {name}")))?;
    let (_, values) = value.try_extract_tensor::<f32>().map_err(|error| failed(engine, &error))?;
    Ok(values.to_vec())
}

/// `step.onnx` in ONNX Runtime.
pub struct OnnxRuntimeStep<'a> {
    network: Network<'a>,
    session: Session,
    states: Vec<ort::value::DynValue>,
}

impl<'a> OnnxRuntimeStep<'a> {
    /// Builds the session.
    pub fn new(network: &Network<'a>) -> Result<Self, EngineError> {
        Self::with_values(network, Values::Named)
    }

    fn with_values(network: &Network<'a>, values: Values) -> Result<Self, EngineError> {
        Self::from_bytes(network, &onnx::step_model(&network.exported, values, &[]).encode_to_vec())
    }

    /// Runs a model with the inputs and outputs of the network's `step.onnx`.
    pub fn from_bytes(network: &Network<'a>, model: &[u8]) -> Result<Self, EngineError> {
        let session = session(STEP, model)?;
        let mut engine = Self { network: *network, session, states: Vec::new() };
        engine.reset(1)?;
        Ok(engine)
    }

    /// Sets all states to zero, for a batch of the given size.
    pub fn reset(&mut self, batch: usize) -> Result<(), EngineError> {
        let states = self.network.source.graph.states.iter();
        let zeros = states.map(|state| {
            let zeros = vec![0.0; batch * state.shape.elements()];
            map(STEP, batch, state.shape, zeros).map(Tensor::into_dyn)
        });
        self.states = zeros.collect::<Result<_, _>>()?;
        Ok(())
    }

    /// One step on normalised frames `[batch, C, H, W]`; gives the logits `[batch, classes]` and what
    /// `read` takes from the outputs.
    pub fn step(&mut self, frames: &[f32]) -> Result<Vec<f32>, EngineError> {
        self.step_with(frames, |_| Ok(())).map(|(logits, ())| logits)
    }

    fn step_with<T>(
        &mut self,
        frames: &[f32],
        read: impl FnOnce(&SessionOutputs<'_>) -> Result<T, EngineError>,
    ) -> Result<(Vec<f32>, T), EngineError> {
        let graph = self.network.source.graph;
        let batch = frames.len() / graph.frame.elements();
        let frames = map(STEP, batch, graph.frame, frames.to_vec())?;
        let mut inputs: Inputs<'_> = vec![(IMAGE.into(), frames.into())];
        for (state, value) in graph.states.iter().zip(&self.states) {
            inputs.push((onnx::past(&state.name).into(), value.into()));
        }
        let mut outputs = self.session.run(inputs).map_err(|error| failed(STEP, &error))?;
        let logits = output(STEP, &outputs, LOGITS)?;
        let extra = read(&outputs)?;
        let mut states = Vec::with_capacity(graph.states.len());
        for state in &graph.states {
            let name = onnx::present(&state.name);
            states.push(outputs.remove(&name).ok_or_else(|| failed(STEP, &format!("gives no {name}")))?);
        }
        drop(outputs);
        self.states = states;
        Ok((logits, extra))
    }
}

impl Engine for OnnxRuntimeStep<'_> {
    fn run(&mut self, image: Image<'_>) -> Result<Vec<Vec<f32>>, EngineError> {
        let presentation = self.network.presentation;
        let blank = vec![presentation.blank as f32; image.values.len()];
        self.reset(1)?;
        (1..=presentation.steps).map(|step| self.step(frame_at(&presentation, step, image.values, &blank))).collect()
    }

    fn record(&mut self, image: Image<'_>) -> Result<Record, EngineError> {
        let mut diagnostic = Self::with_values(&self.network, Values::Every)?;
        let (graph, presentation) = (self.network.exported.graph, self.network.presentation);
        let blank = vec![presentation.blank as f32; image.values.len()];
        let mut record = Record::default();
        for step in 1..=presentation.steps {
            let frame = frame_at(&presentation, step, image.values, &blank);
            let (logits, values) = diagnostic.step_with(frame, |outputs| {
                let value = |node: &Node| Ok((node.name.clone(), output(STEP, outputs, &node.name)?));
                graph.nodes.iter().map(value).collect()
            })?;
            record.logits.push(logits);
            record.values.push(values);
        }
        Ok(record)
    }
}

/// `unrolled.onnx` in ONNX Runtime.
pub struct OnnxRuntimeUnrolled<'a> {
    network: Network<'a>,
    session: Session,
}

impl<'a> OnnxRuntimeUnrolled<'a> {
    /// Builds the session.
    pub fn new(network: &Network<'a>) -> Result<Self, EngineError> {
        Self::with_values(network, Values::Named)
    }

    fn with_values(network: &Network<'a>, values: Values) -> Result<Self, EngineError> {
        let frames = Frames::Presented(network.presentation);
        Self::from_model(network, &onnx::unrolled_model(&network.exported, frames, Logits::Every, values, &[]))
    }

    /// Runs a model that [`onnx::unrolled_model`] wrote for this network.
    pub fn from_model(network: &Network<'a>, model: &ModelProto) -> Result<Self, EngineError> {
        Ok(Self { network: *network, session: session(UNROLLED, &model.encode_to_vec())? })
    }

    /// All logits of a batch of images `[batch, C, H, W]`, as the model lays them out.
    pub fn logits(&mut self, images: &[f32]) -> Result<Vec<f32>, EngineError> {
        let outputs = self.outputs(images)?;
        output(UNROLLED, &outputs, LOGITS)
    }

    fn outputs(&mut self, images: &[f32]) -> Result<SessionOutputs<'_>, EngineError> {
        let frame = self.network.source.graph.frame;
        let images = map(UNROLLED, images.len() / frame.elements(), frame, images.to_vec())?;
        let inputs: Inputs<'_> = vec![(IMAGE.into(), images.into())];
        self.session.run(inputs).map_err(|error| failed(UNROLLED, &error))
    }

    /// All logits of a batch of sequences `[batch, T, C, H, W]`, for a model that takes them.
    pub fn sequence_logits(&mut self, frames: &[f32], steps: usize) -> Result<Vec<f32>, EngineError> {
        let frame = self.network.source.graph.frame;
        let batch = frames.len() / steps / frame.elements();
        let dimensions = [batch, steps, frame.channels, frame.height, frame.width];
        let frames = Tensor::from_array((dimensions, frames.to_vec())).map_err(|error| failed(UNROLLED, &error))?;
        let inputs: Inputs<'_> = vec![(onnx::FRAMES.into(), frames.into())];
        let outputs = self.session.run(inputs).map_err(|error| failed(UNROLLED, &error))?;
        output(UNROLLED, &outputs, LOGITS)
    }
}

impl Engine for OnnxRuntimeUnrolled<'_> {
    fn run(&mut self, image: Image<'_>) -> Result<Vec<Vec<f32>>, EngineError> {
        let logits = self.logits(image.values)?;
        Ok(rows(&logits, self.network.source.graph.classes()))
    }

    fn record(&mut self, image: Image<'_>) -> Result<Record, EngineError> {
        let mut diagnostic = Self::with_values(&self.network, Values::Every)?;
        let (graph, presentation) = (self.network.exported.graph, self.network.presentation);
        let outputs = diagnostic.outputs(image.values)?;
        let logits = rows(&output(UNROLLED, &outputs, LOGITS)?, graph.classes());
        let value = |step: usize, node: &Node| {
            let name = node.name.clone();
            output(UNROLLED, &outputs, &onnx::at_step(&name, step)).map(|value| (name, value))
        };
        let values = (1..=presentation.steps)
            .map(|step| graph.nodes.iter().map(|node| value(step, node)).collect())
            .collect::<Result<_, _>>()?;
        Ok(Record { logits, values })
    }
}
