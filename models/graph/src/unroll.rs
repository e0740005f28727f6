//! Which node must be computed at which step of an unrolled run: the exact trimming.

use crate::graph::{NodeId, Read, StepGraph};
use crate::presentation::Presentation;

/// The steps whose logits somebody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The last step's only: a loss at the last step, or the final decision.
    LastLogits,
    /// Every step's logits.
    EveryLogits,
    /// Every value of every step: traces, features, no trimming at all.
    Everything,
}

/// For every step of a run and every node, whether it is needed and whether it can differ from
/// image to image. Nothing approximate: a node that is not needed does not reach what is wanted,
/// and a node that is not image-driven has one value for all images, so a batch of one gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct UnrollPlan {
    steps: usize,
    nodes: usize,
    needed: Vec<bool>,
    driven: Vec<bool>,
    state_driven: Vec<bool>,
    states: usize,
}

impl UnrollPlan {
    /// Analyses `presentation.steps` steps of `graph`.
    pub fn new(graph: &StepGraph, presentation: &Presentation, wanted: Wanted) -> Self {
        let (steps, nodes, states) = (presentation.steps, graph.nodes.len(), graph.states.len());
        let mut plan = Self {
            steps,
            nodes,
            needed: vec![false; steps * nodes],
            driven: vec![false; steps * nodes],
            state_driven: vec![false; (steps + 1) * states],
            states,
        };
        plan.mark_driven(graph, presentation);
        plan.mark_needed(graph, wanted);
        plan
    }

    fn mark_driven(&mut self, graph: &StepGraph, presentation: &Presentation) {
        for step in 1..=self.steps {
            for (index, node) in graph.nodes.iter().enumerate() {
                let driven = node.inputs.iter().any(|&read| match read {
                    Read::Frame => presentation.shows_image(step),
                    Read::Node(other) => self.driven[(step - 1) * self.nodes + other.0],
                    Read::State(state) => self.state_driven[(step - 1) * self.states + state.0],
                });
                self.driven[(step - 1) * self.nodes + index] = driven;
            }
            for (index, state) in graph.states.iter().enumerate() {
                self.state_driven[step * self.states + index] = self.driven[(step - 1) * self.nodes + state.next.0];
            }
        }
    }

    fn mark_needed(&mut self, graph: &StepGraph, wanted: Wanted) {
        for step in (1..=self.steps).rev() {
            let base = (step - 1) * self.nodes;
            match wanted {
                Wanted::Everything => self.needed[base..base + self.nodes].fill(true),
                Wanted::EveryLogits => self.needed[base + graph.logits.0] = true,
                Wanted::LastLogits if step == self.steps => self.needed[base + graph.logits.0] = true,
                Wanted::LastLogits => {}
            }
            for index in (0..self.nodes).rev() {
                if !self.needed[base + index] {
                    continue;
                }
                for &read in &graph.nodes[index].inputs {
                    match read {
                        Read::Frame => {}
                        Read::Node(other) => self.needed[base + other.0] = true,
                        // The state as it was after the previous step.
                        Read::State(state) if step > 1 => {
                            self.needed[base - self.nodes + graph.states[state.0].next.0] = true;
                        }
                        Read::State(_) => {}
                    }
                }
            }
        }
    }

    /// Number of steps, T.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Whether what is wanted depends on this node at this step (from 1).
    pub fn is_needed(&self, step: usize, node: NodeId) -> bool {
        self.needed[(step - 1) * self.nodes + node.0]
    }

    /// Whether this node's value at this step can differ between images.
    pub fn is_image_driven(&self, step: usize, node: NodeId) -> bool {
        self.driven[(step - 1) * self.nodes + node.0]
    }

    /// The first step at which a node can differ between images.
    pub fn first_image_driven(&self, node: NodeId) -> Option<usize> {
        (1..=self.steps).find(|&step| self.is_image_driven(step, node))
    }

    /// How many (node, step) pairs are computed for each image, for each image-independent batch of
    /// one, and how many there are in all.
    pub fn work(&self) -> (usize, usize, usize) {
        let per_image = self.needed.iter().zip(&self.driven).filter(|&(&needed, &driven)| needed && driven).count();
        let shared = self.needed.iter().zip(&self.driven).filter(|&(&needed, &driven)| needed && !driven).count();
        (per_image, shared, self.needed.len())
    }
}
