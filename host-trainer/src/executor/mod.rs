//! Runs a step graph with libtorch, unrolled over a presentation, with autograd.
//!
//! The unrolled run is trimmed exactly: a node that nothing wanted depends on is not computed; a
//! value that does not depend on the image has a batch of one and is broadcast where it meets the
//! others; and a node whose operands are the very tensors of the step before (a held frame, states
//! still zero) gives the tensor of the step before. With trimming off every node is computed at
//! every step for the whole batch.

mod frames;
mod interpolation;
mod normalization;
mod operations;
pub mod quantized;
#[cfg(test)]
mod tests;

use convrnn_graph::quantize::QuantizedGraph;
use convrnn_graph::{Operation, Presentation, Read, StateKind, StepGraph, UnrollPlan, Wanted};
pub use frames::{Frames, Shown};
use interpolation::Interpolation;
use normalization::Measured;
pub use normalization::Statistics;
pub use operations::Precision;
use std::sync::Arc;
use tch::{Device, Kind, TchError, Tensor};

/// A graph made ready for one element kind and device.
pub struct Executor<'g> {
    graph: &'g StepGraph,
    kind: Kind,
    device: Device,
    interpolations: Vec<Option<Interpolation>>,
    quantized: Option<Arc<QuantizedGraph>>,
}

/// How an unrolled run is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunOptions<'a> {
    /// The steps whose logits are wanted; `Everything` also records every node and state.
    pub wanted: Wanted<'a>,
    /// Whether work is skipped where the result is the same.
    pub trimming: bool,
    /// What is taken away before each step.
    pub ablation: Ablation,
    /// What normalisations divide by.
    pub normalization: Normalization,
    /// What convolutions multiply in.
    pub precision: Precision,
}

/// Whose mean and variance normalisations use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Normalization {
    /// The running ones, kept among the parameters.
    #[default]
    Running,
    /// Those of the batch, at the steps at which a normalisation's input depends on the image; the run
    /// then gives them, to be taken into the running ones.
    Batch,
}

impl<'a> RunOptions<'a> {
    /// Trimmed, nothing taken away, in the executor's own element kind.
    pub const fn new(wanted: Wanted<'a>) -> Self {
        Self {
            wanted,
            trimming: true,
            ablation: Ablation::None,
            normalization: Normalization::Running,
            precision: Precision::F32,
        }
    }
}

/// What a run takes away, to see what it is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ablation {
    /// Nothing.
    #[default]
    None,
    /// Before every step, every cell state and every output that is read by its own or an earlier
    /// layer reads as zero. What a later layer reads of the layer below stays, or nothing would
    /// reach the logits.
    Recurrence,
}

/// One value and which one it is: two values of a run with one version are the same tensor.
struct Value {
    tensor: Tensor,
    version: usize,
}

impl Value {
    fn share(&self) -> Self {
        Self { tensor: self.tensor.shallow_clone(), version: self.version }
    }
}

/// What a run gives.
pub struct Run {
    /// Logits `[batch or 1, classes]` of every step, from step 1; none where they were not wanted.
    pub logits: Vec<Option<Tensor>>,
    /// By step and node, `[batch or 1, channels, height, width]`; empty unless everything is wanted.
    pub values: Vec<Vec<Tensor>>,
    /// By step and state, after the step; empty unless everything is wanted.
    pub states: Vec<Vec<Tensor>>,
    /// By node: statistics of a normalisation of the batch, the mean over the steps at which what is wanted
    /// depends on it. Trimming does not change them.
    pub statistics: Vec<Option<Statistics>>,
}

impl Run {
    /// The last step's logits for a whole batch, `[batch, classes]`.
    pub fn last_logits(&self, batch: i64) -> Result<Tensor, TchError> {
        self.logits_at(self.logits.len(), batch)
    }

    /// The logits of one step (from 1) for a whole batch, `[batch, classes]`.
    pub fn logits_at(&self, step: usize, batch: i64) -> Result<Tensor, TchError> {
        match self.logits.get(step - 1) {
            Some(Some(logits)) => whole_batch(logits, batch),
            _ => Err(TchError::Torch(format!("the logits of step {step} were not asked for"))),
        }
    }

    /// The logits of every step, `[batch, steps, classes]`.
    pub fn every_logits(&self, batch: i64) -> Result<Tensor, TchError> {
        let steps: Vec<Tensor> =
            self.logits.iter().flatten().map(|logits| whole_batch(logits, batch)).collect::<Result<_, _>>()?;
        Tensor::f_stack(&steps, 1)
    }
}

/// A tensor of a batch of one as one of the whole batch.
pub fn whole_batch(tensor: &Tensor, batch: i64) -> Result<Tensor, TchError> {
    let mut size = tensor.size();
    size[0] = batch;
    tensor.f_expand(size, false)
}

impl<'g> Executor<'g> {
    /// Prepares a graph: builds the interpolation matrices of its resizes.
    pub fn new(graph: &'g StepGraph, kind: Kind, device: Device) -> Result<Self, TchError> {
        let interpolations = graph
            .nodes
            .iter()
            .map(|node| match &node.operation {
                Operation::Resize(resize) => {
                    Interpolation::new(resize, graph.read_shape(node.inputs[0]), kind, device).map(Some)
                }
                Operation::Convolution(_)
                | Operation::BatchNorm(_)
                | Operation::Scale { .. }
                | Operation::Add
                | Operation::Multiply
                | Operation::Affine { .. }
                | Operation::Activation(_)
                | Operation::MaxPool(_)
                | Operation::GlobalAverage => Ok(None),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { graph, kind, device, interpolations, quantized: None })
    }

    /// Runs that want logits compute from now on in the integers of this form of the graph, with gradients straight
    /// through, or in reals again. Runs that want everything always compute in reals.
    pub fn quantize(&mut self, quantized: Option<Arc<QuantizedGraph>>) {
        self.quantized = quantized;
    }

    /// The graph.
    pub fn graph(&self) -> &'g StepGraph {
        self.graph
    }

    /// Element kind of every tensor.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where the tensors live.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Shows `images`, `[batch, channels, height, width]` after normalisation, as the presentation
    /// says, from zero states. `parameters` are the graph's, in its order.
    pub fn run(
        &self,
        parameters: &[Tensor],
        images: &Tensor,
        presentation: &Presentation,
        options: RunOptions,
    ) -> Result<Run, TchError> {
        self.run_frames(parameters, &Frames::presented(images, presentation), options)
    }

    /// Shows a sequence of frames, from zero states.
    pub fn run_frames(&self, parameters: &[Tensor], frames: &Frames, options: RunOptions) -> Result<Run, TchError> {
        let everything = options.wanted == Wanted::Everything;
        if let Some(quantized) = self.quantized.as_ref().filter(|_| !everything) {
            return quantized::run(self.graph, quantized, parameters, frames, options, self.device);
        }
        let plan = UnrollPlan::over(self.graph, &frames.inputs(), options.wanted);
        let mut versions = 0;
        let mut number = |tensor: Tensor| {
            versions += 1;
            Value { tensor, version: versions }
        };
        let batch = if options.trimming { 1 } else { frames.batch() };
        let mut blank_size = frames.images[0].size();
        blank_size[0] = batch;
        let blank = number(Tensor::f_full(blank_size.as_slice(), frames.blank, (self.kind, self.device))?);
        let images: Vec<Value> = frames.images.iter().map(|images| number(images.shallow_clone())).collect();
        let zeros = self
            .graph
            .states
            .iter()
            .map(|state| {
                let shape = state.shape;
                let size = [batch, shape.channels as i64, shape.height as i64, shape.width as i64];
                Tensor::f_zeros(size, (self.kind, self.device)).map(&mut number)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut states: Vec<Option<Value>> = zeros.iter().map(|zero| Some(zero.share())).collect();
        let mut before: Vec<Option<(Vec<usize>, Value)>> = self.graph.nodes.iter().map(|_| None).collect();
        let mut measured: Vec<Measured> = self.graph.nodes.iter().map(|_| Measured::default()).collect();
        let mut run = Run { logits: Vec::new(), values: Vec::new(), states: Vec::new(), statistics: Vec::new() };
        for (step, shown) in (1..).zip(&frames.steps) {
            let frame = shown.image.map_or(&blank, |image| &images[image]);
            if shown.resets {
                states = zeros.iter().map(|zero| Some(zero.share())).collect();
            }
            let mut now: Vec<Option<(Vec<usize>, Value)>> = Vec::with_capacity(self.graph.nodes.len());
            for (index, node) in self.graph.nodes.iter().enumerate() {
                let id = convrnn_graph::NodeId(index);
                if options.trimming && !plan.is_needed(step, id) {
                    now.push(None);
                    continue;
                }
                let operands: Vec<&Value> = node
                    .inputs
                    .iter()
                    .map(|&read| match read {
                        Read::Frame => frame,
                        Read::Node(other) => &now[other.0].as_ref().expect("operands of a needed node are needed").1,
                        Read::State(state) if self.is_ablated(state.0, node.layer, options.ablation) => &zeros[state.0],
                        Read::State(state) => states[state.0].as_ref().expect("states of a needed node are needed"),
                    })
                    .collect();
                let read: Vec<usize> = operands.iter().map(|value| value.version).collect();
                let by_batch = match &node.operation {
                    Operation::BatchNorm(norm) if options.normalization == Normalization::Batch => {
                        plan.is_image_driven(step, id).then_some(norm)
                    }
                    _ => None,
                };
                let value = match (&before[index], by_batch) {
                    (Some((same, value)), _) if options.trimming && *same == read => value.share(),
                    (_, Some(norm)) => {
                        let (tensor, statistics) = normalization::normalize(norm, &operands[0].tensor, parameters)?;
                        measured[index].set(statistics);
                        number(tensor)
                    }
                    (_, None) => {
                        let tensors: Vec<&Tensor> = operands.iter().map(|value| &value.tensor).collect();
                        let interpolation = self.interpolations[index].as_ref();
                        number(operations::evaluate(
                            &node.operation,
                            &tensors,
                            parameters,
                            interpolation,
                            options.precision,
                        )?)
                    }
                };
                if by_batch.is_some() && plan.is_needed(step, id) {
                    measured[index].count()?;
                }
                now.push(Some((read, value)));
            }
            let next = |node: convrnn_graph::NodeId| now[node.0].as_ref().map(|(_, value)| value.share());
            states = self.graph.states.iter().map(|state| next(state.next)).collect();
            let logits = next(self.graph.logits).map(|value| value.tensor.f_flatten(1, -1)).transpose()?;
            let wanted = options.wanted.includes_logits(step, frames.steps.len());
            run.logits.push(logits.filter(|_| wanted));
            if everything {
                let tensors = |values: &[Option<Value>]| {
                    values.iter().flatten().map(|value| value.tensor.shallow_clone()).collect::<Vec<_>>()
                };
                run.states.push(tensors(&states));
                run.values.push(now.iter().flatten().map(|(_, value)| value.tensor.shallow_clone()).collect());
            }
            before = now;
        }
        run.statistics = measured.into_iter().map(Measured::mean).collect::<Result<_, _>>()?;
        Ok(run)
    }

    fn is_ablated(&self, state: usize, reader: usize, ablation: Ablation) -> bool {
        let state = &self.graph.states[state];
        match (ablation, state.kind) {
            (Ablation::None, _) => false,
            (Ablation::Recurrence, StateKind::Cell) => true,
            (Ablation::Recurrence, StateKind::Output) => state.layer >= reader,
        }
    }
}
