//! The general cell of the paper's architecture search, section 6.3, of which the reciprocal gated cell is one point.

use super::affine::{Affine, AffineKind};
use super::context::CellContext;
use crate::shortcut::Shortcut;
use convrnn_graph::{Activation, GraphBuilder, GraphError, Initializer, NodeId, Read, StateId, StateKind};
use serde::{Deserialize, Serialize};

/// Hidden state h (the output) and memory c:
///
/// ```text
/// a = gate_a . in_a + keep_a . h[t-1]      h[t] = f_a(a)
/// b = gate_b . in_b + keep_b . c[t-1]      c[t] = f_b(b)
/// gate, keep = offset + factor * squash(affine(what they read))
/// ```
///
/// `.` is the elementwise product. The paper writes tau for keep, and v1, v2 for offset and factor. A gate may read
/// any of the layer below, x, c[t-1] and h[t-1]; those of a also c[t], or those of b also h[t], but not both, which
/// would be a circle. States: `hidden` and, where there is a memory, `memory`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Channels of the memory; those of x if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_channels: Option<usize>,
    /// How the weights start.
    #[serde(default = "crate::defaults::xavier")]
    pub initializer: Initializer,
    /// a and h.
    pub hidden: Update,
    /// b and c; none for a cell without memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Update>,
}

/// One of the two updates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// f.
    #[serde(default = "crate::defaults::elu")]
    pub activation: Activation,
    /// A map of x that gives `in`; x itself if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<InputMap>,
    /// Whether `in` has the layer's own input added, through a 1x1 convolution without bias where shapes differ, as the
    /// residual of a layer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub residual: bool,
    /// What `in` is multiplied with; 1 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// What the old state is multiplied with; 0 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Gate>,
}

/// A map of x.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputMap {
    /// Kind of map.
    #[serde(default)]
    pub affine: AffineKind,
    /// Kernel height and width.
    pub kernel: usize,
    /// Whether a bias is added.
    #[serde(default)]
    pub bias: bool,
}

/// `offset + factor * squash(affine(reads))`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// What it reads; nothing makes it a constant.
    pub reads: Vec<Operand>,
    /// Kind of map.
    #[serde(default)]
    pub affine: AffineKind,
    /// Kernel height and width; unused by a sum.
    #[serde(default = "three")]
    pub kernel: usize,
    /// Whether a bias is added.
    #[serde(default)]
    pub bias: bool,
    /// Squashing function.
    #[serde(default = "sigmoid")]
    pub squash: Activation,
    /// v1.
    #[serde(default = "one")]
    pub offset: f64,
    /// v2.
    #[serde(default = "minus_one")]
    pub factor: f64,
}

/// What a gate can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operand {
    /// What the layer's first convolution reads: the layer below after the previous step, then concatenated edges; resized
    /// to the map of x (bilinear, aligned corners) where that has another size.
    Below,
    /// x.
    Input,
    /// c of the previous step.
    Memory,
    /// h of the previous step.
    Hidden,
    /// c of this step; for gates of the hidden state.
    NextMemory,
    /// h of this step; for gates of the memory.
    NextHidden,
}

fn sigmoid() -> Activation {
    Activation::Sigmoid
}

fn three() -> usize {
    3
}

fn one() -> f64 {
    1.0
}

fn minus_one() -> f64 {
    -1.0
}

impl Update {
    fn reads(&self, operand: Operand) -> bool {
        [&self.gate, &self.keep].into_iter().flatten().any(|gate| gate.reads.contains(&operand))
    }
}

/// One of the two states while the cell is emitted.
#[derive(Clone, Copy)]
struct Side {
    state: StateId,
    old: Read,
    next: Option<NodeId>,
}

/// What both updates read.
#[derive(Clone, Copy)]
struct Values<'a> {
    hidden: Side,
    memory: Option<Side>,
    /// The layer below on the map of x, where a gate reads it.
    below: &'a [Read],
}

/// Names of the parts of an update: of its gate (cross) and of its keep (own), after the paper's W_ch, W_hh, W_hc, W_cc.
struct Names {
    cross: &'static str,
    own: &'static str,
}

const HIDDEN: Names = Names { cross: "ch", own: "hh" };
const MEMORY: Names = Names { cross: "hc", own: "cc" };

impl Search {
    /// The gates there are, by the name of their table.
    fn gates(&self) -> impl Iterator<Item = (&'static str, &Gate)> {
        let memory = self.memory.as_ref();
        let gates = [
            ("hidden.gate", self.hidden.gate.as_ref()),
            ("hidden.keep", self.hidden.keep.as_ref()),
            ("memory.gate", memory.and_then(|memory| memory.gate.as_ref())),
            ("memory.keep", memory.and_then(|memory| memory.keep.as_ref())),
        ];
        gates.into_iter().filter_map(|(name, gate)| Some((name, gate?)))
    }

    pub(super) fn emit(&self, builder: &mut GraphBuilder, context: &CellContext<'_>) -> Result<NodeId, GraphError> {
        let refuse = |message: &str| Err(GraphError::Node { node: builder.path("cell"), message: message.into() });
        let hidden_waits = self.hidden.reads(Operand::NextMemory);
        let memory_waits = self.memory.as_ref().is_some_and(|memory| memory.reads(Operand::NextHidden));
        if hidden_waits && memory_waits {
            return refuse(
                "hidden reads next-memory and memory reads next-hidden, which is a circle: let one of them read the \
                 state of the previous step",
            );
        }
        let needs_memory = [Operand::Memory, Operand::NextMemory].into_iter().any(|operand| self.hidden.reads(operand));
        if self.memory.is_none() && needs_memory {
            return refuse("hidden reads a memory that the cell has not: add a table [layer.cell.memory]");
        }
        if self.hidden.reads(Operand::NextHidden) {
            return refuse("hidden reads next-hidden, its own result: read hidden");
        }
        if self.memory.as_ref().is_some_and(|memory| memory.reads(Operand::NextMemory)) {
            return refuse("memory reads next-memory, its own result: read memory");
        }
        for (table, gate) in self.gates() {
            let is_twice = |read| gate.reads.iter().filter(|other| **other == read).count() > 1;
            if gate.reads.iter().any(|&read| is_twice(read)) {
                return refuse(&format!("{table} reads one value twice: name each once"));
            }
            if gate.bias && gate.affine == AffineKind::Sum {
                return refuse(&format!("{table} adds a bias to a sum, which has no parameters: leave bias out"));
            }
        }
        let shape = builder.shape(context.input);
        let state = builder.state("hidden", StateKind::Cell, shape);
        let mut hidden = Side { state, old: context.hidden(builder, state)?, next: None };
        let mut memory = self.memory.as_ref().map(|_| {
            let channels = self.memory_channels.unwrap_or(shape.channels);
            let state = builder.state("memory", StateKind::Cell, shape.with_channels(channels));
            Side { state, old: Read::State(state), next: None }
        });
        let below = match self.gates().any(|(_, gate)| gate.reads.contains(&Operand::Below)) {
            true => context.below_on_map(builder)?,
            false => Vec::new(),
        };
        let memory_first = hidden_waits;
        for is_memory in [memory_first, !memory_first] {
            let values = Values { hidden, memory, below: &below };
            match (is_memory, &self.memory, memory) {
                (false, ..) => {
                    let next = self.update(builder, context, &self.hidden, &HIDDEN, values)?;
                    hidden.next = Some(next);
                }
                (true, Some(update), Some(side)) => {
                    let next = self.update(builder, context, update, &MEMORY, values)?;
                    memory = Some(Side { next: Some(next), ..side });
                }
                (true, ..) => {}
            }
        }
        for side in [Some(hidden), memory].into_iter().flatten() {
            builder.write_state(side.state, side.next.expect("both updates are emitted"));
        }
        Ok(hidden.next.expect("emitted"))
    }

    /// `f(gate . in + keep . old)`
    fn update(
        &self,
        builder: &mut GraphBuilder,
        context: &CellContext<'_>,
        update: &Update,
        names: &Names,
        values: Values<'_>,
    ) -> Result<NodeId, GraphError> {
        let Names { cross, own } = names;
        let is_hidden = *cross == HIDDEN.cross;
        let old = match (is_hidden, values.memory) {
            (false, Some(memory)) => memory.old,
            _ => values.hidden.old,
        };
        let input = self.input(builder, context, update, cross, builder.shape(old).channels, is_hidden)?;
        let reads = |gate: &Gate| -> Vec<Read> {
            let read = |operand: &Operand| -> Vec<Read> {
                let next = |side: Option<Side>| side.and_then(|side| side.next).map(Read::Node).into_iter().collect();
                match operand {
                    Operand::Below => values.below.to_vec(),
                    Operand::Input => vec![context.input],
                    Operand::Hidden => vec![values.hidden.old],
                    Operand::Memory => values.memory.map(|memory| memory.old).into_iter().collect(),
                    Operand::NextHidden => next(Some(values.hidden)),
                    Operand::NextMemory => next(values.memory),
                }
            };
            gate.reads.iter().flat_map(read).collect()
        };
        let passed = match &update.gate {
            None => input,
            Some(gate) => self.product(builder, gate, cross, &format!("input_{cross}"), &reads(gate), input)?,
        };
        let sum = match &update.keep {
            None => passed,
            Some(keep) => {
                let kept = self.product(builder, keep, own, &format!("kept_{own}"), &reads(keep), old)?;
                Read::Node(builder.add(&format!("sum_{cross}"), passed, kept)?)
            }
        };
        builder.activation(&format!("next_{cross}"), update.activation, sum)
    }

    /// `in` of an update.
    fn input(
        &self,
        builder: &mut GraphBuilder,
        context: &CellContext<'_>,
        update: &Update,
        name: &str,
        channels: usize,
        is_hidden: bool,
    ) -> Result<Read, GraphError> {
        let mut input = match &update.input {
            None => context.input,
            Some(map) => {
                let affine = self.affine(map.affine, map.kernel, map.bias);
                affine.emit(builder, &format!("in_{name}"), &[context.input], channels)?
            }
        };
        if update.residual {
            // What the layer reads first is the layer below; concatenated edges are no part of the residual.
            let name = &format!("residual_{name}");
            let (to, initializer) = (builder.shape(input), Initializer::XavierUniform);
            let shortcut = Shortcut { name, to, stride: context.stride, initializer };
            let around = shortcut.emit(builder, context.below[0])?;
            input = Read::Node(builder.add(&format!("{name}.sum"), input, around)?);
        }
        if is_hidden {
            input = context.output(builder, input)?;
        }
        Ok(input)
    }

    /// `(offset + factor * squash(affine(reads))) . value`
    fn product(
        &self,
        builder: &mut GraphBuilder,
        gate: &Gate,
        name: &str,
        path: &str,
        reads: &[Read],
        value: Read,
    ) -> Result<Read, GraphError> {
        if reads.is_empty() {
            let constant = gate.offset + gate.factor * gate.squash.apply(0.0);
            return builder.affine(path, constant, 0.0, value).map(Read::Node);
        }
        let affine = self.affine(gate.affine, gate.kernel, gate.bias);
        let affine = affine.emit(builder, &format!("w_{name}"), reads, builder.shape(value).channels)?;
        let squashed = builder.activation(&format!("squash_{name}"), gate.squash, affine)?;
        let gated = builder.affine(&format!("gate_{name}"), gate.factor, gate.offset, Read::Node(squashed))?;
        builder.multiply(path, Read::Node(gated), value).map(Read::Node)
    }

    fn affine(&self, kind: AffineKind, kernel: usize, bias: bool) -> Affine {
        Affine { kind, kernel, bias: bias.then_some(Initializer::Zeros), initializer: self.initializer }
    }
}
