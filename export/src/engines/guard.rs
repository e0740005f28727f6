//! Engines of others may panic; that is their failure, not the end of this program.

use super::EngineError;
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether a panic on this thread is caught and told as an engine's failure.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Runs what an engine of others does. A panic becomes [`EngineError::Panicked`]; nothing is printed of it.
pub(crate) fn guarded<T>(
    engine: &'static str,
    body: impl FnOnce() -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_CAUGHT.get() {
                previous(panic);
            }
        }));
    });
    let before = IS_CAUGHT.replace(true);
    // What the body was at work on is dropped with it, so nobody sees it half done.
    let result = catch_unwind(AssertUnwindSafe(body));
    IS_CAUGHT.set(before);
    result.unwrap_or_else(|panic| Err(EngineError::Panicked { engine, message: message(panic.as_ref()) }))
}

/// What a panic says, on one line.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.map_or("no message".to_owned(), |text| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_message() {
        let lines = "two\n  lines";
        let error = guarded("some engine", || -> Result<(), EngineError> { panic!("{lines} of {}", 7) }).unwrap_err();
        assert_eq!(error.to_string(), "some engine: it panicked: two lines of 7");
        assert_eq!(guarded("some engine", || Ok(3)).unwrap(), 3);
        assert!(!IS_CAUGHT.get());
    }
}
