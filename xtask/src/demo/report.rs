//! The demo's report: one HTML file with the pictures inside, so that it can be sent around.

use std::{fmt::Write, fs, path::Path};

use anyhow::{Context, Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD};

const HEAD: &str = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>convrnn demo</title>\n\
<style>body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}pre{background:#f5f5f5;\
padding:1rem;overflow-x:auto}img{max-width:100%}code{color:#555}</style>\n<h1>From images to a microcontroller</h1>\n";

/// Sections in the order in which they were added.
pub struct Report(String);

impl Report {
    /// An empty report.
    pub fn new() -> Self {
        Self(HEAD.into())
    }

    /// A command and what it printed.
    pub fn command(&mut self, title: &str, command: &str, output: &str) {
        let (title, command, output) = (escape(title), escape(command), escape(output));
        write!(self.0, "<h2>{title}</h2>\n<p><code>{command}</code></p>\n<pre>{output}</pre>\n")
            .expect("writing to a string cannot fail");
    }

    /// Plain text.
    pub fn text(&mut self, title: &str, text: &str) {
        write!(self.0, "<h2>{}</h2>\n<pre>{}</pre>\n", escape(title), escape(text))
            .expect("writing to a string cannot fail");
    }

    /// A picture, put into the file itself.
    pub fn picture(&mut self, title: &str, path: &Path) -> Result<()> {
        let kind = match path.extension().and_then(|extension| extension.to_str()) {
            Some("svg") => "image/svg+xml",
            Some("png") => "image/png",
            other => bail!("{} is {other:?}, expected svg or png", path.display()),
        };
        let bytes = fs::read(path).with_context(|| format!("cannot read the picture {}", path.display()))?;
        let title = escape(title);
        write!(
            self.0,
            "<h2>{title}</h2>\n<p><img alt=\"{title}\" src=\"data:{kind};base64,{}\"></p>\n",
            STANDARD.encode(bytes)
        )
        .expect("writing to a string cannot fail");
        Ok(())
    }

    /// Writes the file whole.
    pub fn write(&self, path: &Path) -> Result<()> {
        let partial = path.with_extension("html.partial");
        fs::write(&partial, &self.0).with_context(|| format!("cannot write {}", partial.display()))?;
        fs::rename(&partial, path).with_context(|| format!("cannot write {}", path.display()))
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
