//! `convrnn-export cost`.

use crate::common::{Fixture, export, output};
use std::path::{Path, PathBuf};

/// Writes a program of the fixture's checkpoint.
fn program(fixture: &Fixture, name: &str, arguments: &[&str]) -> PathBuf {
    let path = fixture.path(name);
    let mut command = export(&["program"], &[&fixture.path("checkpoint")]);
    output(command.args(arguments).arg("--output").arg(&path), 0);
    path
}

fn json(arguments: &[&str], path: &Path) -> serde_json::Value {
    serde_json::from_str(&output(&mut export(arguments, &[path]), 0)).expect("JSON")
}

#[test]
fn a_deadline_is_the_dearest_layer_and_layers_are_the_sum_of_their_operations() {
    let fixture = Fixture::new("rgc-28-m4");
    for target in ["cortex-m4", "cortex-m55"] {
        let path = program(&fixture, &format!("{target}.crnn"), &["--target", target]);
        let cost =
            json(&["cost", "--target", target, "--json", "--clock", "100", "--cycles-per-instruction", "2"], &path);
        let report = json(&["inspect", "--json"], &path);
        assert_eq!((&cost["arena_bytes"], &cost["program_bytes"]), (&report["arena"], &report["flash"]));
        let layers = cost["layers"].as_array().expect("layers");
        let mut instructions = Vec::new();
        for (layer, inspected) in layers.iter().zip(report["layers"].as_array().expect("layers")) {
            let operations = layer["operations"].as_array().expect("operations");
            let names = |list: &[serde_json::Value]| -> Vec<String> {
                list.iter().map(|one| one["name"].to_string()).collect()
            };
            assert_eq!(names(operations), names(inspected["operations"].as_array().expect("operations")));
            let each = operations.iter().map(|operation| operation["instructions"].as_u64().expect("a count"));
            // A convolution that shares its windows is counted with the one before it.
            let is_shared = |pair: &[serde_json::Value]| pair.iter().all(|it| it["kind"] == "convolution");
            let follows: Vec<bool> = operations.windows(2).map(is_shared).collect();
            let follows = std::iter::once(false).chain(follows);
            assert!(each.clone().zip(follows).all(|(count, follows)| count > 0 || follows), "{target}: {layer}");
            assert_eq!(layer["instructions"], each.sum::<u64>() + layer["session"].as_u64().expect("a count"));
            instructions.push(layer["instructions"].as_u64().expect("a count"));
        }
        assert_eq!(cost["step"], instructions.iter().sum::<u64>());
        assert_eq!(cost["worst_layer"].as_u64(), instructions.iter().max().copied());
        assert_eq!(cost["is_certified"], true);
        // 2 cycles at 100 MHz are 20 ns.
        let milliseconds = cost["worst_layer_milliseconds"].as_f64().expect("a time");
        assert!((milliseconds - cost["worst_layer"].as_f64().expect("a count") * 20e-6).abs() < 1e-9);
        let text = output(&mut export(&["cost", "--target", target, "--clock", "100"], &[&path]), 0);
        assert!(text.contains("deadline: no call of `step_layer` takes more than"), "{text}");
    }
}

/// More channels, more steps of the loop: predictions follow the shapes of the program.
#[test]
fn larger_networks_cost_more() {
    let cost = |name: &str| {
        let fixture = Fixture::new(name);
        let path = program(&fixture, "net.crnn", &["--target", "cortex-m4"]);
        json(&["cost", "--target", "cortex-m4", "--json"], &path)["step"].as_u64().expect("a count")
    };
    let [small, large] = ["rgc-28-m4", "rgc-28"].map(cost);
    assert!(small < large && large < 10 * small, "{small} {large}");
}

/// Layers that begin late are left sooner or later, never dearer: the predictions stay, and `inspect` says when each begins.
#[test]
fn computed_states_cost_flash_alone() {
    let fixture = Fixture::new("rgc-28-m4");
    let target = ["--target", "cortex-m4"];
    let plain = program(&fixture, "plain.crnn", &target);
    let late = program(&fixture, "late.crnn", &["--target", "cortex-m4", "--precompute"]);
    let [mut expected, mut found] =
        [&plain, &late].map(|path| json(&["cost", "--target", "cortex-m4", "--json"], path));
    let flash = |cost: &serde_json::Value| cost["program_bytes"].as_u64().expect("bytes");
    let more = flash(&found) - flash(&expected);
    for cost in [&mut expected, &mut found] {
        for place in ["program_bytes", "arena_bytes"] {
            cost[place] = serde_json::Value::Null;
        }
    }
    assert_eq!(found, expected);
    let [plain_report, report] = [&plain, &late].map(|path| json(&["inspect", "--json"], path));
    let stored = report["initial_states"].as_u64().expect("bytes");
    assert!(stored > 0 && more >= stored && more < stored + 512, "{more} bytes more, {stored} of states");
    assert_eq!((&plain_report["initial_states"], &plain_report["states"]), (&0.into(), &report["states"]));
    let text = output(&mut export(&["inspect"], &[&late]), 0);
    assert!(text.contains("from step 2") && text.contains("states that it starts from"), "{text}");
    let plain = output(&mut export(&["inspect"], &[&plain]), 0);
    assert!(!plain.contains("from step") && !plain.contains("states that it starts from"), "{plain}");
}

#[test]
fn what_cannot_be_predicted_says_why() {
    let fixture = Fixture::new("rgc-28-m4");
    let real = program(&fixture, "real.crnn", &["--numerics", "f32"]);
    let other = program(&fixture, "other.crnn", &["--target", "x86-64"]);
    let skipping = program(&fixture, "skipping.crnn", &["--skip", "propagation"]);
    for (path, expected) in [
        (&real, "the program computes in f32, expected int8"),
        (&skipping, "the program was made by `convrnn-export program --skip`"),
        (&other, "no figures for convolution of other weights of this kind on the Cortex-M55"),
    ] {
        let run = export(&["cost", "--target", "cortex-m55"], &[path]).output().expect("the program starts");
        let error = String::from_utf8_lossy(&run.stderr);
        assert_eq!((run.status.code(), run.stdout.is_empty()), (Some(1), true), "{error}");
        assert!(error.contains(expected), "{error}");
    }
    for arguments in [vec!["cost"], vec!["cost", "--target", "cortex-m4", "--clock", "0"]] {
        let run = export(&arguments, &[&other]).output().expect("the program starts");
        assert_eq!(run.status.code(), Some(2));
    }
}
