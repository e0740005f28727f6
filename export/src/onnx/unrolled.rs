//! `unrolled.onnx`: a whole run, the weights stored once, nothing computed that nobody reads.

use super::operation::OperationWriter;
use super::proto::{ModelWriter, Size, integer, one_real};
use super::protobuf::ModelProto;
use super::{FRAMES, IMAGE, LOGITS, Source, Values};
use convrnn_graph::{NodeId, Presentation, Read, Shape, UnrollPlan, Wanted};
use std::collections::HashSet;

/// What the unrolled model is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Frames {
    /// One image a run, shown and blanked by the presentation: input `image` `[batch, C, H, W]`.
    Presented(Presentation),
    /// Another frame every step: input `frames` `[batch, T, C, H, W]`.
    Sequence {
        /// T.
        steps: usize,
    },
}

impl Frames {
    /// The schedule that decides which values depend on the input.
    fn presentation(self) -> Presentation {
        match self {
            Frames::Presented(presentation) => presentation,
            Frames::Sequence { steps } => Presentation::held(steps),
        }
    }
}

/// Which steps' logits the unrolled model gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logits {
    /// `logits` `[batch, T, classes]`.
    Every,
    /// The last step's only, `logits` `[batch, classes]`: the least work.
    Last,
}

/// Name of a node's value at a step (from 1).
pub fn at_step(path: &str, step: usize) -> String {
    format!("{path}@{step}")
}

/// A whole run from zero states. A node is emitted for the steps at which the logits asked for
/// depend on it; where it is the same for all images it is computed on a batch of one and broadcast.
/// Nodes and values are named `<path>@<step>`, except the first `logits`.
pub fn unrolled_model(
    source: &Source<'_>,
    frames: Frames,
    logits: Logits,
    values: Values,
    metadata: &[(String, String)],
) -> ModelProto {
    let wanted = match (values, logits) {
        (Values::Every, _) => Wanted::Everything,
        (Values::Named, Logits::Every) => Wanted::EveryLogits,
        (Values::Named, Logits::Last) => Wanted::LastLogits,
    };
    let presentation = frames.presentation();
    let plan = UnrollPlan::new(source.graph, &presentation, wanted);
    let mut unroller =
        Unroller { source, frames, presentation, plan, model: ModelWriter::default(), emitted: HashSet::new() };
    unroller.run(logits, values);
    unroller.model.finish(&source.graph.name, metadata)
}

struct Unroller<'a> {
    source: &'a Source<'a>,
    frames: Frames,
    presentation: Presentation,
    plan: UnrollPlan,
    model: ModelWriter,
    emitted: HashSet<String>,
}

/// A value and whether it has the batch's size (or a batch of one, the same for all images).
struct Value {
    name: String,
    is_batched: bool,
    shape: Shape,
}

impl Unroller<'_> {
    fn run(&mut self, logits: Logits, values: Values) {
        let graph = self.source.graph;
        let frame = graph.frame;
        match self.frames {
            Frames::Presented(_) => self.model.input(IMAGE, &Size::of_map(frame)),
            Frames::Sequence { steps } => {
                let sizes = [steps, frame.channels, frame.height, frame.width].map(Size::Fixed);
                self.model.input(FRAMES, &[&[Size::Batch], sizes.as_slice()].concat());
            }
        }
        let operations = OperationWriter { graph, parameters: self.source.parameters };
        for step in 1..=self.plan.steps() {
            for (index, node) in graph.nodes.iter().enumerate() {
                if !self.plan.is_needed(step, NodeId(index)) {
                    continue;
                }
                let mut operands: Vec<Value> = node.inputs.iter().map(|&read| self.value(read, step)).collect();
                // Elementwise operations broadcast by themselves, a concatenation does not.
                if operands.len() > 1 && node_concatenates(node) && operands.iter().any(|operand| operand.is_batched) {
                    operands = operands.into_iter().map(|operand| self.batched(operand)).collect();
                }
                let inputs: Vec<&str> = operands.iter().map(|operand| operand.name.as_str()).collect();
                operations.emit(&mut self.model, node, &inputs, &at_step(&node.name, step));
            }
        }
        self.give_logits(logits);
        match values {
            Values::Named => {}
            Values::Every => self.give_values(),
        }
    }

    /// What a read gives at a step.
    fn value(&mut self, read: Read, step: usize) -> Value {
        let graph = self.source.graph;
        match read {
            Read::Frame => self.frame(step),
            Read::Node(node) => self.node_value(node, step),
            Read::State(state) if step == 1 => {
                let shape = graph.states[state.0].shape;
                Value { name: self.filled("zeros", 0.0, shape), is_batched: false, shape }
            }
            Read::State(state) => self.node_value(graph.states[state.0].next, step - 1),
        }
    }

    fn node_value(&self, node: NodeId, step: usize) -> Value {
        let declared = &self.source.graph.nodes[node.0];
        let is_batched = self.plan.is_image_driven(step, node);
        Value { name: at_step(&declared.name, step), is_batched, shape: declared.shape }
    }

    fn frame(&mut self, step: usize) -> Value {
        let shape = self.source.graph.frame;
        let (name, is_batched) = match self.frames {
            Frames::Presented(_) if self.presentation.shows_image(step) => (IMAGE.to_owned(), true),
            Frames::Presented(presentation) => (self.filled("blank", presentation.blank as f32, shape), false),
            Frames::Sequence { .. } => {
                let name = at_step("frame", step);
                if self.emitted.insert(name.clone()) {
                    let index = self.model.scalar(format!("constant/index/{}", step - 1), step as i64 - 1);
                    self.model.node("Gather", &name, &[FRAMES, &index], vec![integer("axis", 1)]);
                }
                (name, true)
            }
        };
        Value { name, is_batched, shape }
    }

    /// A constant map for a batch of one.
    fn filled(&mut self, what: &str, value: f32, shape: Shape) -> String {
        let name = format!("{what}/{shape}");
        if self.emitted.insert(name.clone()) {
            let dimensions = [1, shape.channels as i64, shape.height as i64, shape.width as i64];
            let sizes = self.model.integers(format!("constant/shape/1x{shape}"), &dimensions);
            self.model.node("ConstantOfShape", &name, &[&sizes], vec![one_real("value", value)]);
        }
        name
    }

    /// Repeats a value that is the same for all images to the batch's size.
    fn batched(&mut self, value: Value) -> Value {
        if value.is_batched {
            return value;
        }
        let name = format!("{}/batched", value.name);
        if self.emitted.insert(name.clone()) {
            let shape = self.batch_shape();
            self.model.node("Expand", &name, &[&value.name, &shape], vec![]);
        }
        Value { name, is_batched: true, shape: value.shape }
    }

    /// The shape `[batch, 1, 1, 1]`, computed from the input.
    fn batch_shape(&mut self) -> String {
        let name = "batch/shape".to_owned();
        if self.emitted.insert(name.clone()) {
            let input = match self.frames {
                Frames::Presented(_) => IMAGE,
                Frames::Sequence { .. } => FRAMES,
            };
            self.model.node("Shape", "batch/size", &[input], vec![integer("start", 0), integer("end", 1)]);
            let ones = self.model.integers("constant/ones".into(), &[1, 1, 1]);
            self.model.node("Concat", &name, &["batch/size", &ones], vec![integer("axis", 0)]);
        }
        name
    }

    fn give_logits(&mut self, logits: Logits) {
        let graph = self.source.graph;
        let classes = Size::Fixed(graph.classes());
        match logits {
            Logits::Last => {
                let last = self.node_value(graph.logits, self.plan.steps());
                let last = self.batched(last);
                self.model.node("Flatten", LOGITS, &[&last.name], vec![]);
                self.model.output(LOGITS, &[Size::Batch, classes]);
            }
            Logits::Every => {
                // 0 keeps the batch, -1 is the rest, which is the classes.
                let row = self.model.integers("constant/row".into(), &[0, 1, -1]);
                let steps = 1..=self.plan.steps();
                let rows: Vec<String> = steps
                    .map(|step| {
                        let value = self.node_value(graph.logits, step);
                        let value = self.batched(value);
                        let name = at_step(LOGITS, step);
                        self.model.node("Reshape", &name, &[&value.name, &row], vec![]);
                        name
                    })
                    .collect();
                let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
                self.model.node("Concat", LOGITS, &rows, vec![integer("axis", 1)]);
                self.model.output(LOGITS, &[Size::Batch, Size::Fixed(self.plan.steps()), classes]);
            }
        }
    }

    /// Declares every node's value of every step as an output, for finding where engines part.
    fn give_values(&mut self) {
        for step in 1..=self.plan.steps() {
            for (index, node) in self.source.graph.nodes.iter().enumerate() {
                let is_batched = self.plan.is_image_driven(step, NodeId(index));
                let mut sizes = Size::of_map(node.shape);
                if !is_batched {
                    sizes[0] = Size::Fixed(1);
                }
                self.model.output(&at_step(&node.name, step), &sizes);
            }
        }
    }
}

/// Whether ONNX needs the operands of a node in one tensor.
fn node_concatenates(node: &convrnn_graph::Node) -> bool {
    use convrnn_graph::Operation;
    match node.operation {
        Operation::Convolution(_) => true,
        Operation::Resize(_)
        | Operation::BatchNorm(_)
        | Operation::Scale { .. }
        | Operation::Add
        | Operation::Multiply
        | Operation::Affine { .. }
        | Operation::Activation(_)
        | Operation::MaxPool(_)
        | Operation::GlobalAverage => false,
    }
}
