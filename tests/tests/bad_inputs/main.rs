//! Bad input of every kind: what the programs say, with which exit code, and that nothing is left
//! half written. The answers are kept in `docs/BAD-INPUTS.md`; after a wanted change write it anew
//! with `CONVRNN_OVERWRITE=1 cargo test -p convrnn-tests --test bad_inputs`.

mod fixtures;

use fixtures::{Fixtures, Tool};
use std::fmt::Write;

/// One bad input: what is wrong, who is asked, and with which arguments.
struct Case {
    what: &'static str,
    tool: Tool,
    arguments: Vec<String>,
    code: i32,
}

fn case(what: &'static str, tool: Tool, arguments: &[&str]) -> Case {
    Case { what, tool, arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(), code: 1 }
}

fn usage(what: &'static str, tool: Tool, arguments: &[&str]) -> Case {
    Case { code: 2, ..case(what, tool, arguments) }
}

fn cases(fixtures: &Fixtures) -> Vec<Case> {
    use Tool::{Export, Train};
    let mut cases = Vec::new();
    for (what, name, text) in fixtures::architectures() {
        let path = fixtures.file(name, text.as_bytes());
        cases.push(case(what, Train, &["info", &path]));
    }
    cases.push(case("an architecture file that is not there", Train, &["info", "DIR/absent.toml"]));
    cases.push(case("a misspelt catalogue name", Train, &["info", "rgc-28-m5"]));
    cases.push(case(
        "a recurrent net to be matched",
        Train,
        &["match", "--architecture", "rgc-28", "--parameters", "5000"],
    ));
    cases.push(case("a device instead of an architecture", Train, &["info", "/dev/zero"]));

    let train = |data: &str| {
        ["train", "--architecture", "ff-28", "--data", data, "--epochs", "1", "--run", "DIR/run"].map(str::to_owned)
    };
    for (what, data) in fixtures.data_sets() {
        let arguments = train(&data);
        cases.push(Case { what, tool: Train, arguments: arguments.to_vec(), code: 1 });
    }
    cases.push(case("a checkpoint that is no directory", Train, &["eval", "DIR/absent", "--data", "rendered:test=20"]));
    cases.push(case("a run to resume that is none", Train, &["train", "--resume", "DIR/absent"]));
    cases.push(case(
        "a run folder that exists",
        Train,
        &["train", "--architecture", "ff-28", "--data", "rendered:train=200,test=20", "--run", "DIR/good"],
    ));
    let endless = "18446744073709551615";
    cases.push(case(
        "an evaluation without end",
        Train,
        &["eval", "DIR/good", "--data", "rendered:test=20", "--steps", endless],
    ));
    cases.push(case(
        "a training without end",
        Train,
        &[
            "train",
            "--architecture",
            "ff-28",
            "--data",
            "rendered:train=200,test=20",
            "--epochs",
            endless,
            "--run",
            "DIR/run",
        ],
    ));
    cases.push(usage("a misspelt option", Train, &["train", "--epoch", "3"]));
    for (what, options) in [
        ("all images held out", ["--hold-out", "200"].as_slice()),
        ("a plateau of an accuracy that nothing measures", &["--hold-out", "0"]),
        ("held-out images and test images to choose by", &["--select-on", "test", "--hold-out", "10%"]),
    ] {
        let arguments = [
            &train("rendered:train=200,test=20")[..],
            &options.iter().map(|&option| option.to_owned()).collect::<Vec<_>>(),
        ];
        cases.push(Case { what, tool: Train, arguments: arguments.concat(), code: 1 });
    }
    cases.push(usage(
        "a share of all images to hold out",
        Train,
        &["train", "--architecture", "ff-28", "--data", "rendered", "--hold-out", "100%"],
    ));
    cases.push(case(
        "a validation split that is not there",
        Train,
        &["eval", "DIR/good", "--data", "rendered:test=20", "--split", "validation"],
    ));

    for (what, checkpoint) in fixtures.checkpoints() {
        cases.push(case(what, Export, &["onnx", &checkpoint, "--output", "DIR/onnx"]));
    }
    cases.push(case(
        "int8 without calibration frames",
        Export,
        &["program", "DIR/uncalibrated", "--numerics", "int8", "--output", "DIR/out.crnn"],
    ));
    cases.push(case(
        "a truncated trace",
        Export,
        &["validate", "DIR/good", "--trace", "DIR/truncated-trace.safetensors"],
    ));
    cases.push(case(
        "a file that is no trace",
        Export,
        &["validate", "DIR/good", "--trace", "DIR/good/weights.safetensors"],
    ));
    cases.push(case("a device instead of a trace", Export, &["validate", "DIR/good", "--trace", "/dev/zero"]));
    cases.push(case(
        "a device instead of a file to write",
        Export,
        &["program", "DIR/good", "--numerics", "f32", "--output", "/dev/null"],
    ));
    for (what, program) in fixtures.programs() {
        cases.push(case(what, Export, &["inspect", &program]));
    }
    cases.push(case(
        "a device that does not answer",
        Export,
        &["stream", "DIR/good.crnn", "--connect", "tcp:127.0.0.1:9", "--wait", "1", "--images", "1"],
    ));
    cases.push(usage(
        "an unknown arithmetic",
        Export,
        &["program", "DIR/good", "--numerics", "int7", "--output", "DIR/out.crnn"],
    ));
    cases
}

#[test]
fn every_bad_input_gets_a_clear_error_and_leaves_nothing_behind() {
    let fixtures = Fixtures::new();
    let mut document = String::from(HEAD);
    let before = fixtures.listing();
    let cases = cases(&fixtures);
    assert!(cases.len() >= 25, "{} cases", cases.len());
    let listing = fixtures.listing();
    assert!(listing.len() >= before.len());
    for case in &cases {
        let arguments: Vec<String> = case.arguments.iter().map(|argument| fixtures.expand(argument)).collect();
        let answer = fixtures.run(case.tool, &arguments);
        let label = format!("{} ({})", case.what, case.arguments.join(" "));
        assert_eq!(answer.code, Some(case.code), "{label}: {}", answer.error);
        assert!(answer.error.contains("error: "), "{label}: {}", answer.error);
        for trace in ["panicked", "stack backtrace", "RUST_BACKTRACE"] {
            assert!(!answer.error.contains(trace), "{label}: {}", answer.error);
        }
        assert!(answer.output.is_empty(), "{label} printed {}", answer.output);
        assert_eq!(fixtures.listing(), listing, "{label} left something behind");
        let message = fixtures.anonymous(&answer.error);
        let first = message.lines().find(|line| line.starts_with("error: ")).unwrap().replace('|', "\\|");
        writeln!(
            document,
            "| {} | `{} {}` | {} | {first} |",
            case.what,
            case.tool.name(),
            case.arguments.join(" "),
            case.code
        )
        .unwrap();
    }
    fixtures::compare("docs/BAD-INPUTS.md", &document);
}

const HEAD: &str = "# Bad inputs\n\n\
    What the programs answer, first line of standard error, with the exit code. `DIR` is a folder of damaged files that\n\
    the test makes. Written by `CONVRNN_OVERWRITE=1 cargo test -p convrnn-tests --test bad_inputs`; the test compares.\n\n\
    | input | command | code | answer |\n|---|---|---|---|\n";
