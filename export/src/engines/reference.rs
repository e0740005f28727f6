//! The f64 reference interpreter as an engine.

use super::{Engine, EngineError, Image, Network, Record, frame_at};
use convrnn_graph::{Interpreter, Parameters, Tensor};

/// Runs the step graph in f64.
pub struct Reference<'a> {
    network: Network<'a>,
    parameters: Parameters<f64>,
}

impl<'a> Reference<'a> {
    /// For a network.
    pub fn new(network: &Network<'a>) -> Self {
        Self { network: *network, parameters: network.source.parameters.to_f64() }
    }

    /// Runs an image; `keep` says whether the values of all nodes are wanted.
    fn record(&self, image: Image<'_>, keep: bool) -> Record {
        let (graph, presentation) = (self.network.source.graph, &self.network.presentation);
        let mut interpreter = Interpreter::new(graph, &self.parameters);
        let blank = vec![presentation.blank as f32; image.values.len()];
        let mut record = Record::default();
        for step in 1..=presentation.steps {
            let frame = frame_at(presentation, step, image.values, &blank);
            let frame = Tensor::new(graph.frame, frame.iter().map(|&x| f64::from(x)).collect());
            let values = interpreter.step(&frame);
            record.logits.push(to_f32(&values[graph.logits.0]));
            if keep {
                let named = graph.nodes.iter().zip(&values).map(|(node, value)| (node.name.clone(), to_f32(value)));
                record.values.push(named.collect());
            }
        }
        record
    }
}

fn to_f32(tensor: &Tensor) -> Vec<f32> {
    tensor.values.iter().map(|&x| x as f32).collect()
}

impl Engine for Reference<'_> {
    fn run(&mut self, image: Image<'_>) -> Result<Vec<Vec<f32>>, EngineError> {
        Ok(Reference::record(self, image, false).logits)
    }

    fn record(&mut self, image: Image<'_>) -> Result<Record, EngineError> {
        Ok(Reference::record(self, image, true))
    }
}
