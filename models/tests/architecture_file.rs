//! `docs/architecture-file.md` against the code: its examples parse, and it has every key.

use convrnn_models::Architecture;

const DOCUMENT: &str = include_str!("../../docs/architecture-file.md");

/// The keys that a table knows, from the answer to one that it does not.
fn keys(before: &str, after: &str) -> Vec<String> {
    let text = format!(
        "name = \"net\"\ninput = {{ channels = 1, height = 8, width = 8 }}\npresentation = {{ steps = 4, image_steps = 4 }}\n\
         [[layer]]\nconvolution = {{ kernel = 1, channels = 2 }}\n{before}xyzzy = 1{after}\n"
    );
    let error = Architecture::parse(&text, "net").unwrap_err().to_string();
    let known = error.split_once("Known here: ").unwrap_or_else(|| panic!("{error}\n{text}")).1;
    known.split(", ").map(str::to_owned).collect()
}

#[test]
fn examples_parse_and_every_key_is_there() {
    let examples: Vec<&str> = DOCUMENT.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        Architecture::parse(example, "example").unwrap_or_else(|error| panic!("{error}"));
    }
    let cells = ["vanilla", "time-decay", "gru", "ugrnn", "intersection", "lstm", "reciprocal-gated", "search"];
    let mut tables = vec![
        keys("", ""),
        keys("pool = { ", " }"),
        keys("residual = { ", " }"),
        keys("[[layer]]\nconvolution = { ", " }"),
        keys("[[feedback]]\n", ""),
        keys("[[skip]]\n", ""),
        keys("cell = { kind = \"search\", hidden = { ", " } }"),
        keys("cell = { kind = \"search\", hidden = { gate = { ", " } } }"),
        keys("cell = { kind = \"search\", hidden = { input = { ", " } } }"),
        keys("cell = { kind = \"lstm\", kernels = { ", " } }"),
        keys("[presentation2]\n", ""),
    ];
    tables.extend(cells.map(|kind| keys(&format!("cell = {{ kind = \"{kind}\", "), " }")));
    let mut count = 0;
    for key in tables.iter().flatten() {
        count += 1;
        // In a table of keys, or in an inline table.
        let ways = [format!("`{key}`"), format!("{key}, "), format!("{key} }}")];
        assert!(ways.iter().any(|way| DOCUMENT.contains(way)), "{key}");
    }
    assert!(count > 60, "{count} keys");
    for value in
        ["concatenate", "cell-input", "cell-hidden", "cell-output", "bilinear-half-pixel", "max-pool", "next-hidden"]
    {
        assert!(DOCUMENT.contains(value), "{value}");
    }
}
