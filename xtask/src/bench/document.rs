//! The sections of `docs/PERFORMANCE.md`: each benchmark replaces its own.

use std::fs;

use anyhow::{Context, Result};

use crate::checkout;

/// Puts a section's text between its markers, and adds the section where it is new.
pub fn write_section(name: &str, text: &str) -> Result<()> {
    let path = checkout::root().join("docs/PERFORMANCE.md");
    let document = fs::read_to_string(&path).unwrap_or_else(|_| HEAD.into());
    let changed = replaced(&document, name, text);
    fs::write(&path, changed).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{text}");
    eprintln!("written to {}", path.display());
    Ok(())
}

const HEAD: &str = "# Performance\n\nRatios measured side by side in one run on one machine; medians of several runs taken in turn. Absolute figures are of\nthat machine alone. Each section names the command that makes it.\n";

fn replaced(document: &str, name: &str, text: &str) -> String {
    let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
    let section = format!("{start}{}\n{end}", text.trim_end());
    match (document.find(&start), document.find(&end)) {
        (Some(from), Some(to)) if from < to => format!("{}{section}{}", &document[..from], &document[to + end.len()..]),
        _ => format!("{}\n\n{section}", document.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_added_and_then_replaced() {
        let once = replaced("# Title\n", "train", "first");
        assert_eq!(once, "# Title\n\n<!-- train -->\nfirst\n<!-- end of train -->\n");
        let other = replaced(&once, "loader", "second");
        let again = replaced(&other, "train", "third");
        assert!(again.contains("third") && again.contains("second") && !again.contains("first"), "{again}");
    }
}
