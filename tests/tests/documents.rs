//! The documents say what the code does.

use convrnn_models::{Architecture, catalogue};
use convrnn_tests::markdown::{document, documents, words};
use convrnn_tests::{programs, root};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Text with every run of white space made one space.
fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut pending = vec![root().join(folder)];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

#[test]
fn adding_a_cell_quotes_the_vanilla_cell() {
    let document = document("docs/adding-a-cell.md");
    let cell = normal(&read("models/src/cells/vanilla.rs"));
    let catalogue = normal(&read("models/src/cells/mod.rs"));
    let quoted = document.blocks_of("rust");
    assert_eq!(quoted.len(), 3);
    for block in &quoted[..2] {
        assert!(cell.contains(&normal(block)), "not in the source:\n{block}");
    }
    for line in quoted[2].lines().map(str::trim).filter(|line| !["", "...", "}"].contains(line)) {
        assert!(catalogue.contains(&normal(line)), "not in the source: {line}");
    }
}

/// A whole file, told by its name, becomes a graph; a part of one is word for word in a file of the catalogue, which is read
/// by other tests. A study is read by the program that runs it, those of `docs/studies` too.
#[test]
fn every_toml_of_the_documents_is_what_it_claims_to_be() {
    let catalogue: Vec<String> = catalogue::ENTRIES.iter().map(|(_, text)| normal(text)).collect();
    let mut found = 0;
    for document in documents() {
        for block in document.blocks().into_iter().filter(|block| block.language == "toml") {
            let origin = format!("{}, line {}", document.path.display(), block.line);
            found += 1;
            let is = |key: &str| block.body.lines().any(|line| line.starts_with(key));
            if is("name =") {
                Architecture::parse(&block.body, &origin).unwrap_or_else(|error| panic!("{error}"));
            } else if is("data =") {
                is_a_study(&block.body, &origin);
            } else {
                let part = normal(&block.body);
                assert!(
                    catalogue.iter().any(|whole| whole.contains(&part)),
                    "{origin}: a part of an architecture is one of a catalogue file, so that it is known to work:\n{}",
                    block.body
                );
            }
        }
    }
    assert!(found >= 2, "{found}");
    for entry in std::fs::read_dir(root().join("docs/studies")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            is_a_study(&std::fs::read_to_string(&path).unwrap(), &path.display().to_string());
        }
    }
}

/// The program reads the whole study and stops at its data, which are nowhere.
fn is_a_study(text: &str, origin: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study.toml");
    let line =
        |line: &str| if line.starts_with("data =") { "data = \"mnist:nowhere\"".into() } else { line.to_owned() };
    std::fs::write(&path, text.lines().map(line).collect::<Vec<String>>().join("\n")).unwrap();
    let results = folder.path().join("results");
    let output = output(&["convrnn-train", "compare", path.to_str().unwrap(), "--output", results.to_str().unwrap()]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && message.contains("nowhere: no such"), "{origin}: {message}");
}

/// Runs one of the programs.
fn output(words: &[&str]) -> Output {
    let (program, arguments) = match words {
        ["cargo", "xtask", rest @ ..] => ("xtask", rest),
        [program, rest @ ..] => (*program, rest),
        [] => panic!("no words"),
    };
    Command::new(programs().join(program)).args(arguments).current_dir(root()).output().unwrap()
}

/// Letters that stand for one of a list of words, and a word of it.
const STANDS_FOR: [(&str, &str, &str); 2] = [("--ranges", "R", "by-error"), ("--biases", "B", "by-error")];

/// Commands of the README run (`readme.rs`). All commands of all documents, in blocks and within the text, are given to the
/// program that they are of, with `--help` behind them: it then verifies every option and value before it, and does nothing.
/// So MNIST, RUN and other placeholders stand for themselves, and an hour of training takes no time.
#[test]
fn every_command_of_the_documents_is_one_of_its_program() {
    let mut commands: Vec<String> = documents().iter().flat_map(|document| document.commands()).collect();
    assert!(commands.len() >= 60, "{} commands", commands.len());
    commands.sort_unstable();
    commands.dedup();
    for command in &commands {
        let mut words = words(command);
        // What goes into another program is not for this one.
        if let Some(end) = words.iter().position(|word| ["|", ">", "<", "&&"].contains(&word.as_str())) {
            words.truncate(end);
        }
        for (option, letter, word) in STANDS_FOR {
            let at = (1..words.len()).find(|&at| words[at - 1] == option && words[at] == letter);
            at.into_iter().for_each(|at| words[at] = word.into());
        }
        words.push("--help".into());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        // A text may name an option without a value, at the end.
        let answer = output(&words);
        let (said, error) = (String::from_utf8_lossy(&answer.stdout), String::from_utf8_lossy(&answer.stderr));
        let lacks_a_value = error.contains(&format!("a value is required for '{}", words[words.len() - 2]));
        assert!(lacks_a_value || answer.status.success() && said.contains("Usage:"), "{command}\n{said}{error}");
    }
}

/// Nets that commands name are there; NET and files that a reader makes stand for themselves.
#[test]
fn every_architecture_that_a_command_names_is_there() {
    let mut found = 0;
    for document in documents() {
        for command in document.commands() {
            let words = words(&command);
            for pair in words.windows(2).filter(|pair| ["--architecture", "--like", "info"].contains(&pair[0].as_str()))
            {
                let name = &pair[1];
                let is_placeholder = name.chars().all(|letter| letter.is_ascii_uppercase()) || name.starts_with('-');
                let is_made = name.ends_with(".toml") && !name.contains('/');
                if is_placeholder || is_made {
                    continue;
                }
                found += 1;
                let read = match name.ends_with(".toml") {
                    true => Architecture::read(&root().join(name)),
                    false => catalogue::find(name),
                };
                read.unwrap_or_else(|error| panic!("{}: {command}: {error}", document.path.display()));
            }
        }
    }
    assert!(found >= 5, "{found}");
}

#[test]
fn no_executor_knows_a_cell() {
    for folder in ["models/graph/src", "runtime", "export/src", "host-trainer/src", "host-trainer/data/src"] {
        let files = sources(folder);
        assert!(!files.is_empty(), "{folder} has sources");
        // Tests may build recurrences of their own to run them.
        let is_test = |path: &Path| path.iter().any(|part| part == "tests" || part == "testing");
        for (path, text) in files.into_iter().filter(|(path, _)| !is_test(path)) {
            let text: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            for word in ["cells::", "ReciprocalGated", "Vanilla", "\"w_hh", "\"w_ch", "\"w_hc", "\"w_cc"] {
                assert!(!text.contains(word), "{} contains {word}", path.display());
            }
        }
    }
}
