//! ONNX and device programs from a checkpoint, checked on every engine.

pub mod cost;
pub mod device;
pub mod drift;
pub mod engines;
pub mod onnx;
pub mod program;
pub mod stream;
pub mod validate;
