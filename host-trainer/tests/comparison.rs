//! `convrnn-train compare` with other classes than the architectures', and with runs that fail.

use assert_cmd::Command;
use std::path::Path;

const DATA: &str = "rendered:size=28,classes=3,train=96,test=24";

fn compare(arguments: &[&str], output: &Path) -> (Option<i32>, String, String) {
    let mut command = Command::cargo_bin("convrnn-train").unwrap();
    let output = command.arg("compare").args(arguments).arg("--output").arg(output).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn classes_are_an_option_and_a_key_and_the_hint_names_the_option() {
    let folder = tempfile::tempdir().unwrap();
    let study = folder.path().join("study");
    let mut arguments = vec!["--architectures", "ff-28,rgc-28-m4", "--data", DATA, "--seeds", "1"];
    arguments.extend(["--set", "epochs=1", "--set", "batch=32", "--set", "optimizer.clip=0.1"]);
    let (code, _, error) = compare(&arguments, &study);
    assert_eq!(code, Some(1));
    assert!(error.contains("expected 10 (the logits of ff-28), found 3; give --classes 3"), "{error}");
    assert!(!study.exists(), "nothing is begun");
    arguments.extend(["--classes", "3"]);
    let (code, output, error) = compare(&arguments, &study);
    assert_eq!(code, Some(0), "{error}");
    assert!(output.contains("run 2/2 rgc-28-m4 plain-1: test accuracy"), "{output}");
    let written = std::fs::read_to_string(study.join("study.toml")).unwrap();
    assert!(written.contains("\nclasses = 3\n"), "{written}");
    let file = folder.path().join("study.toml");
    std::fs::write(&file, &written).unwrap();
    let (code, output, _) = compare(&[file.to_str().unwrap()], &study);
    assert_eq!((code, output.matches("(done before)").count()), (Some(0), 2), "the file is the same study: {output}");
    let wrong = [arguments, vec!["--set", "optimizer.momentum=2"]].concat();
    let (_, _, error) = compare(&wrong, &folder.path().join("other"));
    assert!(
        error.contains("settings.optimizer.momentum: expected 0 to 0.9999, found 2") && !error.contains("--momentum"),
        "{error}"
    );
}

#[test]
fn runs_that_fail_end_with_code_1_after_the_others_and_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let study = folder.path().join("study");
    let file = folder.path().join("study.toml");
    let text = format!(
        "data = \"{DATA}\"\nseeds = [1, 2]\nclasses = 3\n[settings]\nepochs = 1\nbatch = 32\nthreads = 1\n\
         [[architecture]]\nname = \"wild\"\narchitecture = \"ff-28\"\nsettings.learning_rate = 900.0\nsettings.optimizer.clip = 0.0\n\
         [[architecture]]\nname = \"tame\"\narchitecture = \"ff-28\"\nsettings.optimizer.clip = 0.1\n"
    );
    std::fs::write(&file, text).unwrap();
    for _ in 0..2 {
        // Also where all that is left to do is to say it again.
        let (code, output, error) = compare(&[file.to_str().unwrap()], &study);
        assert_eq!(code, Some(1), "{error}");
        assert!(
            output.contains("tame plain-2: test accuracy") && output.contains("done: "),
            "the others are done: {output}"
        );
        for run in
            ["failed: wild plain-1: training exploded at step", "failed: wild plain-2: training exploded at step"]
        {
            assert!(error.contains(run), "{error}");
        }
        assert!(!error.contains("failed: tame") && !error.contains("--learning-rate"), "{error}");
    }
    let summary = std::fs::read_to_string(study.join("summary.csv")).unwrap();
    assert!(summary.contains("\nwild,plain,") && summary.contains("\ntame,plain,"), "{summary}");
}
