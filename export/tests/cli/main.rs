//! The command `convrnn-export`, run as users run it.

mod bad_inputs;
mod common;
mod cost;
mod files;
#[cfg(feature = "onnxruntime")]
mod metadata;
mod stream;
mod validate;
