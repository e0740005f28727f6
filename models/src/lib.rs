//! Architectures, cells and their lowering to a step graph; checkpoints; counts and timing reports.
