//! Whether a trace is of the weights at hand.

use convrnn_models::digest::of_weights;
use convrnn_models::{Checkpoint, Trace};
use serde::Serialize;

/// What the digests of a trace and of a checkpoint's weights say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "weights")]
pub enum Identity {
    /// The trace was recorded with these very weights, to the bit.
    Same {
        /// Digest of both.
        digest: String,
    },
    /// It was recorded with others.
    Other {
        /// Digest of the trace's.
        traced: String,
        /// Digest of the checkpoint's.
        found: String,
    },
    /// The trace was written before digests were recorded.
    Unknown,
}

impl Identity {
    /// Of a trace and the checkpoint as it was read, with nothing folded.
    pub fn new(checkpoint: &Checkpoint, trace: &Trace) -> Self {
        let found = of_weights(&checkpoint.graph, &checkpoint.parameters);
        match trace.weights.clone() {
            None => Identity::Unknown,
            Some(traced) if traced == found => Identity::Same { digest: found },
            Some(traced) => Identity::Other { traced, found },
        }
    }

    /// What is known, as a sentence.
    pub fn sentence(&self) -> String {
        let short = |digest: &str| digest.get(..12).unwrap_or(digest).to_owned();
        match self {
            Identity::Same { digest } => format!("the trace is of these weights (digest {})", short(digest)),
            Identity::Other { traced, found } => format!(
                "the trace is of other weights: their digest is {}, that of the checkpoint's {}. Trace this checkpoint \
                 with `convrnn-train trace`; by this one no engine can be judged",
                short(traced),
                short(found)
            ),
            Identity::Unknown => "the trace does not say of which weights it is: it was written before traces had a \
                                  digest of them. `convrnn-train trace` writes one that does"
                .to_owned(),
        }
    }

    /// What is known of the cause, where the trace is not what the checkpoint's weights make.
    pub fn cause(&self) -> &'static str {
        match self {
            Identity::Same { .. } => {
                "the weights are those that were traced, so either the executor that wrote the trace computed this \
                 otherwise, or the file has been changed since"
            }
            Identity::Other { .. } => "the weights are not those that were traced",
            Identity::Unknown => {
                "either the weights are not those that were traced, or the executor that wrote the trace computed this \
                 otherwise; the trace has no digest to tell which"
            }
        }
    }
}
