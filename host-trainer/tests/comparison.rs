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
    // With a file the option cannot be given.
    std::fs::write(&file, written.replace("classes = 3\n", "")).unwrap();
    let (_, _, error) = compare(&[file.to_str().unwrap()], &folder.path().join("other"));
    assert!(error.contains("found 3; give classes = 3") && !error.contains("--"), "{error}");
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
    // Every table says which images it is of.
    assert!(
        summary.lines().next().unwrap().contains(",failed,test_accuracy,test_accuracy_standard_deviation,"),
        "{summary}"
    );
    let figure = std::fs::read_to_string(study.join("accuracy-against-parameters.csv")).unwrap();
    assert!(figure.starts_with("group,label,parameters,test_accuracy_percent,test_accuracy_percent_low,"), "{figure}");
    let (_, output, error) = compare(&[file.to_str().unwrap()], &study);
    assert!(output.contains("  test accuracy [%]  ") && !error.contains("nothing to draw"), "{output}{error}");
}

#[test]
fn where_every_run_fails_nothing_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let study = folder.path().join("study");
    let mut arguments =
        vec!["--architectures", "ff-28", "--data", DATA, "--classes", "3", "--seeds", "1,2", "--set", "epochs=1"];
    arguments.extend(["--set", "batch=32", "--set", "learning_rate=900", "--set", "optimizer.clip=0"]);
    let figure = ["svg", "csv"].map(|kind| study.join("accuracy-against-parameters").with_extension(kind));
    for _ in 0..2 {
        let (code, output, error) = compare(&arguments, &study);
        assert_eq!(code, Some(1), "{error}");
        assert_eq!(error.matches("failed: ff-28 plain-").count(), 2, "{error}");
        assert_eq!(error.lines().filter(|line| *line == "nothing to draw: no run has a result").count(), 1, "{error}");
        assert!(output.contains("done: ") && study.join("summary.csv").is_file(), "{output}");
        assert!(figure.iter().all(|path| !path.exists()));
        // As an earlier version left it.
        figure.iter().for_each(|path| std::fs::write(path, "axes without a point").unwrap());
    }
}

/// Every hint of a study can be followed, by options and in a file.
#[test]
fn hints_about_held_out_images_can_be_followed() {
    let folder = tempfile::tempdir().unwrap();
    let study = folder.path().join("study");
    let options = |more: &[&'static str]| {
        let mut all =
            vec!["--architectures", "ff-28", "--data", DATA, "--classes", "3", "--seeds", "1", "--set", "epochs=1"];
        all.extend(["--set", "batch=32", "--set", "optimizer.clip=0.1"]);
        all.extend(more);
        all
    };
    // 1,000 held-out images are the default, and more than there are.
    let (code, _, error) = compare(&options(&["--trials", "1", "--trial-epochs", "1"]), &study);
    let expected = "tuning.hold_out: expected 1 or more, and so few that each class keeps one of the 96 training images, found \
        1000; hold out a share of them: hold_out = \"10%\" below [tuning] in a study file, --hold-out 10% without one";
    assert!(code == Some(1) && error.contains(expected), "{error}");
    assert!(!study.exists(), "nothing is begun");
    let (code, _, error) = compare(&options(&["--trials", "1", "--trial-epochs", "1", "--hold-out", "10%"]), &study);
    assert_eq!(code, Some(0), "{error}");
    let file = folder.path().join("study.toml");
    let written = std::fs::read_to_string(study.join("study.toml")).unwrap();
    std::fs::write(&file, written.replace("hold_out = \"10%\"", "hold_out = 1000")).unwrap();
    let (code, _, error) = compare(&[file.to_str().unwrap()], &folder.path().join("other"));
    assert!(code == Some(1) && error.contains(expected), "{error}");
    std::fs::write(&file, &written).unwrap();
    let (code, output, error) = compare(&[file.to_str().unwrap()], &study);
    assert!(code == Some(0) && output.contains("(done before)"), "{error}");

    // What chooses the best epoch is no option of `compare`, but a setting.
    let last = "selection = { kind = \"last\" }";
    let (_, _, error) = compare(&options(&["--set", last]), &folder.path().join("last"));
    let hint = "settings.schedule = { kind = \"cosine\" }, steps or constant, or hold out images (settings.selection = { kind = \
        \"held-out\", share = \"10%\" })";
    assert!(error.contains(hint), "{error}");
    for followed in [
        &["--set", last, "--set", "schedule = { kind = \"cosine\" }"][..],
        &["--set", "selection = { kind = \"held-out\", share = \"10%\" }"],
    ] {
        let name = followed.len().to_string();
        let (code, _, error) = compare(&options(followed), &folder.path().join(name));
        assert_eq!(code, Some(0), "{followed:?}: {error}");
    }
    let arguments = ["--architectures", "ff-28", "--data", "idx:nowhere", "--set", "selection = { kind = \"test\" }"];
    let (_, _, error) = compare(&arguments, &folder.path().join("test"));
    let warning =
        error.lines().find(|line| line.starts_with("warning: the best epoch is chosen on the test images")).unwrap();
    assert!(
        warning.contains("without settings.selection = { kind = \"test\" }, ") && !warning.contains("--"),
        "{error}"
    );
}
