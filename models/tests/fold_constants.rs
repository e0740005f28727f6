//! Constants within the weights, over the catalogue: how many operations an executor in floating point is spared.

use convrnn_graph::{Operation, Parameters, passes};
use convrnn_models::catalogue;

#[test]
fn every_catalogue_net_folds_and_gated_ones_lose_operations() {
    let mut removed = std::collections::HashMap::new();
    for (name, _) in catalogue::ENTRIES {
        let graph = catalogue::find(name).unwrap().lower().unwrap();
        let values = graph.parameters.iter().map(|parameter| vec![0.25; parameter.elements()]).collect();
        let parameters = Parameters { values };
        let (graph, parameters) = passes::fold(&graph, &parameters).unwrap();
        let (folded, weights) = passes::fold_constants(&graph, &parameters).unwrap();
        folded.check().unwrap();
        weights.check(&folded).unwrap();
        assert_eq!((&folded.taps.len(), &folded.states.len()), (&graph.taps.len(), &graph.states.len()), "{name}");
        let constants = |graph: &convrnn_graph::StepGraph| {
            graph.nodes.iter().filter(|node| matches!(node.operation, Operation::Affine { .. })).count()
        };
        let less = graph.nodes.len() - folded.nodes.len();
        println!(
            "{name}: {} operations, {less} less, {} of {} affine left",
            graph.nodes.len(),
            constants(&folded),
            constants(&graph)
        );
        assert_eq!(constants(&graph) - constants(&folded), less, "{name}");
        removed.insert(*name, less);
    }
    // Four gates a reciprocal gated layer; one where they have factors, which can go into one of the four convolutions alone.
    for (name, expected) in [("rgc-28", 8), ("rgc-32", 8), ("rgc-6", 12), ("rgc-median", 7), ("search-28", 2)] {
        assert_eq!(removed[name], expected, "{name}");
    }
    for name in ["ff-6", "resnet-18", "vanilla-28", "gru-28", "lstm-28", "time-decay-28"] {
        assert_eq!(removed[name], 0, "{name}");
    }
}
