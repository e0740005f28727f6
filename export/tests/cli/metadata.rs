//! What a model's metadata say is enough to feed it: a reader that knows nothing of this project gets the logits.

use crate::common::{Fixture, export, output};
use convrnn_export::onnx::protobuf::ModelProto;
use convrnn_graph::{Interpreter, Tensor as Map};
use ort::session::{Session, SessionInputValue};
use ort::value::Tensor;
use prost::Message;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;

/// A model file, as any ONNX library shows it.
struct Read {
    session: Session,
    metadata: HashMap<String, Value>,
}

fn read(path: &std::path::Path, environment: &ort::environment::Environment) -> Read {
    let bytes = std::fs::read(path).unwrap();
    let model = ModelProto::decode(bytes.as_slice()).unwrap();
    let session = Session::builder(environment).unwrap().commit_from_memory(&bytes).unwrap();
    let entries = model.metadata_props.into_iter().filter(|entry| entry.key != "architecture");
    let metadata = entries.map(|entry| (entry.key, serde_json::from_str(&entry.value).unwrap())).collect();
    Read { session, metadata }
}

fn size(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn number(value: &Value) -> f32 {
    value.as_f64().unwrap() as f32
}

/// `[row][column][channel]` bytes to the values of the input, by the metadata alone.
fn values(metadata: &HashMap<String, Value>, pixels: &[u8]) -> ([usize; 4], Vec<f32>) {
    let (input, preprocessing) = (&metadata["input"], &metadata["preprocessing"]);
    assert_eq!(input["axes"], serde_json::json!(["batch", "channel", "row", "column"]));
    assert_eq!((&input["element_type"], &input["pixels"]["element_type"]), (&"float32".into(), &"uint8".into()));
    let [channels, height, width] = ["channels", "height", "width"].map(|key| size(&preprocessing[key]));
    assert_eq!(input["channels"].as_array().unwrap().len(), channels);
    assert!(input["value"].as_str().unwrap().starts_with("(pixel / 255 - "));
    let divisor = number(&input["pixels"]["divide_by"]);
    let mut values = Vec::new();
    for channel in 0..channels {
        let mean = number(&preprocessing["mean"][channel]);
        let deviation = number(&preprocessing["standard_deviation"][channel]);
        for position in 0..height * width {
            values.push((f32::from(pixels[position * channels + channel]) / divisor - mean) / deviation);
        }
    }
    ([1, channels, height, width], values)
}

/// The logits of every step of `unrolled.onnx`, fed by its metadata alone.
fn run_unrolled(model: &mut Read, pixels: &[u8]) -> Vec<Vec<f32>> {
    let (shape, shown) = values(&model.metadata, pixels);
    let name = model.metadata["input"]["name"].as_str().unwrap().to_owned();
    let inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> =
        vec![(name.into(), Tensor::from_array((shape, shown)).unwrap().into())];
    let outputs = model.session.run(inputs).unwrap();
    let (_, logits) = outputs[model.metadata["output"]["name"].as_str().unwrap()].try_extract_tensor::<f32>().unwrap();
    let classes = model.metadata["class_names"].as_array().unwrap().len();
    logits.chunks(classes).map(<[f32]>::to_vec).collect()
}

// One test, since a process initialises ONNX Runtime once.
#[test]
fn the_metadata_alone_are_enough_to_feed_a_model() {
    let path = std::env::var("ORT_DYLIB_PATH").expect("cargo's configuration names ONNX Runtime's library");
    let environment = ort::init_from(path).unwrap().build().unwrap();
    for (name, steps, image_steps) in [("rgc-28-m4", 8, 3), ("rgc-32", 9, 9)] {
        let fixture = Fixture::new(name);
        let folder = fixture.path("onnx");
        let (steps_text, image_steps_text) = (steps.to_string(), image_steps.to_string());
        let arguments = ["onnx", "--steps", &steps_text, "--image-steps", &image_steps_text];
        output(export(&arguments, &[&fixture.path("checkpoint")]).arg("--output").arg(&folder), 0);
        let pixels = fixture.pixels(1, 23).remove(0);

        // What must come out: the f64 reference on the frames of the presentation.
        let weights = fixture.parameters.to_f64();
        let shown = fixture.description.preprocessing.normalize(&pixels).into_iter().map(f64::from).collect();
        let image = Map::new(fixture.graph.frame, shown);
        let blank = Map::full(fixture.graph.frame, fixture.description.presentation.blank);
        let frames = (1..=steps).map(|step| if step <= image_steps { &image } else { &blank });
        let expected = Interpreter::new(&fixture.graph, &weights).logits(frames);
        let near = |step: usize, found: &[f32]| {
            let scale = expected.iter().flatten().fold(0.0f64, |scale, x| scale.max(x.abs()));
            assert_eq!(found.len(), expected[step].len());
            for (&found, expected) in found.iter().zip(&expected[step]) {
                assert!(
                    (f64::from(found) - expected).abs() < 1e-5 * scale,
                    "{name}, step {}: {found} {expected}",
                    step + 1
                );
            }
        };

        let mut unrolled = read(&folder.join("unrolled.onnx"), &environment);
        let by_step = run_unrolled(&mut unrolled, &pixels);
        assert_eq!(by_step.len(), steps);
        by_step.iter().enumerate().for_each(|(step, logits)| near(step, logits));
        let other = run_unrolled(&mut unrolled, &vec![0; pixels.len()]);
        let differs = by_step.iter().zip(&other).position(|(one, other)| one != other).unwrap() + 1;
        assert_eq!(size(&unrolled.metadata["first_image_step"]), differs, "{name}");

        let mut step = read(&folder.join("step.onnx"), &environment);
        let presentation = &step.metadata["presentation"];
        assert_eq!(size(&presentation["steps"]), steps);
        let (shape, image) = values(&step.metadata, &pixels);
        let blank = vec![number(&presentation["blank"]); image.len()];
        let mut states: HashMap<String, ([usize; 4], Vec<f32>)> = HashMap::new();
        for state in step.metadata["states"].as_array().unwrap() {
            let [channels, height, width] = [0, 1, 2].map(|axis| size(&state["shape"][axis]));
            let initial = vec![number(&state["initial"]); channels * height * width];
            states.insert(state["input"].as_str().unwrap().into(), ([1, channels, height, width], initial));
        }
        for number in 1..=size(&presentation["steps"]) {
            let shown = if number <= size(&presentation["image_steps"]) { &image } else { &blank };
            let name = step.metadata["input"]["name"].as_str().unwrap();
            let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> =
                vec![(name.into(), Tensor::from_array((shape, shown.clone())).unwrap().into())];
            for (name, state) in &states {
                inputs.push((name.clone().into(), Tensor::from_array(state.clone()).unwrap().into()));
            }
            let outputs = step.session.run(inputs).unwrap();
            for state in step.metadata["states"].as_array().unwrap() {
                let (_, after) = outputs[state["output"].as_str().unwrap()].try_extract_tensor::<f32>().unwrap();
                states.get_mut(state["input"].as_str().unwrap()).unwrap().1 = after.to_vec();
            }
            let (_, logits) =
                outputs[step.metadata["output"]["name"].as_str().unwrap()].try_extract_tensor::<f32>().unwrap();
            near(number - 1, logits);
        }
    }
}
