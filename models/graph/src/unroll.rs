//! Which node must be computed at which step of an unrolled run: the exact trimming.

use crate::graph::{NodeId, Read, StepGraph};
use crate::presentation::Presentation;

/// The steps whose logits somebody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// The last step's only: a loss at the last step, or the final decision.
    LastLogits,
    /// Those of these steps (from 1), in any order: a loss at chosen steps.
    LogitsAt(&'a [usize]),
    /// Every step's logits.
    EveryLogits,
    /// Every value of every step: traces, features, no trimming at all.
    Everything,
}

impl Wanted<'_> {
    /// Whether the logits of one step, of `steps` in all, are wanted.
    pub fn includes_logits(&self, step: usize, steps: usize) -> bool {
        match self {
            Wanted::LastLogits => step == steps,
            Wanted::LogitsAt(chosen) => chosen.contains(&step),
            Wanted::EveryLogits | Wanted::Everything => true,
        }
    }
}

/// What a run does at one of its steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepInput {
    /// Whether the frame differs from image to image; otherwise it is blank.
    pub shows_image: bool,
    /// Whether every state is zero again before this step.
    pub resets: bool,
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
        let input = |step| StepInput { shows_image: presentation.shows_image(step), resets: false };
        let inputs: Vec<StepInput> = (1..=presentation.steps).map(input).collect();
        Self::over(graph, &inputs, wanted)
    }

    /// Analyses a run of `graph` from zero states over any sequence of frames.
    pub fn over(graph: &StepGraph, inputs: &[StepInput], wanted: Wanted) -> Self {
        let (steps, nodes, states) = (inputs.len(), graph.nodes.len(), graph.states.len());
        let mut plan = Self {
            steps,
            nodes,
            needed: vec![false; steps * nodes],
            driven: vec![false; steps * nodes],
            state_driven: vec![false; (steps + 1) * states],
            states,
        };
        plan.mark_driven(graph, inputs);
        plan.mark_needed(graph, inputs, wanted);
        plan
    }

    fn mark_driven(&mut self, graph: &StepGraph, inputs: &[StepInput]) {
        for step in 1..=self.steps {
            let StepInput { shows_image, resets } = inputs[step - 1];
            for (index, node) in graph.nodes.iter().enumerate() {
                let driven = node.inputs.iter().any(|&read| match read {
                    Read::Frame => shows_image,
                    Read::Node(other) => self.driven[(step - 1) * self.nodes + other.0],
                    Read::State(state) => !resets && self.state_driven[(step - 1) * self.states + state.0],
                });
                self.driven[(step - 1) * self.nodes + index] = driven;
            }
            for (index, state) in graph.states.iter().enumerate() {
                self.state_driven[step * self.states + index] = self.driven[(step - 1) * self.nodes + state.next.0];
            }
        }
    }

    fn mark_needed(&mut self, graph: &StepGraph, inputs: &[StepInput], wanted: Wanted) {
        for step in (1..=self.steps).rev() {
            let base = (step - 1) * self.nodes;
            if wanted == Wanted::Everything {
                self.needed[base..base + self.nodes].fill(true);
            }
            self.needed[base + graph.logits.0] |= wanted.includes_logits(step, self.steps);
            for index in (0..self.nodes).rev() {
                if !self.needed[base + index] {
                    continue;
                }
                for &read in &graph.nodes[index].inputs {
                    match read {
                        Read::Frame => {}
                        Read::Node(other) => self.needed[base + other.0] = true,
                        // The state as it was after the previous step.
                        Read::State(state) if step > 1 && !inputs[step - 1].resets => {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random_network;

    /// Nodes that can be reached from the frames of image steps, and from which wanted logits can be
    /// reached, by following values forward one at a time: the definition, not the analysis.
    fn by_definition(graph: &StepGraph, inputs: &[StepInput], wanted: Wanted) -> (Vec<bool>, Vec<bool>) {
        let (steps, nodes) = (inputs.len(), graph.nodes.len());
        let readers = |step: usize, node: usize| {
            let mut found = Vec::new();
            for (index, reader) in graph.nodes.iter().enumerate() {
                for &read in &reader.inputs {
                    match read {
                        Read::Node(other) if other.0 == node => found.push((step, index)),
                        Read::State(state) if graph.states[state.0].next.0 == node => {
                            if step < steps && !inputs[step].resets {
                                found.push((step + 1, index));
                            }
                        }
                        Read::Frame | Read::Node(_) | Read::State(_) => {}
                    }
                }
            }
            found
        };
        let reached = |start: Vec<(usize, usize)>| {
            let (mut seen, mut open) = (vec![false; steps * nodes], start);
            while let Some((step, node)) = open.pop() {
                if !std::mem::replace(&mut seen[(step - 1) * nodes + node], true) {
                    open.extend(readers(step, node));
                }
            }
            seen
        };
        let reads_frame = |&(step, node): &(usize, usize)| {
            inputs[step - 1].shows_image && graph.nodes[node].inputs.contains(&Read::Frame)
        };
        let places: Vec<(usize, usize)> =
            (1..=steps).flat_map(|step| (0..nodes).map(move |node| (step, node))).collect();
        let driven = reached(places.iter().copied().filter(reads_frame).collect());
        let reaches_wanted = |&place: &(usize, usize)| {
            let seen = reached(vec![place]);
            (1..=steps).any(|step| wanted.includes_logits(step, steps) && seen[(step - 1) * nodes + graph.logits.0])
        };
        let needed = places.iter().map(reaches_wanted).collect();
        (driven, needed)
    }

    #[test]
    fn the_plan_is_exactly_what_reaches_the_chosen_logits() {
        for seed in 0..12 {
            let graph = random_network(seed).graph;
            let input = |step| StepInput { shows_image: step % 4 != 3, resets: step == 5 };
            let inputs: Vec<StepInput> = (1..=8).map(input).collect();
            for wanted in [Wanted::LastLogits, Wanted::LogitsAt(&[6, 3]), Wanted::LogitsAt(&[4]), Wanted::EveryLogits] {
                let plan = UnrollPlan::over(&graph, &inputs, wanted);
                let (driven, needed) = by_definition(&graph, &inputs, wanted);
                assert_eq!(plan.driven, driven, "seed {seed}");
                assert_eq!(plan.needed, needed, "seed {seed} {wanted:?}");
            }
        }
    }

    #[test]
    fn the_last_steps_logits_are_those_of_a_list_with_that_step() {
        let graph = random_network(3).graph;
        let presentation = Presentation { steps: 9, image_steps: 4, blank: 0.0 };
        let plan = |wanted| UnrollPlan::new(&graph, &presentation, wanted);
        assert_eq!(plan(Wanted::LogitsAt(&[9])), plan(Wanted::LastLogits));
        assert_eq!(plan(Wanted::LogitsAt(&[1, 2, 3, 4, 5, 6, 7, 8, 9])), plan(Wanted::EveryLogits));
        // Nothing is needed after the last chosen step.
        let chosen = plan(Wanted::LogitsAt(&[5]));
        assert!((6..=9).all(|step| (0..graph.nodes.len()).all(|node| !chosen.is_needed(step, NodeId(node)))));
    }
}
