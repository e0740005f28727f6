//! `convrnn-export validate`: agreement, and the name of the operation that is wrong.

use crate::common::{Fixture, export, output};
use convrnn_export::engines::EngineKind;
use convrnn_models::Architecture;
use convrnn_models::checkpoint::write_calibration;
use convrnn_models::safetensors_file::TensorFile;

fn validate(fixture: &Fixture, checkpoint: &std::path::Path, code: i32) -> serde_json::Value {
    let mut command = export(&["validate", "--json", "--images", "12"], &[checkpoint]);
    command.arg("--trace").arg(fixture.path("trace.safetensors"));
    serde_json::from_str(&output(&mut command, code)).expect("JSON")
}

#[test]
fn every_engine_agrees_with_the_trace() {
    let fixture = Fixture::new("rgc-28-m4");
    fixture.write_trace(20, 2);
    let reports = validate(&fixture, &fixture.path("checkpoint"), 0);
    let reports = reports.as_array().expect("a list");
    let mut names: Vec<&str> = reports.iter().map(|report| report["engine"].as_str().expect("a name")).collect();
    names.sort_by_key(|name| EngineKind::ALL.iter().position(|kind| kind.name() == *name));
    assert_eq!(names, EngineKind::ALL.map(EngineKind::name));
    for report in reports {
        let kind = EngineKind::ALL.into_iter().find(|kind| report["engine"] == kind.name()).expect("an engine");
        if kind.left_out().is_some() {
            assert_eq!((&report["verdict"], &report["passed"]), (&"left-out".into(), &false.into()), "{report}");
            continue;
        }
        let agreement = &report["agreement"];
        assert!(report["passed"].as_bool().expect("a verdict"), "{report}");
        assert!(report["divergence"].is_null() && report["error"].is_null(), "{report}");
        assert_eq!(agreement["relative_by_step"].as_array().map(Vec::len), Some(8));
    }
}

#[test]
fn a_wrong_weight_is_named_with_the_first_step_at_which_it_acts() {
    let fixture = Fixture::new("rgc-28-m4");
    fixture.write_trace(3, 2);
    // All states are zero before step 1, so a weight that reads one acts from step 2 on (the biases
    // make every layer's output differ from zero in step 1 already).
    for (tensor, node, step) in [
        ("layer2.cell.w_hh.weight", "layer2.cell.w_hh", 2),
        ("layer3.cell.w_ch.weight", "layer3.cell.w_ch", 2),
        ("layer1.conv.weight", "layer1.conv", 1),
        ("layer3.conv.weight", "layer3.conv", 2),
    ] {
        let mut parameters = fixture.parameters.clone();
        let id = fixture.graph.parameter_named(tensor).unwrap_or_else(|| panic!("no {tensor}"));
        parameters.values[id.0][7] += 0.5;
        let checkpoint = fixture.write_checkpoint("wrong", &parameters);
        for report in validate(&fixture, &checkpoint, 1).as_array().expect("a list") {
            if report["verdict"] == "left-out" {
                continue;
            }
            let divergence = &report["divergence"];
            assert_eq!(
                (&report["passed"], &report["verdict"]),
                (&false.into(), &"not-judged".into()),
                "{tensor}: {report}"
            );
            assert_eq!(divergence["node"], node, "{tensor}: {report}");
            assert_eq!(divergence["step"], step, "{tensor}: {report}");
            assert_eq!(divergence["parameters"][0], tensor, "{report}");
            assert_eq!(divergence["whose"], "trace", "{report}");
        }
    }
}

#[test]
fn a_weight_wrong_by_too_little_to_move_the_logits_is_named_as_well() {
    let fixture = Fixture::new("rgc-28-m4");
    fixture.write_trace(3, 2);
    let mut parameters = fixture.parameters.clone();
    let tensor = "layer3.cell.w_cc.weight";
    let id = fixture.graph.parameter_named(tensor).expect("a weight");
    parameters.values[id.0][5] += 0.01;
    let checkpoint = fixture.write_checkpoint("wrong", &parameters);
    for report in validate(&fixture, &checkpoint, 1).as_array().expect("a list") {
        if report["engine"] == "runtime int8" || report["verdict"] == "left-out" {
            continue;
        }
        let divergence = &report["divergence"];
        assert!(report["agreement"]["relative_difference"].as_f64() < Some(1e-4), "{report}");
        assert_eq!(report["passed"], false, "{report}");
        assert_eq!(divergence["node"], "layer3.cell.w_cc", "{report}");
        assert_eq!(divergence["parameters"][0], tensor, "{report}");
        assert_eq!(divergence["whose"], "trace", "{report}");
    }
}

#[test]
fn any_wrong_tensor_is_named_where_it_is_seen_at_all() {
    let fixture = Fixture::new("rgc-28-m4");
    fixture.write_trace(3, 2);
    let mut named = 0;
    for (index, parameter) in fixture.graph.parameters.iter().enumerate() {
        let mut parameters = fixture.parameters.clone();
        let element = 1000 % parameters.values[index].len();
        parameters.values[index][element] += 0.01;
        let checkpoint = fixture.write_checkpoint("wrong", &parameters);
        let mut command = export(&["validate", "--json", "--images", "3", "--engine", "runtime f32"], &[&checkpoint]);
        command.arg("--trace").arg(fixture.path("trace.safetensors"));
        let output = command.output().expect("the program starts");
        let reports: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        if reports[0]["passed"] == false {
            named += 1;
            let parameters = reports[0]["divergence"]["parameters"].as_array().expect("parameters");
            assert!(parameters.iter().any(|name| *name == parameter.name.as_str()), "{}: {reports}", parameter.name);
        }
    }
    assert!(named * 10 >= fixture.graph.parameters.len() * 9, "{named} of {}", fixture.graph.parameters.len());
}

#[test]
fn the_digest_tells_whether_the_weights_are_those_that_were_traced() {
    let fixture = Fixture::new("rgc-28-m4");
    let trace = fixture.write_trace(2, 0);
    let run = |checkpoint: &std::path::Path, code: i32| {
        let mut command = export(&["validate", "--engine", "runtime f32"], &[checkpoint]);
        output(command.arg("--trace").arg(&trace), code)
    };
    let own = run(&fixture.path("checkpoint"), 0);
    assert!(own.contains("the trace is of these weights (digest "), "{own}");

    // Without values of operations, only logits and the digest speak.
    let mut parameters = fixture.parameters.clone();
    parameters.values[0][3] += 0.5;
    let wrong = fixture.write_checkpoint("wrong", &parameters);
    let text = run(&wrong, 1);
    assert!(text.contains("the trace is of other weights: their digest is "), "{text}");
    // The engine is right, and the trace cannot say so.
    assert!(text.contains("not judged\n    each of its operations is right") && !text.contains("FAILED"), "{text}");

    // A change that no logit shows: every engine agrees, and none is judged all the same.
    let mut parameters = fixture.parameters.clone();
    parameters.values[0][3] = f32::from_bits(parameters.values[0][3].to_bits() + 1);
    let text = run(&fixture.write_checkpoint("other", &parameters), 1);
    assert!(text.contains("the trace is of other weights") && text.contains("not judged"), "{text}");

    // An old trace: what is known and what is not.
    let trace = fixture.write_trace_as(2, 1, None);
    let mut command = export(&["validate", "--engine", "runtime f32"], &[&wrong]);
    let text = output(command.arg("--trace").arg(&trace), 1);
    assert!(text.contains("the trace does not say of which weights it is"), "{text}");
    assert!(text.contains("either the weights are not those that were traced, or the executor"), "{text}");
    let mut command = export(&["validate", "--engine", "runtime f32"], &[&fixture.path("checkpoint")]);
    let text = output(command.arg("--trace").arg(&trace), 0);
    assert!(text.contains("the trace does not say of which weights it is"), "{text}");
}

#[test]
fn a_trace_that_its_own_weights_do_not_make_is_not_blamed_on_them() {
    let fixture = Fixture::new("rgc-28-m4");
    let trace = fixture.write_trace(2, 1);
    let mut file = TensorFile::read(&trace).expect("a trace");
    let values = file.tensors.iter_mut().find(|tensor| tensor.name == "values.layer2.conv").expect("recorded");
    let last = values.bytes.len() - 4;
    values.bytes[last..].copy_from_slice(&7.5f32.to_le_bytes());
    file.write(&trace).expect("written");
    let mut command = export(&["validate", "--engine", "runtime f32"], &[&fixture.path("checkpoint")]);
    let text = output(command.arg("--trace").arg(&trace), 1);
    assert!(text.contains("at step 8, layer2.conv (convolution), image 0, the trace's value differs"), "{text}");
    assert!(
        text.contains("the weights are those that were traced, so either the executor that wrote the trace"),
        "{text}"
    );
}

/// A net whose first layer is nearly off: its values are small beside the terms of their sums.
#[test]
fn a_right_checkpoint_passes_where_values_nearly_cancel() {
    let text = "name = \"nearly-off\"\ninput = { channels = 1, height = 9, width = 9 }\n\
                presentation = { steps = 4, image_steps = 4 }\n\
                [[layer]]\nconvolution = { kernel = 3, channels = 3, bias = true }\nactivation = \"relu\"\n\
                [[layer]]\nconvolution = { kernel = 3, channels = 4, bias = true }\nactivation = \"none\"\naverage = \"after\"\n";
    for bias in [-5.0, -2.0, -1.0, 0.0, 3e4] {
        let mut fixture = Fixture::of(Architecture::parse(text, "nearly-off").expect("an architecture"));
        fixture.change(|name, values| {
            if name == "layer1.conv.bias" {
                values.fill(bias);
            }
        });
        fixture.write_trace(6, 4);
        let mut command = export(&["validate", "--json"], &[&fixture.path("checkpoint")]);
        let command = command.arg("--trace").arg(fixture.path("trace.safetensors"));
        let reports: serde_json::Value =
            serde_json::from_slice(&command.output().expect("it starts").stdout).expect("JSON");
        for report in reports.as_array().expect("a list").iter().filter(|report| report["engine"] != "runtime int8") {
            assert!(report["verdict"] == "ok" || report["verdict"] == "left-out", "bias {bias}: {report}");
        }
    }
}

#[test]
fn a_right_checkpoint_passes_after_forty_steps() {
    let mut architecture = convrnn_models::catalogue::find("rgc-28").expect("a catalogue entry");
    (architecture.presentation.steps, architecture.presentation.image_steps) = (40, 40);
    let fixture = Fixture::of(architecture);
    fixture.write_trace(2, 1);
    let mut command =
        export(&["validate", "--json", "--engine", "step", "--engine", "f32"], &[&fixture.path("checkpoint")]);
    let text = output(command.arg("--trace").arg(fixture.path("trace.safetensors")), 0);
    let reports: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for report in reports.as_array().expect("a list") {
        assert!(report["passed"] == true || report["verdict"] == "left-out", "{report}");
    }
}

/// A filter a million times too large is a fact of the checkpoint, which the trace shares: nothing is wrong with either.
#[test]
fn a_huge_filter_is_not_called_a_wrong_trace() {
    let mut fixture = Fixture::new("rgc-28-m4");
    fixture.change(|name, values| {
        if name == "layer2.conv.weight" {
            values[..9].iter_mut().for_each(|value| *value *= 1e6);
        }
    });
    fixture.write_trace(3, 2);
    let mut command = export(&["validate", "--engine", "step", "--engine", "f32"], &[&fixture.path("checkpoint")]);
    let text = output(command.arg("--trace").arg(fixture.path("trace.safetensors")), 0);
    assert!(text.contains("the trace is of these weights") && !text.contains("not those that were traced"), "{text}");
}

#[test]
fn a_wrong_normalisation_names_its_own_tensors_and_not_the_convolution() {
    let fixture = Fixture::new("resnet-28");
    fixture.write_trace(1, 1);
    let norm = fixture.graph.nodes.iter().find(|node| node.operation.kind() == "batch-norm").expect("a normalisation");
    let tensors = norm.operation.parameters();
    for tensor in tensors {
        let name = &fixture.graph.parameters[tensor.0].name;
        let mut parameters = fixture.parameters.clone();
        parameters.values[tensor.0][0] += 0.05;
        let checkpoint = fixture.write_checkpoint("wrong", &parameters);
        let mut command = export(&["validate", "--json", "--engine", "runtime f32"], &[&checkpoint]);
        let text = output(command.arg("--trace").arg(fixture.path("trace.safetensors")), 1);
        let reports: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let divergence = &reports[0]["divergence"];
        assert_eq!((&divergence["node"], &divergence["operation"]), (&norm.name.as_str().into(), &"batch-norm".into()));
        let named = divergence["parameters"].as_array().expect("parameters");
        assert!(named.len() == 4 && named.contains(&name.as_str().into()), "{name}: {divergence}");
    }
}

#[cfg(feature = "tract")]
#[test]
fn an_engine_that_fails_by_itself_is_not_the_networks_failure() {
    let mut fixture = Fixture::new("rgc-28-m4");
    fixture.change(|name, values| {
        if name.starts_with("layer2.cell.") {
            values.fill(0.0);
        }
    });
    fixture.write_trace(2, 1);
    let mut command = export(&["validate", "--engine", "f32", "--engine", "tract"], &[&fixture.path("checkpoint")]);
    let run = command.arg("--trace").arg(fixture.path("trace.safetensors")).output().expect("it starts");
    let (text, error) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(text.contains("engine failed: ") && !text.contains("FAILED"), "{text}\n{error}");
    assert_eq!(run.status.code(), Some(3), "{text}\n{error}");
    assert!(text.lines().any(|line| line.starts_with("runtime f32") && line.ends_with("ok")), "{text}");
    assert!(!error.contains("panicked at") && !error.contains("RUST_BACKTRACE"), "{error}");
}

#[test]
fn black_calibration_frames_are_told_of_with_the_values_that_leave_their_ranges() {
    let fixture = Fixture::new("rgc-28-m4");
    fixture.write_trace(20, 4);
    let checkpoint = fixture.path("checkpoint");
    let black = fixture.path("black.safetensors");
    let frames = vec![0; 32 * fixture.graph.frame.elements()];
    write_calibration(&black, &fixture.description.preprocessing, frames).expect("written");
    let warned = |command: &mut assert_cmd::Command| {
        let run = command.arg("--calibration").arg(&black).output().expect("it starts");
        let error = String::from_utf8_lossy(&run.stderr).into_owned();
        for doubt in ["only 1 differ", "of one colour each", "lie between 0 and 0 of 255"] {
            assert!(error.contains("warning: ") && error.contains(doubt), "{doubt}: {error}");
        }
        (String::from_utf8_lossy(&run.stdout).into_owned(), run.status.code())
    };
    let mut program = export(&["program"], &[&checkpoint]);
    let (text, code) = warned(program.arg("--output").arg(fixture.path("black.crnn")));
    assert!(code == Some(0) && text.contains("% of f32's logits on calibration frames"), "{text}");
    let mut validate = export(&["validate", "--engine", "int8"], &[&checkpoint]);
    let (text, _) = warned(validate.arg("--trace").arg(fixture.path("trace.safetensors")));
    assert!(text.contains("leave the range that calibration gave them: layer1.pool ("), "{text}");
    assert!(text.contains("Calibrate with images like these"), "{text}");
}

/// A net that only adds up its input: with ranges found on black frames its logits are cut off.
#[test]
fn an_int8_error_that_is_large_fails_whatever_the_accuracy_is() {
    let text = "name = \"sums\"\ninput = { channels = 1, height = 9, width = 9 }\n\
                presentation = { steps = 3, image_steps = 3 }\n\
                [[layer]]\nconvolution = { kernel = 3, channels = 3, bias = true }\nactivation = \"none\"\n\
                [[layer]]\nconvolution = { kernel = 3, channels = 2, bias = true }\nactivation = \"none\"\naverage = \"after\"\n";
    let mut fixture = Fixture::of(Architecture::parse(text, "sums").expect("an architecture"));
    fixture.change(|name, values| values.fill(if name.ends_with("bias") { 0.0 } else { 0.1 }));
    fixture.write_trace(20, 4);
    let black = fixture.path("black.safetensors");
    let frames = vec![0; 32 * fixture.graph.frame.elements()];
    write_calibration(&black, &fixture.description.preprocessing, frames).expect("written");
    let mut command = export(&["validate", "--engine", "int8", "--trace"], &[]);
    command.arg(fixture.path("trace.safetensors")).arg(fixture.path("checkpoint"));
    let text = output(command.arg("--calibration").arg(&black), 1);
    assert!(text.contains("of the range of the logits, and more than 0.1 is large"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("runtime int8") && line.ends_with("FAILED")), "{text}");
}

#[cfg(feature = "onnxruntime")]
#[test]
fn a_missing_library_is_explained_and_the_other_engines_still_run() {
    let fixture = Fixture::new("rgc-28-m4");
    fixture.write_trace(2, 1);
    let mut command = export(&["validate", "--engine", "step", "--engine", "f32"], &[&fixture.path("checkpoint")]);
    command.arg("--trace").arg(fixture.path("trace.safetensors"));
    command.env("ORT_DYLIB_PATH", fixture.path("libonnxruntime.so"));
    let text = output(&mut command, 3);
    assert!(text.contains("run `cargo xtask setup`, or set ORT_DYLIB_PATH"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("runtime f32") && line.ends_with("ok")), "{text}");
}

#[cfg(not(feature = "tract"))]
#[test]
fn an_engine_that_was_not_built_in_is_said_to_be_left_out() {
    let fixture = Fixture::new("rgc-28-m4");
    let trace = fixture.write_trace(2, 1);
    let mut command = export(&["validate", "--engine", "f32", "--engine", "tract", "--engine", "step"], &[]);
    let run = command.arg(fixture.path("checkpoint")).arg("--trace").arg(&trace).output().expect("it starts");
    let error = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(1), "{error}");
    assert!(error.starts_with("error: --engine tract: this program was built without tract; build it with"), "{error}");
    let text = output(export(&["validate"], &[&fixture.path("checkpoint")]).arg("--trace").arg(&trace), 0);
    assert!(text.contains("left out: tract (this program was built without it; "), "{text}");
}

#[test]
fn a_trace_of_another_network_is_refused() {
    let (fixture, other) = (Fixture::new("rgc-28-m4"), Fixture::new("vanilla-28"));
    let trace = other.write_trace(2, 0);
    let mut command = export(&["validate"], &[&fixture.path("checkpoint")]);
    let run = command.arg("--trace").arg(trace).output().expect("the program starts");
    assert_eq!(run.status.code(), Some(1));
    let expected = "error: the trace is of architecture \"vanilla-28\", the checkpoint of \"rgc-28-m4\": trace this \
                    checkpoint with `convrnn-train trace`\n";
    assert_eq!(String::from_utf8_lossy(&run.stderr), expected);
}

#[test]
fn programs_with_computed_states_are_judged_from_their_first_logits_on() {
    let fixture = Fixture::new("rgc-28-m4");
    fixture.write_trace(8, 0);
    let (checkpoint, program) = (fixture.path("checkpoint"), fixture.path("late.crnn"));
    for numerics in ["f32", "int8"] {
        let mut command = export(&["program", "--numerics", numerics, "--precompute", "--bands", "2"], &[&checkpoint]);
        output(command.arg("--output").arg(&program), 0);
        let mut command = export(&["validate", "--json", "--images", "8", "--engine", numerics], &[&checkpoint]);
        command.arg("--trace").arg(fixture.path("trace.safetensors")).arg("--program").arg(&program);
        let reports: serde_json::Value = serde_json::from_str(&output(&mut command, 0)).expect("JSON");
        let report = &reports[reports.as_array().expect("a list").len() - 1];
        assert_eq!(report["passed"], true, "{report}");
        let by_step = report["agreement"]["relative_by_step"].as_array().expect("a list");
        assert!(by_step.iter().take(3).all(serde_json::Value::is_null), "{report}");
        assert!(by_step.iter().skip(3).all(serde_json::Value::is_number), "{report}");
    }
}
