//! How far an f32 result of one operation may lie from the exact one: derived from the operation and its operands, in
//! docs/VALIDATION.md.

use convrnn_graph::reference::evaluate;
use convrnn_graph::{Activation, Operation, Parameters, Shape, StepGraph, Tensor};

/// Unit roundoff of f32, u: one operation has a relative error of at most this.
pub const ROUNDOFF: f64 = 1.0 / (1 << 24) as f64;

/// Standard deviations, of sums whose roundings are independent, that are allowed; see [`growth`].
const DEVIATIONS: f64 = 4.0;

/// Roundings of a value that reaches an operation another way than it was recorded: a fused product, a constant that is
/// rounded itself, weights that an engine has scaled.
const EXTRA: usize = 3;

/// Error of an engine's exp, tanh or logistic function, in units of u. Vectorised approximations reach some 4.
const FUNCTION: f64 = 16.0;

/// The part of `sum |terms|` that rounding a sum of so many terms may cost: `n u / (1 - n u)`, which always holds, or
/// `4 sqrt(n) u`, whichever is less. The second holds where roundings are independent of each other (Higham and Mary, SIAM
/// J. Sci. Comput. 41, 2019), for any order of the terms.
pub fn growth(terms: usize) -> f64 {
    let terms = terms as f64;
    let always = terms * ROUNDOFF / (1.0 - (terms * ROUNDOFF).min(0.5));
    always.min(DEVIATIONS * terms.sqrt() * ROUNDOFF)
}

/// Limits of the operations of a graph with some weights.
pub(super) struct Limits<'a> {
    graph: &'a StepGraph,
    parameters: Parameters<f64>,
    /// Those that make an operation give the sum of the magnitudes of what it adds.
    magnitudes: Parameters<f64>,
}

impl<'a> Limits<'a> {
    pub(super) fn new(graph: &'a StepGraph, parameters: &Parameters<f32>) -> Self {
        let parameters = parameters.to_f64();
        let mut magnitudes = parameters.map(f64::abs);
        for node in &graph.nodes {
            if let Operation::BatchNorm(norm) = &node.operation {
                // |x| - mean is |x| + |mean|.
                magnitudes.values[norm.mean.0].iter_mut().for_each(|mean| *mean = -mean.abs());
            }
        }
        Self { graph, parameters, magnitudes }
    }

    /// The exact value of an operation on f32 operands, and by element how far an f32 result may lie from it.
    pub(super) fn of(&self, operation: &Operation, operands: &[&Tensor], shape: Shape) -> (Tensor, Tensor) {
        let exact = evaluate(operation, operands, shape, &self.parameters);
        let terms = self.terms(operation, operands);
        // Below the smallest normal number f32 rounds to a fixed step, or to zero.
        let smallest = f64::from(f32::MIN_POSITIVE) * (terms + 1) as f64;
        let share = growth(terms + EXTRA);
        let limit = match self.sum_of_magnitudes(operation) {
            Some(operation) => {
                let operands: Vec<Tensor> = operands.iter().map(|operand| operand.map(f64::abs)).collect();
                let operands: Vec<&Tensor> = operands.iter().collect();
                evaluate(&operation, &operands, shape, &self.magnitudes).map(|sum| share * sum + smallest)
            }
            None => match operation {
                Operation::Activation(activation) => {
                    operands[0].zip(&exact, |x, y| function_limit(*activation, x, y) + smallest)
                }
                Operation::MaxPool(_) => exact.map(|y| ROUNDOFF * y.abs() + smallest),
                Operation::Convolution(_)
                | Operation::Resize(_)
                | Operation::BatchNorm(_)
                | Operation::Scale { .. }
                | Operation::Add
                | Operation::Multiply
                | Operation::Affine { .. }
                | Operation::GlobalAverage => unreachable!("these have a sum of magnitudes"),
            },
        };
        (exact, limit)
    }

    /// What an operation adds up for one element of its result.
    fn terms(&self, operation: &Operation, operands: &[&Tensor]) -> usize {
        match operation {
            Operation::Convolution(convolution) => {
                let weight = &self.graph.parameters[convolution.weight.0].shape;
                weight[1..].iter().product::<usize>() + usize::from(convolution.bias.is_some())
            }
            // Four weights, each a product of two, each rounded.
            Operation::Resize(_) => 8,
            // Subtraction, square root, quotient, product, addition, and the factor where it is computed first.
            Operation::BatchNorm(_) => 8,
            Operation::Scale { .. } | Operation::Multiply | Operation::Activation(_) | Operation::MaxPool(_) => 1,
            Operation::Add | Operation::Affine { .. } => 2,
            Operation::GlobalAverage => operands[0].shape.positions(),
        }
    }

    /// The operation that, of magnitudes, gives the sum of the magnitudes of all terms; none where there is no sum.
    fn sum_of_magnitudes(&self, operation: &Operation) -> Option<Operation> {
        match operation {
            Operation::Convolution(_)
            | Operation::Resize(_)
            | Operation::BatchNorm(_)
            | Operation::Scale { .. }
            | Operation::Add
            | Operation::Multiply
            | Operation::GlobalAverage => Some(operation.clone()),
            Operation::Affine { scale, offset } => Some(Operation::Affine { scale: scale.abs(), offset: offset.abs() }),
            Operation::Activation(_) | Operation::MaxPool(_) => None,
        }
    }
}

/// How far an engine's `function(x)` may lie from `exact`: the operand may have been rounded once more, which costs
/// `u |x function'(x)|`, and the function is an approximation.
fn function_limit(activation: Activation, x: f64, exact: f64) -> f64 {
    match activation {
        Activation::Relu => ROUNDOFF * exact.abs(),
        // exp(x) - 1 is computed by most engines as it stands, which loses what cancels.
        Activation::Elu if x < 0.0 => FUNCTION * ROUNDOFF,
        Activation::Elu => ROUNDOFF * exact.abs(),
        // Approximations are good to u of the largest value, 1, not of small ones.
        Activation::Sigmoid => FUNCTION * ROUNDOFF,
        Activation::Tanh => FUNCTION * ROUNDOFF * x.abs().min(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convrnn_graph::testing::{random_frames, random_trained_network};
    use convrnn_graph::{NodeId, Read};

    #[test]
    fn sums_in_f32_in_any_order_stay_within_their_limit_and_fill_a_good_part_of_it() {
        let mut random = 0x2545_f491_4f6c_dd1du64;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 40) as f32 / (1 << 24) as f32
        };
        for terms in [3, 30, 300, 3000] {
            let mut largest = 0.0f64;
            for signed in [false, true] {
                for _ in 0..300 {
                    let values: Vec<f32> = (0..terms).map(|_| next() - if signed { 0.5 } else { 0.0 }).collect();
                    let exact: f64 = values.iter().map(|&x| f64::from(x)).sum();
                    let size: f64 = values.iter().map(|&x| f64::from(x).abs()).sum();
                    for sum in [values.iter().sum::<f32>(), values.iter().rev().sum()] {
                        largest = largest.max((f64::from(sum) - exact).abs() / (growth(terms) * size));
                    }
                }
            }
            assert!(largest < 0.8 && largest > 0.02, "{terms} terms: {largest} of the limit");
        }
    }

    /// Every operation, computed in f32 from f32 operands by rounding the exact value, lies within its limit; one part in
    /// a thousand of its largest value does not.
    #[test]
    fn rounded_values_are_within_and_a_thousandth_is_not() {
        let (mut seen, mut kinds) = (0, std::collections::BTreeSet::new());
        for seed in 0..40 {
            let network = random_trained_network(seed);
            let limits = Limits::new(&network.graph, &network.parameters);
            let round = |tensor: &Tensor| tensor.map(|x| f64::from(x as f32));
            let zeros: Vec<Tensor> = network.graph.states.iter().map(|state| Tensor::zeros(state.shape)).collect();
            let frame = round(&random_frames(network.graph.frame, 1, seed)[0]);
            let mut values: Vec<Tensor> = Vec::new();
            for node in &network.graph.nodes {
                let operand = |read: &Read| match *read {
                    Read::Frame => &frame,
                    Read::Node(NodeId(node)) => &values[node],
                    Read::State(state) => &zeros[state.0],
                };
                let operands: Vec<&Tensor> = node.inputs.iter().map(operand).collect();
                let (exact, limit) = limits.of(&node.operation, &operands, node.shape);
                let found = round(&exact);
                let peak = exact.values.iter().fold(0.0f64, |peak, x| peak.max(x.abs()));
                for ((exact, found), limit) in exact.values.iter().zip(&found.values).zip(&limit.values) {
                    assert!((exact - found).abs() <= *limit, "seed {seed}, {}: {exact} {limit}", node.name);
                    if exact.abs() == peak && peak > 0.1 {
                        assert!(1e-3 * peak > *limit, "seed {seed}, {}: {exact} {limit}", node.name);
                        seen += 1;
                    }
                }
                kinds.insert(node.operation.kind());
                values.push(found);
            }
        }
        assert!(seen > 300 && kinds.len() >= 10, "{seen} {kinds:?}");
    }
}
