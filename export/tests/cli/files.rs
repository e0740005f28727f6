//! The files that `onnx`, `program` and `inspect` give.

use crate::common::{Fixture, export, output};
use convrnn_export::onnx::protobuf::ModelProto;
use convrnn_graph::passes::fold_constants;
use convrnn_graph::{Interpreter, Tensor};
use convrnn_models::Architecture;
use prost::Message;
use std::collections::HashMap;

fn read_model(path: &std::path::Path) -> ModelProto {
    ModelProto::decode(std::fs::read(path).expect("a file").as_slice()).expect("a model")
}

#[test]
fn onnx_files_say_what_they_are() {
    let fixture = Fixture::new("rgc-28-m4");
    let folder = fixture.path("onnx");
    let mut command = export(&["onnx", "--steps", "6", "--image-steps", "2"], &[&fixture.path("checkpoint")]);
    let text = output(command.arg("--output").arg(&folder), 0);
    assert!(text.contains("inputs   image [batch, 1, 28, 28], past_layer1.output [batch, 8, 7, 7]"), "{text}");
    assert!(text.contains("outputs  logits [batch, 6, 10]"), "{text}");
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).expect("a folder").map(|file| file.expect("a file").file_name()).collect();
    files.sort();
    assert_eq!(files, ["step.onnx", "unrolled.onnx"]);
    for file in files {
        let model = read_model(&folder.join(file));
        assert_eq!((model.ir_version, model.opset_import[0].version), (8, 17));
        let metadata: HashMap<String, String> =
            model.metadata_props.into_iter().map(|entry| (entry.key, entry.value)).collect();
        assert_eq!(metadata["architecture"], fixture.architecture.to_toml());
        let presentation: convrnn_graph::Presentation = serde_json::from_str(&metadata["presentation"]).expect("JSON");
        assert_eq!((presentation.steps, presentation.image_steps), (6, 2));
        let preprocessing: convrnn_models::Preprocessing =
            serde_json::from_str(&metadata["preprocessing"]).expect("JSON");
        assert_eq!(preprocessing, fixture.description.preprocessing);
        let class_names: Vec<String> = serde_json::from_str(&metadata["class_names"]).expect("JSON");
        assert_eq!(class_names, fixture.description.class_names);
    }
}

#[test]
fn nodes_of_a_step_are_named_by_path_and_a_trimmed_run_holds_less() {
    let fixture = Fixture::new("rgc-28-m4");
    let write = |name: &str, extra: &[&str]| {
        let mut command = export(&["onnx"], &[&fixture.path("checkpoint")]);
        output(command.args(extra).arg("--output").arg(fixture.path(name)), 0);
        let model = |file: &str| read_model(&fixture.path(name).join(file)).graph.expect("a graph");
        (model("step.onnx"), model("unrolled.onnx"))
    };
    let (step, every) = write("every", &[]);
    let (exported, _) = fold_constants(&fixture.graph, &fixture.parameters).expect("finite");
    for node in &exported.nodes {
        assert!(
            step.node.iter().any(|found| found.name == node.name && found.output == [node.name.clone()]),
            "{}",
            node.name
        );
    }
    let (_, last) = write("last", &["--logits", "last"]);
    assert!(last.node.len() < every.node.len(), "{} nodes, {} in all", last.node.len(), every.node.len());
    // Layer 1 at the last step cannot reach the last logits any more.
    assert!(every.node.iter().all(|node| node.name != "layer1.conv@8"));
    assert!(last.node.iter().any(|node| node.name == "layer4.conv@8"));
    assert!(last.node.iter().all(|node| node.name != "layer4.conv@7"));
}

#[test]
fn inspect_gives_the_costs_of_checkpoints_and_programs() {
    let fixture = Fixture::new("rgc-28-m4");
    let checkpoint = fixture.path("checkpoint");
    let json = |path: &std::path::Path| -> serde_json::Value {
        serde_json::from_str(&output(&mut export(&["inspect", "--json"], &[path]), 0)).expect("JSON")
    };
    let whole = json(&checkpoint);
    assert_eq!((&whole["name"], &whole["first_image_step"]), (&"rgc-28-m4".into(), &4.into()));
    for (numerics, plan) in [("int8", "sequential"), ("f32", "parallel")] {
        let path = fixture.path(&format!("{numerics}.crnn"));
        let mut command = export(&["program", "--numerics", numerics, "--plan", plan], &[&checkpoint]);
        output(command.arg("--output").arg(&path), 0);
        let report = json(&path);
        assert_eq!((&report["numerics"], &report["plan"]), (&numerics.into(), &plan.into()));
        assert_eq!(report["multiply_accumulates"], whole["multiply_accumulates"]);
        assert_eq!(report["flash"].as_u64(), std::fs::metadata(&path).ok().map(|file| file.len()));
        let text = output(&mut export(&["inspect"], &[&path]), 0);
        assert!(text.contains("first image-driven logits    step 4"), "{text}");
    }
}

/// A gate of tanh without an offset is shut while nothing reaches it: by the arrows the image may never pass. Biases open it.
const GATED: &str = r#"
name = "gated"
input = { channels = 1, height = 9, width = 9 }
presentation = { steps = 8, image_steps = 8 }
[[layer]]
convolution = { kernel = 3, channels = 3, bias = true }
activation = "elu"
[[layer]]
convolution = { kernel = 3, channels = 3, bias = true }
activation = "elu"
[layer.cell]
kind = "search"
hidden = { gate = { reads = ["memory"], kernel = 3, squash = "tanh", offset = 0.0, factor = 1.0 } }
memory = { gate = { reads = ["hidden"], kernel = 3, bias = true, squash = "tanh", offset = 0.0, factor = 1.0 }, keep = { reads = [], squash = "sigmoid", offset = 0.9, factor = 0.0 } }
[[layer]]
convolution = { kernel = 1, channels = 4, bias = true }
activation = "none"
average = "after"
"#;

#[test]
fn the_first_image_driven_step_in_a_program_is_that_of_its_weights() {
    for (is_open, name) in [(true, "open"), (false, "shut")] {
        let mut fixture = Fixture::of(Architecture::parse(GATED, "gated").expect("an architecture"));
        fixture.change(|name, values| {
            if name.ends_with("bias") {
                values.fill(if is_open { 0.4 } else { 0.0 });
            }
        });
        // The truth, by two images: the first step at which the logits of the f64 reference differ.
        let weights = fixture.parameters.to_f64();
        let logits = |seed: u64| {
            let pixels = &fixture.pixels(1, seed)[0];
            let values = pixels.iter().map(|&pixel| f64::from(pixel) / 255.0).collect();
            let frame = Tensor::new(fixture.graph.frame, values);
            Interpreter::new(&fixture.graph, &weights).logits(std::iter::repeat_n(&frame, 8))
        };
        let (one, other) = (logits(1), logits(2));
        let truth = (0..8).find(|&step| one[step] != other[step]).map(|step| step + 1);
        assert_eq!(truth, is_open.then_some(3), "{name}");
        for numerics in ["f32", "int8"] {
            let path = fixture.path(&format!("{name}-{numerics}.crnn"));
            let mut command = export(&["program", "--numerics", numerics], &[&fixture.path("checkpoint")]);
            output(command.arg("--output").arg(&path), 0);
            let report = output(&mut export(&["inspect", "--json"], &[&path]), 0);
            let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
            assert_eq!(report["first_image_step"].as_u64(), truth.map(|step| step as u64), "{name}, {numerics}");
        }
    }
}

#[test]
fn completions_name_the_subcommands() {
    let script = output(&mut export(&["completions", "bash"], &[]), 0);
    for name in ["onnx", "program", "validate", "inspect", "stream"] {
        assert!(script.contains(name), "{name}");
    }
}

#[test]
fn a_drawn_arena_has_every_buffer_where_the_program_says() {
    let fixture = Fixture::new("rgc-28-m4");
    let (path, picture) = (fixture.path("net.crnn"), fixture.path("arena.svg"));
    output(export(&["program"], &[&fixture.path("checkpoint")]).arg("--output").arg(&path), 0);
    let text = output(export(&["inspect", "--json", "--arena"], &[&picture]).arg(&path), 0);
    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let image = std::fs::read_to_string(&picture).expect("a picture");
    assert!(image.starts_with("<svg") && image.contains("layer3.hidden"), "{image:.200}");
    let numbers = std::fs::read_to_string(fixture.path("arena.csv")).expect("numbers");
    let rows: Vec<Vec<&str>> = numbers.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let number = |row: &[&str], column: usize| row[column].parse::<u64>().expect("a number");
    for state in report["state_list"].as_array().expect("states") {
        let row = rows.iter().find(|row| state["name"] == row[0]).expect("every state is drawn");
        assert_eq!((row[1], state["bytes"].as_u64()), ("state", Some(number(row, 3))));
    }
    // Two buffers in use at once never share a byte.
    for (index, left) in rows.iter().enumerate() {
        assert!(number(left, 2) + number(left, 3) <= report["arena"].as_u64().expect("bytes"));
        for right in &rows[..index] {
            let apart = |start: usize, length: &dyn Fn(&[&str]) -> u64| {
                number(left, start) + length(left) <= number(right, start)
                    || number(right, start) + length(right) <= number(left, start)
            };
            let (bytes, life) = (apart(2, &|row| number(row, 3)), apart(4, &|row| number(row, 5) - number(row, 4)));
            assert!(bytes || life, "{left:?} and {right:?}");
        }
    }
    let run = export(&["inspect", "--arena"], &[&picture, &fixture.path("checkpoint")]).output().expect("it starts");
    assert_eq!(run.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&run.stderr).contains("only a device program (.crnn) has an arena to draw"));
}
