//! Whether two sets of weights are the same.

use convrnn_graph::{Parameters, StepGraph};
use sha2::{Digest, Sha256};

/// What tells the weights of a network from any others:
///
/// ```text
/// SHA-256(tensors, (length of the name, name, dimensions, each dimension, each value) of each tensor, by name)
/// ```
///
/// with counts and dimensions as 8 bytes and values as the 4 bytes of an f32, little endian; 64 hexadecimal digits. Two
/// zeros of different sign are different. The architecture is not part of it: files that need it hold it, and a comparison
/// of step graphs goes on being right when a later version writes the same architecture in other words.
pub fn of_weights(graph: &StepGraph, parameters: &Parameters<f32>) -> String {
    let mut hash = Sha256::new();
    let number = |hash: &mut Sha256, value: usize| hash.update((value as u64).to_le_bytes());
    let mut tensors: Vec<_> = graph.parameters.iter().zip(&parameters.values).collect();
    tensors.sort_by_key(|(parameter, _)| &parameter.name);
    number(&mut hash, tensors.len());
    for (parameter, values) in tensors {
        number(&mut hash, parameter.name.len());
        hash.update(&parameter.name);
        number(&mut hash, parameter.shape.len());
        parameter.shape.iter().for_each(|&size| number(&mut hash, size));
        values.iter().for_each(|value| hash.update(value.to_le_bytes()));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(values: Vec<f32>) -> (StepGraph, Parameters<f32>) {
        let graph = crate::catalogue::find("ff-28").unwrap().lower().unwrap();
        let mut graph = StepGraph { parameters: graph.parameters[..1].to_vec(), ..graph };
        graph.parameters[0].name = "w".into();
        graph.parameters[0].shape = vec![values.len()];
        (graph, Parameters { values: vec![values] })
    }

    #[test]
    fn the_digest_is_that_of_the_bytes_said() {
        let (graph, parameters) = network(vec![1.0, -2.0]);
        // Python: hashlib.sha256(struct.pack("<QQcQQff", 1, 1, b"w", 1, 2, 1.0, -2.0)).hexdigest()
        let expected = "8e006d77ee8fb3c444ff9376097ee2dac0db80c2e97c48461e98b112a2bb7da7";
        assert_eq!(of_weights(&graph, &parameters), expected);
    }

    #[test]
    fn one_bit_of_one_value_is_another_digest() {
        let digest = |values: Vec<f32>| {
            let (graph, parameters) = network(values);
            of_weights(&graph, &parameters)
        };
        let one = digest(vec![0.5, 0.25]);
        assert_eq!(one, digest(vec![0.5, 0.25]));
        assert_ne!(one, digest(vec![0.5, f32::from_bits(0.25f32.to_bits() + 1)]));
        assert_ne!(one, digest(vec![0.25, 0.5]));
        assert_ne!(digest(vec![0.0]), digest(vec![-0.0]));
    }
}
