//! ONNX and device programs from a checkpoint, checked on every engine.
