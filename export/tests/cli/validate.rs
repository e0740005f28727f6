//! `convrnn-export validate`: agreement, and the name of the operation that is wrong.

use crate::common::{Fixture, export, output};
use convrnn_export::engines::EngineKind;

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
    let names: Vec<&str> = reports.iter().map(|report| report["engine"].as_str().expect("a name")).collect();
    assert_eq!(names, EngineKind::ALL.map(EngineKind::name));
    for report in reports {
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
            if report["engine"] == "runtime int8" {
                continue;
            }
            let divergence = &report["divergence"];
            assert_eq!(report["passed"], false, "{tensor}: {report}");
            assert_eq!(divergence["node"], node, "{tensor}: {report}");
            assert_eq!(divergence["step"], step, "{tensor}: {report}");
            assert_eq!(divergence["parameters"][0], tensor, "{report}");
            assert_eq!(divergence["reference_differs"], true, "{report}");
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
        if report["engine"] == "runtime int8" {
            continue;
        }
        let divergence = &report["divergence"];
        assert!(report["agreement"]["relative_difference"].as_f64() < Some(1e-4), "{report}");
        assert_eq!(report["passed"], false, "{report}");
        assert_eq!(divergence["node"], "layer3.cell.w_cc", "{report}");
        assert_eq!(divergence["parameters"][0], tensor, "{report}");
        assert_eq!(divergence["reference_differs"], true, "{report}");
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
        let mut command = export(&["validate", "--json", "--images", "3", "--engine", "tract step"], &[&checkpoint]);
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
fn without_recorded_values_the_weights_are_said_to_be_others() {
    let fixture = Fixture::new("rgc-28-m4");
    fixture.write_trace(2, 0);
    let mut parameters = fixture.parameters.clone();
    parameters.values[0][3] += 0.5;
    let checkpoint = fixture.write_checkpoint("wrong", &parameters);
    let mut command = export(&["validate", "--engine", "tract step"], &[&checkpoint]);
    let text = output(command.arg("--trace").arg(fixture.path("trace.safetensors")), 1);
    assert!(text.contains("FAILED"), "{text}");
    assert!(
        text.contains(
            "agrees with the f64 reference on the checkpoint's weights: these are not the weights that were traced"
        ),
        "{text}"
    );
}

#[test]
fn a_missing_library_is_explained_and_the_other_engines_still_run() {
    let fixture = Fixture::new("rgc-28-m4");
    fixture.write_trace(2, 1);
    let mut command = export(&["validate", "--engine", "step"], &[&fixture.path("checkpoint")]);
    command.arg("--trace").arg(fixture.path("trace.safetensors"));
    command.env("ORT_DYLIB_PATH", fixture.path("libonnxruntime.so"));
    let text = output(&mut command, 1);
    assert!(text.contains("run `cargo xtask setup`, or set ORT_DYLIB_PATH"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("tract step") && line.ends_with("ok")), "{text}");
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
