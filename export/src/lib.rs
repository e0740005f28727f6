//! ONNX and device programs from a checkpoint, checked on every engine.

pub mod engines;
pub mod onnx;
pub mod validate;
