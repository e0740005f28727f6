//! Memory that runs out inside libtorch, where its binding panics.
//!
//! What the binding offers as an error is taken as one everywhere. Some of its destructors panic all the same: that of a number
//! that was handed to libtorch runs before the error of the call is looked at, finds it, and unwraps it. Such a panic is caught
//! here and becomes the error that it was. Every other panic goes on, as does one for want of memory outside libtorch.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use tch::TchError;

/// How the message of such a panic begins.
const UNWRAPPED: &str = "called `Result::unwrap()` on an `Err` value: Torch(";

/// What libtorch says where it finds no room.
const WORDS: [&str; 4] = ["CUDA out of memory", "can't allocate memory", "not enough memory", "std::bad_alloc"];

/// Whether a message of libtorch is about memory: there is no code for it.
pub(crate) fn is_want_of_memory(text: &str) -> bool {
    WORDS.iter().any(|words| text.contains(words))
}

/// The message of a panic for want of memory inside libtorch; none of any other panic.
fn message(payload: &dyn Any) -> Option<&str> {
    let text = payload.downcast_ref::<String>()?;
    (text.starts_with(UNWRAPPED) && is_want_of_memory(text)).then_some(text)
}

/// Does some work, for callers that keep gradients. A panic for want of memory inside libtorch becomes its error.
pub(crate) fn caught<T, E: From<TchError>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    // What the work leaves half done is that of an error at the same place.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let Some(text) = message(&*payload) else { resume_unwind(payload) };
        // A run without gradients that unwound has left them off on this thread. A guard made while they are on turns them on
        // again when it goes.
        drop(tch::with_grad(tch::no_grad_guard));
        Err(TchError::Torch(text.to_owned()).into())
    })
}

/// Says nothing of panics that [`caught`] makes errors of.
pub(crate) fn say_it_once() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if message(panic.payload()).is_none() {
            usual(panic);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Result, TrainerError};
    use tch::{Device, Kind, Tensor};

    fn failed(message: &str) -> Result<(), TchError> {
        Err(TchError::Torch(message.into()))
    }

    /// As libtorch's binding unwraps its errors.
    fn unwrapped(message: &str) -> Result<()> {
        failed(message).unwrap();
        Ok(())
    }

    #[test]
    fn want_of_memory_that_panics_is_an_error() {
        let found = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to \
                     allocate 6291456 bytes. Error code 12 (Cannot allocate memory)\nframe #0: c10";
        match caught(|| tch::no_grad(|| unwrapped(found))) {
            Err(TrainerError::OutOfMemory { wanted, place }) => {
                assert_eq!((wanted.as_deref(), place), (Some("6291456 bytes"), "in main memory"));
            }
            other => panic!("{other:?}"),
        }
        let leaf = Tensor::ones([1], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        assert!((&leaf + &leaf).requires_grad(), "the work was without gradients, what follows has them");
    }

    #[test]
    fn every_other_panic_goes_on() {
        let works: [fn() -> Result<()>; 2] = [|| unwrapped("shapes differ"), || panic!("can't allocate memory")];
        for work in works {
            assert!(catch_unwind(|| caught(work)).is_err());
        }
        assert!(matches!(caught(|| Ok::<_, TrainerError>(3)), Ok(3)));
    }
}
