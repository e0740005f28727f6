//! The command `convrnn-export`, run as users run it.

mod bad_inputs;
mod common;
mod files;
mod stream;
mod validate;
