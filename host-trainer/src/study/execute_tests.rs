use super::*;
use std::path::Path;

const STUDY: &str = r#"
    data = "rendered:size=28,train=112,test=32"
    seeds = [1, 2]
    reference = "rgc"
    [settings]
    epochs = 1
    batch = 16
    threads = 1
    learning_rate = 0.02
    schedule = { kind = "cosine" }
    [tuning]
    trials = 2
    epochs = 1
    hold_out = 32
    ranges.learning_rate = { low = 0.05, high = 0.1 }
    [[architecture]]
    name = "ff"
    architecture = "ff-28"
    [[architecture]]
    name = "rgc"
    architecture = "rgc-28-m4"
    unroll = "minimal"
"#;

fn study(text: &str) -> Study {
    Study::parse(text, Path::new("study.toml")).unwrap()
}

/// Labels of the runs that ended, those skipped in brackets.
fn finish(study: &Study, folder: &Path) -> (StudyOutcome, Vec<String>) {
    let mut ended = Vec::new();
    let done = execute(study, folder, &mut |event| {
        if let StudyEvent::Done { label, is_skipped, .. } = event {
            ended.push(if *is_skipped { format!("({label})") } else { (*label).to_owned() });
        }
        Flow::Continue
    });
    (done.unwrap(), ended)
}

fn accuracies(done: &StudyOutcome) -> Vec<(String, Option<f64>, Option<f64>)> {
    let row = |row: &Row| {
        let loss = row.outcome.measured().map(|measured| measured.loss);
        (format!("{} {} {}", row.member, row.setting, row.seed), row.outcome.accuracy(), loss)
    };
    done.rows.iter().map(row).collect()
}

#[test]
fn images_that_a_member_cannot_take_are_refused_before_any_run() {
    let folder = tempfile::tempdir().unwrap();
    let study = study(&STUDY.replace("architecture = \"rgc-28-m4\"", "architecture = \"rgc-32\""));
    let output = folder.path().join("study");
    let error = execute(&study, &output, &mut |_| panic!("nothing is trained")).unwrap_err().to_string();
    assert!(error.contains("rgc-32"), "{error}");
    assert!(!output.exists());
}

#[test]
fn an_interrupted_study_goes_on_and_ends_as_one_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let study = study(STUDY);
    let (alone, ended) = finish(&study, &folder.path().join("alone"));
    assert!(!alone.is_interrupted);
    assert_eq!(alone.rows.len(), 8);
    assert_eq!(ended.len(), 12);
    assert!(
        ended
            .iter()
            .all(|label| !label.starts_with('(') || label.starts_with("(ff plain") || label.starts_with("(rgc plain"))
    );
    // The same tries for both architectures; the first has the plain hyper-parameters.
    let rates: Vec<f64> = alone.trials.iter().map(|trial| trial.settings.learning_rate).collect();
    assert_eq!((rates.len(), rates[0], rates[1]), (4, 0.02, rates[3]));
    assert!((0.05..0.1).contains(&rates[1]));
    assert_eq!(alone.trials.iter().filter(|trial| trial.is_chosen).count(), 2);

    let stopped = folder.path().join("stopped");
    let mut batches = 0;
    let mut interruptions = 0;
    loop {
        let done = execute(&study, &stopped, &mut |event| {
            if let StudyEvent::Run { event: Event::Batch { .. }, .. } = event {
                batches += 1;
            }
            if batches % 11 == 10 { Flow::Stop } else { Flow::Continue }
        });
        batches += 1;
        if !done.unwrap().is_interrupted {
            break;
        }
        interruptions += 1;
        assert!(interruptions < 50, "it gets on");
    }
    assert!(interruptions > 3, "{interruptions}");
    let (again, ended) = finish(&study, &stopped);
    assert!(ended.iter().all(|label| label.starts_with('(')), "all is done: {ended:?}");
    assert_eq!(accuracies(&again), accuracies(&alone));
    let read = |folder: &str, name: &str| std::fs::read_to_string(folder_of(&stopped, folder).join(name)).unwrap();
    assert_eq!(read("stopped", "summary.csv"), read("alone", "summary.csv"));
    let summary = read("alone", "summary.csv");
    assert_eq!(summary.lines().count(), 5);
    assert!(summary.contains("\nff,plain,") && summary.contains("\nrgc,tuned,"), "{summary}");
    let results = read("alone", "results.csv");
    assert_eq!(results.lines().count(), 9);
    let columns = |text: &str| text.lines().map(|line| line.split(',').count()).collect::<Vec<_>>();
    assert!(columns(&results).windows(2).all(|pair| pair[0] == pair[1]), "{results}");
    assert!(columns(&summary).windows(2).all(|pair| pair[0] == pair[1]), "{summary}");
    for name in ["trials.csv", "accuracy-against-parameters.svg", "accuracy-against-parameters.csv", "study.toml"] {
        assert!(folder.path().join("alone").join(name).is_file(), "{name}");
    }
}

fn folder_of(stopped: &Path, name: &str) -> std::path::PathBuf {
    stopped.with_file_name(name)
}

#[test]
fn another_seed_is_added_and_other_hyper_parameters_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let short = STUDY.split("[tuning]").next().unwrap().to_owned()
        + "[[architecture]]\nname = \"rgc\"\narchitecture = \"rgc-28-m4\"\n";
    let (_, ended) = finish(&study(&short.replace("[1, 2]", "[1]")), folder.path());
    assert_eq!(ended, ["rgc plain-1"]);
    let (_, ended) = finish(&study(&short), folder.path());
    assert_eq!(ended, ["(rgc plain-1)", "rgc plain-2"]);
    // Threads may differ: the outcome is not of another experiment.
    let (_, ended) = finish(&study(&short.replace("threads = 1", "threads = 2")), folder.path());
    assert_eq!(ended, ["(rgc plain-1)", "(rgc plain-2)"]);
    for (from, to, expected) in [
        ("learning_rate = 0.02", "learning_rate = 0.03", "other hyper-parameters"),
        ("test=32", "test=31", "other data"),
        ("\"rgc-28-m4\"\n", "\"rgc-28-m4\"\nunroll = \"minimal\"\n", "another presentation"),
        ("\"rgc-28-m4\"\n", "\"ff-28\"\n", "another architecture"),
    ] {
        let error = execute(&study(&short.replace(from, to)), folder.path(), &mut |_| Flow::Continue).unwrap_err();
        assert!(error.to_string().contains(expected) && error.to_string().contains("--output"), "{error}");
    }
}

#[test]
fn two_processes_do_not_work_on_one_study() {
    let folder = tempfile::tempdir().unwrap();
    let lock = std::fs::File::create(folder.path().join(".lock")).unwrap();
    lock.lock().unwrap();
    let error = execute(&study(STUDY), folder.path(), &mut |_| Flow::Continue).unwrap_err().to_string();
    assert!(error.contains("another process works on this study"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_run_that_explodes_is_an_outcome_and_the_study_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let text = STUDY
        .replace("low = 0.05, high = 0.1", "low = 500, high = 900")
        .replace("schedule =", "optimizer.clip = 0.0\nschedule =");
    let study = study(&text);
    let (done, _) = finish(&study, folder.path());
    let failed: Vec<_> = done.trials.iter().filter(|trial| trial.outcome.failure.is_some()).collect();
    assert!(!failed.is_empty() && failed.iter().all(|trial| trial.number == 2 && !trial.is_chosen));
    assert!(failed[0].outcome.failure.as_ref().unwrap().contains("exploded at step"));
    assert_eq!(done.rows.len(), 8);
    let (_, ended) = finish(&study, folder.path());
    assert!(ended.iter().all(|label| label.starts_with('(')), "an explosion is not tried again: {ended:?}");
    assert!(std::fs::read_to_string(folder.path().join("trials.csv")).unwrap().contains(",exploded\n"));
}

#[test]
fn what_a_crash_leaves_is_cleared_and_foreign_files_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let short = STUDY.split("[tuning]").next().unwrap().to_owned()
        + "[[architecture]]\nname = \"ff\"\narchitecture = \"ff-28\"\n";
    let study = study(&short.replace("reference = \"rgc\"", "reference = \"ff\""));
    let run = folder.path().join("runs/ff/plain-1");
    std::fs::create_dir_all(run.join(".last.partial-1")).unwrap();
    let (_, ended) = finish(&study, folder.path());
    assert_eq!(ended, ["ff plain-1", "ff plain-2"]);
    std::fs::remove_dir_all(run.join("last")).unwrap();
    let error = execute(&study, folder.path(), &mut |_| Flow::Continue).unwrap_err().to_string();
    assert!(error.contains("is no run of this study"), "{error}");
}

#[test]
fn a_study_with_other_hyper_parameters_is_refused_and_leaves_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("study");
    let text = STUDY.replace("seeds = [1, 2]", "seeds = [1]").replace("trials = 2", "trials = 1");
    finish(&study(&text), &output);
    let read = |name: &str| std::fs::read(output.join(name)).unwrap();
    let names = ["study.toml", "summary.csv", "results.csv", "trials.csv"];
    let before = names.map(read);
    let other = study(&text.replace("learning_rate = 0.02", "learning_rate = 0.03"));
    let error = execute(&other, &output, &mut |_| panic!("nothing is trained")).unwrap_err().to_string();
    assert!(error.contains("other hyper-parameters"), "{error}");
    assert!(before == names.map(read), "nothing is written");
}
