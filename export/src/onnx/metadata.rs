//! What a model's `metadata_props` say: all that is needed to show it an image, without this program.

use super::{FRAMES, Frames, IMAGE, LOGITS, past, present};
use convrnn_graph::first_image_steps;
use convrnn_models::Checkpoint;
use serde_json::{Value, json};

/// How an image file becomes pixels of the frame's extents, in the words of a reader that is written anew.
const RESIZE: &str = "An image of the frame's height and width is taken as it is. Of another, the shorter side is scaled to \
                      that of the frame (bilinear, the filter as wide as the reduction, as in Pillow and torchvision), and \
                      the frame is cut from the centre; a `short` among the training data's options scaled it to that first.";

/// Which model the properties are for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Model {
    /// `step.onnx`.
    Step,
    /// `unrolled.onnx`.
    Unrolled(Frames),
}

/// The metadata properties of a checkpoint's model, each but `architecture` in JSON:
///
/// | key | holds |
/// |---|---|
/// | `architecture` | the architecture file, TOML |
/// | `input` | name, element type and axes of the image input; order of channels; how pixels become its values |
/// | `preprocessing` | extents, mean and standard deviation by channel, and how files were decoded where that was recorded |
/// | `presentation` | steps, steps with the image on show, and the value of every element of the blank frame after them |
/// | `states` | of the step: names of input and output, shape and initial value of each state |
/// | `output` | name and axes of the logits |
/// | `first_image_step` | the first step (from 1) whose logits can depend on the image, with these weights; null if none can |
/// | `class_names` | names in the order of the logits |
pub fn metadata(
    checkpoint: &Checkpoint,
    presentation: &convrnn_graph::Presentation,
    model: Model,
) -> Vec<(String, String)> {
    let description = &checkpoint.description;
    let value = |value: serde_json::Result<Value>| value.expect("plain records have a JSON form");
    // That of these weights: they can make it later than the arrows and edges do.
    let first_image_step = first_image_steps(&checkpoint.graph, &checkpoint.parameters)[checkpoint.graph.logits.0];
    let entries = [
        ("input", input(checkpoint, model)),
        ("preprocessing", value(serde_json::to_value(&description.preprocessing))),
        ("presentation", value(serde_json::to_value(presentation))),
        ("states", states(checkpoint, model)),
        ("output", output(model)),
        ("first_image_step", json!(first_image_step)),
        ("class_names", json!(description.class_names)),
    ];
    let architecture = ("architecture".to_owned(), checkpoint.architecture.to_toml());
    std::iter::once(architecture).chain(entries.map(|(key, value)| (key.to_owned(), value.to_string()))).collect()
}

fn input(checkpoint: &Checkpoint, model: Model) -> Value {
    let (name, axes) = match model {
        Model::Step | Model::Unrolled(Frames::Presented(_)) => (IMAGE, json!(["batch", "channel", "row", "column"])),
        Model::Unrolled(Frames::Sequence { .. }) => (FRAMES, json!(["batch", "step", "channel", "row", "column"])),
    };
    let channels = match checkpoint.description.preprocessing.channels {
        1 => json!(["gray"]),
        3 => json!(["red", "green", "blue"]),
        count => json!((0..count).map(|channel| format!("channel {channel}")).collect::<Vec<_>>()),
    };
    json!({
        "name": name,
        "element_type": "float32",
        "axes": axes,
        "channels": channels,
        "pixels": { "element_type": "uint8", "divide_by": 255 },
        "value": "(pixel / 255 - preprocessing.mean[channel]) / preprocessing.standard_deviation[channel]",
        "blank": "presentation.blank is a value, not a pixel: every element of the frame after the steps with the image",
        "resize": RESIZE,
    })
}

fn states(checkpoint: &Checkpoint, model: Model) -> Value {
    match model {
        Model::Step => checkpoint
            .graph
            .states
            .iter()
            .map(|state| {
                let shape = state.shape;
                json!({
                    "name": state.name,
                    "input": past(&state.name),
                    "output": present(&state.name),
                    "shape": [shape.channels, shape.height, shape.width],
                    "initial": 0.0,
                })
            })
            .collect(),
        // They are within.
        Model::Unrolled(_) => json!([]),
    }
}

fn output(model: Model) -> Value {
    let axes = match model {
        Model::Step => json!(["batch", "class"]),
        Model::Unrolled(_) => json!(["batch", "step (where logits of every step were asked for)", "class"]),
    };
    json!({
        "name": LOGITS,
        "axes": axes,
        "meaning": "class scores before softmax; the largest one's class is the answer, at the presentation's last step as in training",
    })
}
