//! Programs against the reference interpreters.

mod hostile;
mod integer;
mod network;
mod real;
mod stepping;
mod wide;
