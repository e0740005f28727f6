//! Programs against the reference interpreters.

mod hostile;
mod integer;
mod network;
mod real;
mod skipping;
mod stepping;
mod wide;
