//! What the documents show: blocks of code, and the commands in them.

use crate::root;
use std::path::{Path, PathBuf};

/// A Markdown file.
#[derive(Clone, Debug)]
pub struct Document {
    /// Path from the root of the checkout.
    pub path: PathBuf,
    /// The file's text.
    pub text: String,
}

/// A block of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What stands behind the fence; empty for an indented block.
    pub language: String,
    /// The lines in it.
    pub body: String,
    /// The line that it begins after.
    pub line: usize,
}

/// Every Markdown file that says what is, those of all crates included. The changelog says what was, and the table of bad
/// inputs has commands that are wrong on purpose.
///
/// # Panics
/// If the checkout cannot be read.
pub fn documents() -> Vec<Document> {
    let mut found = Vec::new();
    let mut pending = vec![root().to_path_buf()];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                // What is built, downloaded or trained lies in folders that Git ignores.
                let is_ours =
                    !name.starts_with('.') && !["target", "runs", "studies", "artifacts"].contains(&name.as_str());
                if is_ours {
                    pending.push(path);
                }
            } else if name.ends_with(".md") && !["CHANGELOG.md", "BAD-INPUTS.md"].contains(&name.as_str()) {
                let text = std::fs::read_to_string(&path).expect("text");
                found.push(Document { path: path.strip_prefix(root()).expect("below the root").to_path_buf(), text });
            }
        }
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found
}

/// One document by its path from the root.
///
/// # Panics
/// If it is not there.
pub fn document(path: &str) -> Document {
    let found = documents().into_iter().find(|document| document.path == Path::new(path));
    found.unwrap_or_else(|| panic!("there is no {path}"))
}

impl Document {
    /// The blocks of code, fenced and indented, in their order.
    pub fn blocks(&self) -> Vec<Block> {
        self.parts().0
    }

    /// The fenced blocks of one language.
    pub fn blocks_of(&self, language: &str) -> Vec<String> {
        self.blocks().into_iter().filter(|block| block.language == language).map(|block| block.body).collect()
    }

    /// Blocks, and the prose between them.
    fn parts(&self) -> (Vec<Block>, String) {
        let (mut blocks, mut prose) = (Vec::<Block>::new(), String::new());
        let mut open: Option<Block> = None;
        let mut is_after_blank = true;
        let mut is_indented = false;
        for (number, line) in self.text.lines().enumerate() {
            match (&mut open, line.strip_prefix("```")) {
                (Some(_), Some("")) => blocks.extend(open.take()),
                (Some(block), _) => block.body += &format!("{line}\n"),
                (None, Some(language)) => {
                    open = Some(Block { language: language.trim().into(), body: String::new(), line: number + 1 });
                }
                (None, None) => match line.strip_prefix("    ") {
                    Some(rest) if is_indented || is_after_blank => {
                        match blocks.last_mut().filter(|_| is_indented) {
                            Some(block) => block.body += &format!("{rest}\n"),
                            None => {
                                blocks.push(Block { language: String::new(), body: format!("{rest}\n"), line: number });
                            }
                        }
                        is_indented = true;
                        continue;
                    }
                    _ => prose += &format!("{line}\n"),
                },
            }
            (is_after_blank, is_indented) = (line.is_empty(), false);
        }
        (blocks, prose)
    }

    /// The commands of this project's programs: lines of blocks, and code within the prose.
    pub fn commands(&self) -> Vec<String> {
        let (blocks, prose) = self.parts();
        let lines = blocks.iter().flat_map(|block| block.body.lines()).map(str::to_owned);
        let spans = prose.split("\n\n").flat_map(|paragraph| {
            // Code may go on in the next line of its paragraph.
            let paragraph = paragraph.replace('\n', " ");
            paragraph.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
        });
        let is_ours = |line: &String| PROGRAMS.iter().any(|program| line.starts_with(program));
        lines
            .chain(spans)
            .map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned())
            .filter(is_ours)
            .collect()
    }
}

/// How commands of this project's programs begin.
const PROGRAMS: [&str; 3] = ["convrnn-train ", "convrnn-export ", "cargo xtask "];

/// The words of a command; brackets around what may be left out go.
pub fn words(command: &str) -> Vec<String> {
    command.split_whitespace().map(|word| word.trim_matches(['[', ']', '"', '\'']).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_commands_are_found() {
        let text = "Say `convrnn-train list`, or `convrnn-export\nvalidate`.\n\n```sh\nconvrnn-train info a # why\nls\n```\n\n    \
                    cargo xtask demo   # long\n    cargo xtask test [--x]\n\nEnd of `list`.\n";
        let document = Document { path: "x.md".into(), text: text.into() };
        let blocks = document.blocks();
        assert_eq!((blocks[0].language.as_str(), blocks[0].line), ("sh", 4));
        assert_eq!((blocks[1].language.as_str(), blocks[1].body.lines().count()), ("", 2));
        let expected = [
            "convrnn-train info a",
            "cargo xtask demo",
            "cargo xtask test [--x]",
            "convrnn-train list",
            "convrnn-export validate",
        ];
        assert_eq!(document.commands(), expected);
        assert_eq!(words("cargo xtask test [--x 1]"), ["cargo", "xtask", "test", "--x", "1"]);
    }
}
