//! What the program says to inputs that cannot be used: exact messages, exit code 1 (2 for usage),
//! nothing written.

use crate::common::{Fixture, export};
use convrnn_models::checkpoint::names;
use convrnn_models::safetensors_file::{NamedTensor, TensorFile};
use std::path::{Path, PathBuf};

/// Runs the program; `$` in a message stands for the fixture's folder.
fn check(fixture: &Fixture, arguments: &[&str], code: i32, expected: &str) {
    let folder = fixture.directory.path().display().to_string();
    let arguments: Vec<String> = arguments.iter().map(|argument| argument.replace('$', &folder)).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = export(&arguments, &[]).output().expect("the program starts");
    let error = String::from_utf8_lossy(&run.stderr).replace(&folder, "$");
    assert_eq!(run.status.code(), Some(code), "{arguments:?}: {error}");
    match code {
        2 => assert!(error.contains(expected), "{arguments:?}:\n{error}\nexpected:\n{expected}"),
        _ => assert_eq!(error, format!("error: {expected}\n"), "{arguments:?}"),
    }
    assert!(!error.contains("panicked") && !error.contains("RUST_BACKTRACE"), "{error}");
    assert!(!fixture.path("out").exists() && !fixture.path("out.crnn").exists(), "{arguments:?} left something behind");
}

/// A copy of the good checkpoint with one file rewritten.
fn spoilt(fixture: &Fixture, name: &str, file: &str, rewrite: impl FnOnce(&Path)) {
    let path: PathBuf = fixture.write_checkpoint(name, &fixture.parameters);
    rewrite(&path.join(file));
}

fn rewrite_weights(path: &Path, change: impl FnOnce(&mut Vec<NamedTensor>)) {
    let mut file = TensorFile::read(path).expect("weights");
    change(&mut file.tensors);
    file.write(path).expect("written");
}

fn tensor<'a>(tensors: &'a mut [NamedTensor], name: &str) -> &'a mut NamedTensor {
    tensors.iter_mut().find(|tensor| tensor.name == name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn checkpoints_that_cannot_be_used() {
    let fixture = Fixture::new("rgc-28-m4");
    let onnx = |name: &str, expected: &str| {
        check(&fixture, &["onnx", &format!("$/{name}"), "--output", "$/out"], 1, expected);
    };
    onnx(
        "nowhere",
        "$/nowhere is not a checkpoint: architecture.toml is missing; a checkpoint is a directory that convrnn-train wrote",
    );

    spoilt(&fixture, "a", names::WEIGHTS, |path| std::fs::remove_file(path).expect("removed"));
    onnx(
        "a",
        "$/a is not a checkpoint: weights.safetensors is missing; a checkpoint is a directory that convrnn-train wrote",
    );

    spoilt(&fixture, "b", names::WEIGHTS, |path| {
        let bytes = std::fs::read(path).expect("read");
        std::fs::write(path, &bytes[..bytes.len() - 100]).expect("written");
    });
    let error =
        "is not a whole safetensors file (incomplete metadata, file not fully covered); it is truncated or damaged";
    onnx("b", &format!("$/b/weights.safetensors: {error}"));

    spoilt(&fixture, "c", names::WEIGHTS, |path| {
        rewrite_weights(path, |tensors| {
            tensor(tensors, "layer2.cell.w_ch.weight").bytes[16..20].copy_from_slice(&f32::NAN.to_le_bytes());
        });
    });
    let error = "parameter layer2.cell.w_ch.weight holds NaN at index 4; training diverged or the file is damaged";
    onnx("c", &format!("$/c/weights.safetensors: {error}"));

    spoilt(&fixture, "d", names::WEIGHTS, |path| {
        let other = Fixture::new("vanilla-28");
        std::fs::copy(other.path("checkpoint").join(names::WEIGHTS), path).expect("copied");
    });
    let error = "parameter layer1.conv.weight has shape [12, 1, 5, 5], expected [8, 1, 5, 5]; the weights belong to another architecture";
    onnx("d", &format!("$/d/weights.safetensors: {error}"));

    spoilt(&fixture, "e", names::WEIGHTS, |path| {
        rewrite_weights(path, |tensors| tensors[0].name = "layer9.conv.weight".into())
    });
    let run =
        export(&["onnx"], &[&fixture.path("e")]).arg("--output").arg(fixture.path("out")).output().expect("starts");
    let error = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(error.ends_with("is missing; the weights belong to another architecture\n"), "{error}");

    spoilt(&fixture, "f", names::WEIGHTS, |path| {
        rewrite_weights(path, |tensors| {
            let bias = tensor(tensors, "layer1.conv.bias");
            *bias = NamedTensor::from_i64("layer1.conv.bias", &[8], &[0; 8]);
        });
    });
    onnx("f", "$/f/weights.safetensors: parameter layer1.conv.bias has element type I64, expected F32");

    spoilt(&fixture, "g", names::TRAINING, |path| {
        let text = std::fs::read_to_string(path).expect("read");
        std::fs::write(path, text.replace("\"class 9\"", "\"class 9\", \"class 10\"")).expect("written");
    });
    onnx("g", "$/g/training.toml: names 11 classes, expected 10 (the architecture's logits)");

    spoilt(&fixture, "h", names::ARCHITECTURE, |path| {
        let text = std::fs::read_to_string(path).expect("read");
        std::fs::write(path, text.replacen("kernel =", "kernal =", 1)).expect("written");
    });
    let run =
        export(&["onnx"], &[&fixture.path("h")]).arg("--output").arg(fixture.path("out")).output().expect("starts");
    let error = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(error.contains("unknown key \"kernal\"; did you mean \"kernel\"?"), "{error}");
}

#[test]
fn programs_that_cannot_be_written_or_read() {
    let fixture = Fixture::new("rgc-28-m4");
    let int8 = |extra: &[&str], expected: &str| {
        let arguments = ["program", "$/checkpoint", "--output", "$/out.crnn"];
        check(&fixture, &[&arguments, extra].concat(), 1, expected);
    };
    let hint = "int8 needs training images to find its scales: give a safetensors file with frames U8 [N, 28, 28, 1] with --calibration";
    int8(&["--calibration", "$/none"], &format!("there is no $/none, and {hint}"));
    let weights = "$/checkpoint/weights.safetensors";
    int8(&["--calibration", weights], &format!("{weights}: has frames none, expected U8 [N, 28, 28, 1]"));
    std::fs::create_dir(fixture.path("folder")).expect("made");
    let arguments = ["program", "$/checkpoint", "--numerics", "f32", "--output", "$/no/net.crnn"];
    check(&fixture, &arguments, 1, "cannot write $/no/net.crnn: No such file or directory (os error 2)");

    let output = fixture.path("net.crnn");
    let run =
        export(&["program"], &[&fixture.path("checkpoint")]).arg("--output").arg(&output).output().expect("starts");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let bytes = std::fs::read(&output).expect("a program");
    std::fs::write(fixture.path("short.crnn"), &bytes[..bytes.len() / 2]).expect("written");
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 4;
    std::fs::write(fixture.path("flipped.crnn"), flipped).expect("written");
    let mut newer = bytes.clone();
    newer[4] += 1;
    std::fs::write(fixture.path("newer.crnn"), newer).expect("written");
    let inspect = |name: &str, start: &str| {
        let run = export(&["inspect"], &[&fixture.path(name)]).output().expect("starts");
        let error = String::from_utf8_lossy(&run.stderr).into_owned();
        let expected = format!("error: {}: {start}", fixture.path(name).display());
        assert_eq!(run.status.code(), Some(1), "{error}");
        assert!(error.starts_with(&expected), "{error}\nexpected:\n{expected}");
    };
    inspect("short.crnn", "the program is cut short: copy the whole file");
    inspect("flipped.crnn", "the program is damaged: its checksum does not match");
    inspect("newer.crnn", "the program has another format version: use a matching runtime or export again");
    inspect("checkpoint/weights.safetensors", "this is not a convrnn device program");
    let huge = std::fs::File::create(fixture.path("huge.crnn")).expect("created");
    huge.set_len((256 << 20) + 1).expect("a sparse file");
    inspect("huge.crnn", "has 268435457 bytes, expected a device program of at most 268435456");
    let error = "/dev/zero: is no regular file, expected a device program (.crnn)";
    check(&fixture, &["inspect", "/dev/zero"], 1, error);
    check(&fixture, &["inspect", "$/none.crnn"], 1, "cannot read $/none.crnn: No such file or directory (os error 2)");
}

#[test]
fn models_are_written_both_or_not_at_all() {
    let fixture = Fixture::new("rgc-28-m4");
    let folder = fixture.path("onnx");
    std::fs::create_dir_all(folder.join("unrolled.onnx")).expect("made");
    let mut command = export(&["onnx"], &[&fixture.path("checkpoint")]);
    let run = command.arg("--output").arg(&folder).output().expect("starts");
    let error = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!((run.status.code(), run.stdout.len()), (Some(1), 0), "{error}");
    let expected = format!("error: cannot write {}: is a directory\n", folder.join("unrolled.onnx").display());
    assert_eq!(error, expected);
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 1, "something was left behind");
}

#[test]
fn traces_that_cannot_be_used() {
    let fixture = Fixture::new("rgc-28-m4");
    let validate = |trace: &str, expected: &str| {
        check(&fixture, &["validate", "$/checkpoint", "--trace", trace], 1, expected);
    };
    validate("$/none", "cannot read $/none: No such file or directory (os error 2)");
    let weights = "$/checkpoint/weights.safetensors";
    validate(weights, &format!("{weights}: has no format; it is not a trace that convrnn-train wrote"));
    let trace = fixture.write_trace(2, 1);
    let file = TensorFile::read(&trace).expect("a trace");

    let mut newer = file.clone();
    newer.metadata.insert("format".into(), "2".into());
    newer.write(&fixture.path("newer")).expect("written");
    validate("$/newer", "$/newer: has trace format 2, expected 1");

    let mut partial = file.clone();
    partial.tensors.retain(|tensor| tensor.name != "values.layer2.cell.w_ch");
    partial.write(&fixture.path("partial")).expect("written");
    validate("$/partial", "$/partial: has no tensor values.layer2.cell.w_ch");

    let mut diverged = file;
    tensor(&mut diverged.tensors, "logits").bytes[..4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    diverged.write(&fixture.path("diverged")).expect("written");
    validate("$/diverged", "the trace's logits hold inf: it was recorded from a network that had diverged");

    let known = "reference f64, ONNX Runtime step, ONNX Runtime unrolled, tract step, tract unrolled, runtime f32, runtime int8";
    let arguments = ["validate", "$/checkpoint", "--trace", "$/trace.safetensors", "--engine", "torch"];
    check(&fixture, &arguments, 1, &format!("no engine's name contains \"torch\"; the engines are: {known}"));
}

#[test]
fn usage_errors_end_with_code_two() {
    let fixture = Fixture::new("rgc-28-m4");
    check(&fixture, &["onnx", "$/checkpoint"], 2, "--output <DIR>");
    check(&fixture, &["onnx", "$/checkpoint", "-o", "$/out", "--steps", "0"], 2, "0 is not in 1..=1000");
    check(&fixture, &["validat"], 2, "a similar subcommand exists: 'validate'");
    check(
        &fixture,
        &["program", "$/checkpoint", "-o", "$/out.crnn", "--numerics", "int4"],
        2,
        "[possible values: f32, int8]",
    );
    check(&fixture, &["validate", "$/checkpoint", "--trace", "t", "--tolerance", "0"], 2, "expected a number above 0");
}

#[test]
fn waits_without_end_are_refused() {
    let fixture = Fixture::new("rgc-28-m4");
    let stream = |option: &str, value: &str, expected: &str| {
        check(&fixture, &["stream", "$/net.crnn", "--connect", "tcp:localhost:1", option, value], 2, expected);
    };
    stream("--wait", "18446744073709551615", "is not in 0..=3600");
    stream("--answer", "60001", "60001 is not in 1..=60000");
}

#[test]
fn addresses_that_lead_nowhere() {
    let fixture = Fixture::new("rgc-28-m4");
    let program = fixture.path("net.crnn");
    let run = export(&["program"], &[&fixture.path("checkpoint")]).arg("-o").arg(program).output().expect("starts");
    assert!(run.status.success());
    let stream = |address: &str, expected: &str| {
        check(&fixture, &["stream", "$/net.crnn", "--wait", "0", "--connect", address], 1, expected);
    };
    stream("tcp:localhost", "tcp:localhost is not an address: expected tcp:HOST:PORT or the path of a serial device");
    stream(
        "/dev/ttyX:fast",
        "/dev/ttyX:fast ends with the speed \"fast\", expected bits a second, for instance :115200",
    );
    // What waiting does not mend is said at once.
    let start = std::time::Instant::now();
    let stream_at_once = |address: &str, expected: &str| {
        check(&fixture, &["stream", "$/net.crnn", "--wait", "60", "--connect", address], 1, expected);
    };
    stream_at_once("/dev/null", "cannot open /dev/null: Not a typewriter");
    stream_at_once("$", "cannot open $: Is a directory");
    assert!(start.elapsed() < std::time::Duration::from_secs(30));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    stream(&format!("tcp:{closed}"), &format!("cannot open tcp:{closed}: Connection refused (os error 111)"));
}
