//! Which layers a change of the frame can reach when: a bound on the work that a held frame leaves.

use crate::graph::{Read, StepGraph};

/// By step and layer: whether the layer must run, where `frame_changes[t]` says that the frame of step `t` differs from the
/// one before. A layer need not run in a step if nothing that it reads can differ from the step before: neither the frame,
/// nor a state whose layer ran in the step before. In the first step after a reset everything runs.
///
/// The analysis looks at the graph alone: values that happen to stay the same count as changed. A layer with a state of
/// its own, once reached, runs for ever.
pub fn layers_to_run(graph: &StepGraph, frame_changes: &[bool]) -> Vec<Vec<bool>> {
    let mut steps: Vec<Vec<bool>> = Vec::with_capacity(frame_changes.len());
    for &frame_changes in frame_changes {
        let mut runs = vec![false; graph.layers.len()];
        // Nodes are in order, so that layers read within the step are known when their readers are looked at.
        for node in &graph.nodes {
            let is_reached = node.inputs.iter().any(|read| match *read {
                Read::Frame => frame_changes,
                Read::Node(other) => runs[graph.nodes[other.0].layer],
                Read::State(state) => steps.last().is_none_or(|before| before[graph.states[state.0].layer]),
            });
            runs[node.layer] |= is_reached || steps.is_empty();
        }
        steps.push(runs);
    }
    steps
}

/// Multiply-accumulates of the layers that run, summed over the steps.
pub fn multiply_accumulates(graph: &StepGraph, frame_changes: &[bool]) -> u64 {
    let cost = crate::Cost::new(graph);
    let step = |runs: &Vec<bool>| -> u64 {
        runs.iter()
            .zip(&cost.layers)
            .filter(|(runs, _)| **runs)
            .map(|(_, multiply_accumulates)| multiply_accumulates)
            .sum()
    };
    layers_to_run(graph, frame_changes).iter().map(step).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::{ConvolutionSpec, GraphBuilder};
    use crate::graph::StateKind;
    use crate::shape::Shape;

    /// Three layers of one convolution; the second one may have a state of its own.
    fn graph(is_recurrent: bool) -> StepGraph {
        let shape = Shape::new(1, 2, 2);
        let mut builder = GraphBuilder::new("chain", shape);
        let first = builder.declare_state("layer1.output".into(), 0, StateKind::Output, shape);
        let second = builder.declare_state("layer2.output".into(), 1, StateKind::Output, shape);
        builder.enter_layer("layer1");
        let conv = builder.convolution("conv", &[Read::Frame], ConvolutionSpec::new(1, 1)).expect("fits");
        builder.write_state(first, conv);
        builder.enter_layer("layer2");
        let mut conv = builder.convolution("conv", &[Read::State(first)], ConvolutionSpec::new(1, 1)).expect("fits");
        if is_recurrent {
            let hidden = builder.state("hidden", StateKind::Cell, shape);
            conv = builder.add("sum", Read::Node(conv), Read::State(hidden)).expect("fits");
            builder.write_state(hidden, conv);
        }
        builder.write_state(second, conv);
        builder.enter_layer("layer3");
        let average = builder.node("average", crate::Operation::GlobalAverage, &[Read::State(second)]).expect("fits");
        builder.finish(average).expect("valid")
    }

    fn runs(is_recurrent: bool, changes: &[bool]) -> Vec<[bool; 3]> {
        let steps = layers_to_run(&graph(is_recurrent), changes);
        steps.iter().map(|runs| [runs[0], runs[1], runs[2]]).collect()
    }

    #[test]
    fn a_change_travels_a_layer_a_step() {
        let (yes, no) = (true, false);
        let found = runs(false, &[yes, no, no, no, yes, no, no, no]);
        let expected = [
            [yes, yes, yes],
            // What the first step made of zero states is new to the layers above.
            [no, yes, yes],
            [no, no, yes],
            [no, no, no],
            [yes, no, no],
            [no, yes, no],
            [no, no, yes],
            [no, no, no],
        ];
        assert_eq!(found, expected);
        assert_eq!(multiply_accumulates(&graph(false), &[yes, no, no]), 4 * (2 + 1));
    }

    #[test]
    fn a_state_of_its_own_keeps_a_layer_running() {
        let found = runs(true, &[true, false, false, false]);
        assert_eq!(found[3], [false, true, true]);
    }
}
