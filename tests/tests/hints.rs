//! No message names an option that the command that says it does not have.
//!
//! The texts are those of the sources: every string outside of tests, and the help of every option. An option that stands
//! by itself must be one of every command that can say the text; one of another command is written with that command before
//! it, `convrnn-train train --classes 3`, and must be one of that. Below the command line of `convrnn-train`, an option of
//! `train` may stand by itself: for other commands `cli/hints.rs` words it anew, which its tests hold. The help of every command
//! is looked at as users see it, too.

use convrnn_models::hints::mentions;
use convrnn_tests::{programs, root};
use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::process::Command;

/// Which commands can say what a file says, by the longest beginning of its path.
const SPEAKERS: [(&str, &[&str]); 23] = [
    // Every command that reads images can say what the data crate says, the forms of data sets included.
    ("host-trainer/data", &["train", "eval", "features", "trace", "init", "compare", "fine-tune"]),
    ("host-trainer/src/cli/compare.rs", &["compare"]),
    // What `trace` shares with it is worded anew as well.
    ("host-trainer/src/cli/eval.rs", &["eval"]),
    ("host-trainer/src/cli/features.rs", &["features"]),
    ("host-trainer/src/cli/fine_tune.rs", &["fine-tune"]),
    ("host-trainer/src/cli/info.rs", &["info"]),
    ("host-trainer/src/cli/init.rs", &["init"]),
    ("host-trainer/src/cli/list.rs", &["list"]),
    ("host-trainer/src/cli/matched.rs", &["match"]),
    ("host-trainer/src/cli/trace.rs", &["trace"]),
    ("host-trainer/src/cli/train.rs", &["train", "fine-tune"]),
    ("host-trainer/src/cli/train_options", &["train"]),
    ("host-trainer/src/features", &["features"]),
    ("host-trainer/src/study", &["compare"]),
    ("host-trainer/src/tracing.rs", &["trace"]),
    // Worded anew for every other command.
    ("host-trainer", &["train"]),
    ("export/src/cli/cost.rs", &["cost"]),
    ("export/src/cli/drift.rs", &["drift"]),
    ("export/src/cli/inspect.rs", &["inspect"]),
    ("export/src/cli/onnx.rs", &["onnx"]),
    ("export/src/cli/program.rs", &["program"]),
    ("export/src/cli/stream", &["stream"]),
    ("export/src/cli/validate.rs", &["validate"]),
];

/// The same for files that several commands of `convrnn-export` use.
const SHARED_BY: [(&str, &[&str]); 3] = [
    ("export/src/device.rs", &["program", "validate", "drift"]),
    ("export/src/validate", &["validate"]),
    ("models/src/calibration.rs", &["program", "validate", "drift"]),
];

/// The long help of a command, or of a program where the command is none.
fn help(program: &str, command: Option<&str>) -> String {
    let output = Command::new(programs().join(program)).args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "{program} {command:?} is no command");
    String::from_utf8(output.stdout).unwrap()
}

/// Options in a help: each begins a line, in a place where no text that is folded begins; below it may be others names of it.
fn options(help: &str) -> BTreeSet<String> {
    let of_line = |line: &str| {
        let is_option = line.starts_with("  -") || line.starts_with("      --");
        let most = match is_option {
            true => 1,
            false if line.trim_start().starts_with("[alias") => usize::MAX,
            false => 0,
        };
        mentions(line).into_iter().take(most).map(|mention| mention.option).collect::<Vec<_>>()
    };
    help.lines().flat_map(of_line).chain(["help".into(), "version".into()]).collect()
}

/// The commands that the help of a program lists.
fn commands(program: &str) -> Vec<String> {
    let help = help(program, None);
    let list = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
    let name =
        |line: &str| line.strip_prefix("  ").filter(|name| name.starts_with(char::is_alphabetic)).map(str::to_owned);
    let names = list.lines().filter_map(name).filter_map(|line| line.split_whitespace().next().map(str::to_owned));
    names.filter(|name| name != "help").collect()
}

/// String literals of a source, those of its documentation where it is of the command line; nothing of its tests.
fn texts(tokens: TokenStream, is_help: bool, found: &mut Vec<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut is_test = false;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                // Inner attributes have an exclamation mark.
                let is_inner = matches!(tokens.get(at + 1), Some(TokenTree::Punct(mark)) if mark.as_char() == '!');
                at += usize::from(is_inner);
                if let Some(TokenTree::Group(group)) = tokens.get(at + 1) {
                    let text = group.stream().to_string().replace(' ', "");
                    is_test |= text == "cfg(test)";
                    // Documentation of the library is for programmers.
                    if !text.starts_with("doc") || is_help {
                        texts(group.stream(), is_help, found);
                    }
                    at += 1;
                }
            }
            TokenTree::Group(group) => {
                // The item that an attribute is of ends with its body.
                if !is_test {
                    texts(group.stream(), is_help, found);
                }
                is_test = false;
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => is_test = false,
            TokenTree::Literal(literal) if !is_test => {
                let text = literal.to_string();
                if text.contains('"') {
                    // A line that goes on in the next one has no break and no indentation there.
                    let joined: Vec<&str> = text.split("\\\n").collect();
                    let rest = joined[1..].iter().map(|line| line.trim_start());
                    found.push(std::iter::once(joined[0]).chain(rest).collect());
                }
            }
            _ => {}
        }
        at += 1;
    }
}

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let is_test = name.ends_with("tests.rs") || name.ends_with("/tests") || name.ends_with("/testing");
        if path.is_dir() && !is_test {
            sources(&path, found);
        } else if name.ends_with(".rs") && !is_test {
            found.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn every_hint_names_an_option_of_the_command_that_gives_it() {
    let mut files = Vec::new();
    for folder in ["host-trainer/src", "host-trainer/data/src", "models/src", "export/src"] {
        sources(&root().join(folder), &mut files);
    }
    let mut known: HashMap<(String, String), BTreeSet<String>> = HashMap::new();
    let mut has = |program: &str, command: &str, option: &str| {
        let key = (program.to_owned(), command.to_owned());
        known.entry(key).or_insert_with(|| options(&help(program, Some(command)))).contains(option)
    };
    let (mut hints, mut wrong) = (0, Vec::new());
    for (name, source) in &files {
        let mut found = Vec::new();
        let is_help = name.contains("/cli/");
        texts(source.parse().unwrap_or_else(|error| panic!("{name}: {error}")), is_help, &mut found);
        let all = SPEAKERS.iter().chain(&SHARED_BY).filter(|(beginning, _)| name.starts_with(beginning));
        let speakers = all.max_by_key(|(beginning, _)| beginning.len()).map(|(_, commands)| *commands);
        let is_exporter = name.starts_with("export") || name.starts_with("models");
        let program = if is_exporter { "convrnn-export" } else { "convrnn-train" };
        for text in &found {
            for mention in mentions(text) {
                hints += 1;
                let option = &mention.option;
                match (&mention.command, speakers) {
                    // Cargo's own, and tasks of developers, which the documents' tests hold.
                    (Some((program, _)), _) if program == "cargo" => {}
                    (Some((program, command)), _) if has(program, command, option) => {}
                    (Some((program, command)), _) => {
                        wrong.push(format!("{name}: {program} {command} has no --{option}: {text}"));
                    }
                    (None, Some(commands)) => {
                        let lacking = commands.iter().filter(|command| !has(program, command, option));
                        wrong.extend(lacking.map(|command| format!("{name}: {program} {command} has no --{option}: {text}")));
                    }
                    (None, None) => wrong.push(format!(
                        "{name}: say which commands give this hint (SPEAKERS), or write the command before --{option}: {text}"
                    )),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(hints >= 40, "{hints} hints");
}

/// An option of another command stands in backticks, behind that command: `convrnn-train trace --images`.
#[test]
fn every_option_that_a_help_names_is_one_of_its_command() {
    let (mut named, mut wrong) = (0, Vec::new());
    for program in ["convrnn-train", "convrnn-export"] {
        let commands = commands(program);
        assert!(commands.len() >= 8 && commands.iter().any(|command| command == "completions"), "{commands:?}");
        for command in std::iter::once(None).chain(commands.iter().map(|command| Some(command.as_str()))) {
            let text = help(program, command);
            let own = options(&text);
            // A paragraph is folded anywhere, within backticks too.
            for paragraph in text.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")) {
                for mention in mentions(&paragraph) {
                    named += 1;
                    let is_quoted = paragraph[..mention.place.start].matches('`').count() % 2 == 1;
                    let is_right = match mention.command.filter(|_| is_quoted) {
                        Some((program, _)) if program == "cargo" => true,
                        Some((program, command)) => {
                            options(&help(&program, Some(command.as_str()))).contains(&mention.option)
                        }
                        None => own.contains(&mention.option),
                    };
                    if !is_right {
                        wrong.push(format!(
                            "{program} {} says --{}: {paragraph}",
                            command.unwrap_or(""),
                            mention.option
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(named >= 150, "{named} options named");
}
