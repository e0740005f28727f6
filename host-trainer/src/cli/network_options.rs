//! Which network, and how many steps of it: options that `train` and `init` share.

use crate::error::Result;
use crate::unroll::{Unroll, presentation};
use clap::Args;
use convrnn_graph::Presentation;
use convrnn_models::{Architecture, catalogue};

/// What an architecture is changed to.
#[derive(Debug, Args)]
pub struct NetworkOptions {
    /// Classes to tell apart: channels of the architecture's last layer; as the architecture says if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    classes: Option<u16>,
    /// Number of steps of 10 ms, T; as the architecture says if not given.
    #[arg(long, value_name = "T", conflicts_with = "unroll")]
    steps: Option<usize>,
    /// Steps the image is on show, then blank; as the architecture says if not given.
    #[arg(long, value_name = "N", conflicts_with = "unroll")]
    image_steps: Option<usize>,
    /// Number of steps by rule.
    #[arg(long, value_enum, default_value = "full")]
    unroll: Unroll,
}

impl NetworkOptions {
    /// An architecture of the catalogue or of a file, and its presentation, changed as the options say.
    ///
    /// # Errors
    /// An unknown name, a file that is no architecture, steps that do not fit.
    pub(super) fn of(&self, name: &str) -> Result<(Architecture, Presentation)> {
        let mut architecture = catalogue::find(name)?;
        if let Some(classes) = self.classes {
            architecture.set_classes(classes.into());
        }
        let presentation = presentation(&architecture, self.unroll, self.steps, self.image_steps)?;
        Ok((architecture, presentation))
    }
}
