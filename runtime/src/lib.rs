//! Steps a ConvRNN in real time without operating system or allocator, f32 or int8.
