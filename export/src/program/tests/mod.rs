//! Programs against the reference interpreters.

mod backends;
mod bands;
mod hostile;
mod integer;
mod network;
mod parallel;
mod precompute;
mod real;
mod siblings;
mod skipping;
mod stepping;
mod tailored;
mod wide;
#[cfg(target_arch = "x86_64")]
mod x86;
