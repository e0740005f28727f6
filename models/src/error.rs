//! Errors of architectures and of the files this crate reads.

use std::path::PathBuf;

/// An architecture that cannot be built.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ArchitectureError {
    #[error("{origin}: {message}")]
    Syntax { origin: String, message: String },
    #[error("{origin}: layer {layer}: {message}")]
    Layer { origin: String, layer: usize, message: String },
    #[error("{origin}: {what} {from} -> {to}: {message}")]
    Edge { origin: String, what: &'static str, from: usize, to: usize, message: String },
    #[error("{origin}: {source}")]
    Graph { origin: String, source: convrnn_graph::GraphError },
    #[error("{origin}: {source}")]
    Presentation { origin: String, source: convrnn_graph::PresentationError },
    #[error("there is no architecture named \"{name}\"{hint}; give the path of a .toml file or one of: {known}")]
    Unknown { name: String, hint: String, known: String },
    #[error(transparent)]
    File(#[from] FileError),
}

/// A file that cannot be read or written, or does not hold what it should.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum FileError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{path}: {message}")]
    Content { path: PathBuf, message: String },
    #[error("{path}: {source}")]
    Parameters { path: PathBuf, source: convrnn_graph::ParametersError },
    #[error("{path} is not a checkpoint: {missing} is missing; a checkpoint is a directory that convrnn-train wrote")]
    NotACheckpoint { path: PathBuf, missing: &'static str },
    #[error(transparent)]
    Architecture(Box<ArchitectureError>),
}

impl From<ArchitectureError> for FileError {
    fn from(error: ArchitectureError) -> Self {
        FileError::Architecture(Box::new(error))
    }
}
