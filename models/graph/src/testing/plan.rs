//! The choices that make a random network.

use super::build::Build;
use crate::graph::{GraphError, StepGraph};
use crate::operation::{Activation, Padding, ResizeMode};
use crate::shape::Shape;
use rand::RngExt;

#[derive(Clone, Debug)]
pub(super) enum CellPlan {
    None,
    /// `h = f(x + W * h)`
    Plain(Activation),
    /// `h = f((1 - sigmoid(W_c * c)) . x + (1 - sigmoid(W_h * h)) . h)`, and c likewise.
    Gated(Activation),
    /// `h = z . tanh(x) + (1 - z) . h` with `z = sigmoid(W * h)`
    Interpolating,
    /// `h = sigmoid(x) . tanh(x + W * h)`
    Exposing,
    /// `h = x . tanh(W * c)` and `c = tanh(V * h + b)`: without the bias nothing ever passes.
    Shut,
}

#[derive(Clone, Debug)]
pub(super) struct LayerPlan {
    pub(super) channels: usize,
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) padding: Option<Padding>,
    pub(super) depthwise: bool,
    pub(super) bias: bool,
    pub(super) scaled_input: bool,
    pub(super) cell: CellPlan,
    pub(super) residual: bool,
    pub(super) activation: Option<Activation>,
    pub(super) pool: Option<(usize, usize)>,
    pub(super) trained: TrainedPlan,
}

/// What only networks in training have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TrainedPlan {
    pub(super) norm: bool,
    pub(super) norm_at_end: bool,
    pub(super) scale: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct EdgePlan {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) sizing: Sizing,
    pub(super) added: bool,
}

/// How an output is brought to the map that it enters.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sizing {
    Resize(ResizeMode),
    /// By max-pooling over the whole map, where the target is smaller; else to the nearest.
    Pool,
}

const RESIZES: [ResizeMode; 3] =
    [ResizeMode::BilinearAlignedCorners, ResizeMode::BilinearHalfPixel, ResizeMode::Nearest];

#[derive(Clone, Debug)]
pub(super) struct NetworkPlan {
    pub(super) frame: Shape,
    pub(super) layers: Vec<LayerPlan>,
    pub(super) edges: Vec<EdgePlan>,
    pub(super) average_first: bool,
}

fn pick<T: Copy>(random: &mut impl RngExt, choices: &[T]) -> T {
    choices[random.random_range(0..choices.len())]
}

const ACTIVATIONS: [Activation; 3] = [Activation::Relu, Activation::Elu, Activation::Tanh];

impl LayerPlan {
    fn random(random: &mut impl RngExt) -> Self {
        let padding = match random.random_bool(0.7) {
            true => None,
            false => Some(Padding { top: 1, bottom: random.random_range(0..3), left: 0, right: 2 }),
        };
        let cell = match random.random_range(0..6) {
            0 => CellPlan::None,
            1 => CellPlan::Plain(pick(random, &[Activation::Elu, Activation::Tanh])),
            2 | 3 => CellPlan::Gated(pick(random, &[Activation::Elu, Activation::Tanh])),
            4 => CellPlan::Interpolating,
            _ => CellPlan::Exposing,
        };
        let pool = random.random_bool(0.5).then(|| pick(random, &[(2, 2), (3, 2), (2, 1)]));
        Self {
            channels: random.random_range(1..6),
            kernel: [random.random_range(1..4), random.random_range(1..4)],
            stride: [random.random_range(1..3), random.random_range(1..3)],
            padding,
            depthwise: random.random_bool(0.15),
            bias: random.random_bool(0.7),
            scaled_input: random.random_bool(0.15),
            cell,
            residual: random.random_bool(0.3),
            activation: random.random_bool(0.7).then(|| pick(random, &ACTIVATIONS)),
            pool,
            trained: TrainedPlan::default(),
        }
    }
}

impl NetworkPlan {
    pub(super) fn random(random: &mut impl RngExt) -> Self {
        let frame = Shape::new(random.random_range(1..4), random.random_range(5..10), random.random_range(5..10));
        let layers: Vec<LayerPlan> = (0..random.random_range(2..5)).map(|_| LayerPlan::random(random)).collect();
        let mut edges = Vec::new();
        for from in 1..layers.len() {
            for to in 0..from {
                let edge = EdgePlan {
                    from,
                    to,
                    sizing: Sizing::Resize(pick(random, &RESIZES)),
                    added: random.random_bool(0.3),
                };
                if random.random_bool(0.4) {
                    edges.push(edge);
                }
            }
        }
        Self { frame, layers, edges, average_first: random.random_bool(0.5) }
    }

    /// Adds edges forward over layers, second edges between layers that have one, which enter in the other way, and
    /// cells with gates that zero shuts.
    pub(super) fn with_skips(mut self, random: &mut impl RngExt) -> Self {
        for layer in &mut self.layers {
            if random.random_bool(0.12) {
                layer.cell = CellPlan::Shut;
            }
        }
        for to in 2..self.layers.len() {
            for from in 0..to - 1 {
                let sizing = match random.random_bool(0.5) {
                    true => Sizing::Pool,
                    false => Sizing::Resize(pick(random, &RESIZES)),
                };
                let edge = EdgePlan { from, to, sizing, added: random.random_bool(0.3) };
                if random.random_bool(0.35) {
                    self.edges.push(edge);
                }
            }
        }
        for edge in self.edges.clone() {
            if random.random_bool(0.15) {
                self.edges.push(EdgePlan { added: !edge.added, ..edge });
            }
        }
        self
    }

    /// Adds normalisations and trained factors.
    pub(super) fn with_training(mut self, random: &mut impl RngExt) -> Self {
        for layer in &mut self.layers {
            layer.trained = TrainedPlan {
                norm: random.random_bool(0.5),
                norm_at_end: random.random_bool(0.2),
                scale: random.random_bool(0.3),
            };
        }
        self
    }

    /// Edges change no output's shape, so a build without them gives the shapes that the build with
    /// them declares its states with.
    pub(super) fn build(&self) -> Result<StepGraph, GraphError> {
        let without = Build::new(self, &[], None).run()?.1;
        Ok(Build::new(self, &self.edges, Some(&without)).run()?.0)
    }
}
