//! What validation says of a trace and of an engine, and how the program ends.

use super::{Agreement, Divergence, Identity, Operations};
use crate::engines::{EngineKind, Numerics};
use serde::{Serialize, Serializer};

/// Whether an engine answers as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It does.
    Ok,
    /// It does not.
    Failed,
    /// Nobody can tell: the trace is of other weights, or not what the checkpoint's weights make.
    NotJudged,
    /// An engine of others gave no answer: it refused the model, ended with an error or panicked.
    EngineFailed,
    /// This program was built without it.
    LeftOut,
}

impl Verdict {
    /// As it stands in the table.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Failed => "FAILED",
            Verdict::NotJudged => "not judged",
            Verdict::EngineFailed => "engine failed",
            Verdict::LeftOut => "left out",
        }
    }
}

/// What is known of a trace by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceReport {
    /// Images with the values of all nodes.
    pub recorded: usize,
    /// Whether it is of the checkpoint's weights.
    pub identity: Identity,
    /// Whether these make the values that it holds.
    pub operations: Operations,
}

impl TraceReport {
    /// Whether an engine's logits can be judged by the trace's: it is not known to be of other weights, and its values are
    /// what the weights make.
    pub fn can_judge(&self) -> bool {
        !matches!(self.identity, Identity::Other { .. }) && self.operations.divergence.is_none()
    }
}

/// What one engine did.
#[derive(Clone, Debug, Serialize)]
pub struct EngineReport {
    /// Name of the engine.
    pub engine: &'static str,
    /// What it computes with.
    #[serde(skip)]
    pub numerics: Numerics,
    /// Whether the engine answers as it should.
    #[serde(flatten, serialize_with = "verdict")]
    pub verdict: Verdict,
    /// Comparison with the trace; none if the engine could not run.
    pub agreement: Option<Agreement>,
    /// Operations that were judged; none if the engine could not run, or computes in integers.
    pub operations: Option<Operations>,
    /// The first value, of the engine or else of the trace, that does not follow from its operands.
    pub divergence: Option<Divergence>,
    /// Why the engine gave no answer, if so.
    pub error: Option<String>,
    /// What else is to be said.
    pub notes: Vec<String>,
}

impl EngineReport {
    /// Of an engine that nothing is known against.
    pub(super) fn new(kind: EngineKind) -> Self {
        Self {
            engine: kind.name(),
            numerics: kind.numerics(),
            verdict: Verdict::Ok,
            agreement: None,
            operations: None,
            divergence: None,
            error: None,
            notes: Vec::new(),
        }
    }
}

/// `"verdict": "ok", "passed": true`.
fn verdict<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Said {
        verdict: Verdict,
        passed: bool,
    }
    Said { verdict: *verdict, passed: *verdict == Verdict::Ok }.serialize(serializer)
}

/// How the program ends: 0 where every engine that was run is right; 1 where one is not, or the trace is of other weights
/// or not what the weights make, so that no engine can be judged by it; 3 where nothing is wrong but an engine of others gave no answer.
pub fn exit_code(trace: &TraceReport, engines: &[EngineReport]) -> u8 {
    let is_other = matches!(trace.identity, Identity::Other { .. });
    let any = |verdict: Verdict| engines.iter().any(|report| report.verdict == verdict);
    if is_other || trace.operations.divergence.is_some() || any(Verdict::Failed) || any(Verdict::NotJudged) {
        1
    } else if any(Verdict::EngineFailed) {
        3
    } else {
        0
    }
}
