//! The documents say what the code does.

use convrnn_tests::root;
use std::path::{Path, PathBuf};

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Text with every run of white space made one space.
fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The contents of the fenced blocks of one language.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    document.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
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
    let document = read("docs/adding-a-cell.md");
    let cell = normal(&read("models/src/cells/vanilla.rs"));
    let catalogue = normal(&read("models/src/cells/mod.rs"));
    let quoted = blocks(&document, "rust");
    assert_eq!(quoted.len(), 3);
    for block in &quoted[..2] {
        assert!(cell.contains(&normal(block)), "not in the source:\n{block}");
    }
    for line in quoted[2].lines().map(str::trim).filter(|line| !["", "...", "}"].contains(line)) {
        assert!(catalogue.contains(&normal(line)), "not in the source: {line}");
    }
}

#[test]
fn the_architecture_file_of_the_example_has_the_documents_layer() {
    let document = read("docs/adding-a-cell.md");
    let layer = normal(&blocks(&document, "toml")[0]);
    assert!(normal(&read("models/catalogue/vanilla-28.toml")).contains(&layer), "{layer}");
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
