//! Gates become one integer operation: the elementwise end of a cell's update, from the sums of its convolutions to the
//! new state, in one pass over memory.

use super::readers;
use crate::graph::{NodeId, Read};
use crate::quantize::{Element, GatedSum, Lookup, QuantizedGraph, QuantizedNode, QuantizedOperation, Rescale};

/// The largest difference at which a table of 2048 steps stands in for an interpolated one, in units of the table's
/// output: for a gate, whose unit is 1/32768, a step of 1/1024 at its steepest point. A sigmoid passes, a tanh does not.
const LARGEST_STEP: i32 = 36;

/// Fuses products of tables, sums of two products, and the table that alone reads the sum, into
/// [`QuantizedOperation::GatedSum`]. What something else reads, watches or carries on stays a node of its own. Scales of
/// inputs and outputs stay; in between there is one rounding a product, and saturation only before the last table, so
/// that the result may differ by a unit or two from that of the parts.
pub fn fuse_gates(graph: &QuantizedGraph) -> QuantizedGraph {
    let readers = readers(graph);
    let mut fused: Vec<Option<QuantizedNode>> = vec![None; graph.nodes.len()];
    let mut absorbed = vec![false; graph.nodes.len()];
    // From the end, so that a sum is seen first by the function that reads it.
    for root in (0..graph.nodes.len()).rev() {
        if absorbed[root] {
            continue;
        }
        let matcher = Matcher { graph, readers: &readers, root, inner: Vec::new() };
        if let Some((node, inner)) = matcher.node() {
            for index in inner {
                absorbed[index] = true;
            }
            fused[root] = Some(node);
        }
    }
    rebuild(graph, fused, &absorbed)
}

/// Tries to see one node as the end of a gated sum.
struct Matcher<'a> {
    graph: &'a QuantizedGraph,
    readers: &'a [usize],
    root: usize,
    /// Nodes that become part of the root.
    inner: Vec<usize>,
}

/// A product with the tables taken into its factors.
struct Product {
    inputs: [Read; 2],
    tables: [Option<Lookup>; 2],
    /// Real value of one unit of the product.
    scale: f64,
    /// The largest product.
    magnitude: i64,
}

impl Matcher<'_> {
    fn node(mut self) -> Option<(QuantizedNode, Vec<usize>)> {
        let root = &self.graph.nodes[self.root];
        let (sum, function) = match &root.operation {
            QuantizedOperation::Lookup(table @ Lookup::Interpolated(_)) => {
                (self.own(root.inputs[0])?, Some(table.clone()))
            }
            QuantizedOperation::Add { .. } | QuantizedOperation::Multiply { .. } => (self.root, None),
            QuantizedOperation::Lookup(Lookup::Direct(_) | Lookup::Fine(_))
            | QuantizedOperation::Convolution(_)
            | QuantizedOperation::Rescale(_)
            | QuantizedOperation::MaxPool(_)
            | QuantizedOperation::GlobalAverage { .. }
            | QuantizedOperation::Resize(_)
            | QuantizedOperation::GatedSum(_) => return None,
        };
        let products = self.products(sum)?;
        // A plain product is what it was; a sum or a table saved is a pass over memory saved.
        let has_table = products.iter().any(|product| product.tables.iter().any(Option::is_some));
        if products.len() == 1 && !has_table && function.is_none() {
            return None;
        }
        let output = self.graph.nodes[sum].output;
        let rescale = products
            .iter()
            .map(|product| Rescale::new(product.scale / output.scale, product.magnitude))
            .collect::<Option<Vec<Rescale>>>()?;
        let largest: i64 = rescale.iter().zip(&products).map(|(rescale, p)| rescale.bound(p.magnitude)).sum();
        if largest + 128 > i64::from(i32::MAX) {
            return None;
        }
        let inputs = products.iter().flat_map(|product| product.inputs).collect();
        let tables = products.into_iter().flat_map(|product| product.tables).collect();
        let operation = QuantizedOperation::GatedSum(GatedSum { tables, rescale, function });
        Some((QuantizedNode { operation, inputs, ..root.clone() }, self.inner))
    }

    /// The node behind a read, if only the fused node would read it; it then becomes part of it.
    fn own(&mut self, read: Read) -> Option<usize> {
        let Read::Node(NodeId(node)) = read else { return None };
        let is_own = self.readers[node] == 1 && self.graph.nodes[node].layer == self.graph.nodes[self.root].layer;
        is_own.then(|| self.inner.push(node)).map(|()| node)
    }

    /// The products that a node sums, or the one that it is.
    fn products(&mut self, sum: usize) -> Option<Vec<Product>> {
        let graph = self.graph;
        let node = &graph.nodes[sum];
        match &node.operation {
            QuantizedOperation::Add { .. } => {
                let [left, right] = [self.own(node.inputs[0])?, self.own(node.inputs[1])?];
                Some(vec![self.product(left)?, self.product(right)?])
            }
            QuantizedOperation::Multiply { .. } => Some(vec![self.product(sum)?]),
            QuantizedOperation::Convolution(_)
            | QuantizedOperation::Lookup(_)
            | QuantizedOperation::Rescale(_)
            | QuantizedOperation::MaxPool(_)
            | QuantizedOperation::GlobalAverage { .. }
            | QuantizedOperation::Resize(_)
            | QuantizedOperation::GatedSum(_) => None,
        }
    }

    fn product(&mut self, node: usize) -> Option<Product> {
        let node = &self.graph.nodes[node];
        if !matches!(node.operation, QuantizedOperation::Multiply { .. }) {
            return None;
        }
        let factors = [self.factor(node.inputs[0]), self.factor(node.inputs[1])];
        let scale = factors.iter().map(|factor| factor.scale).product();
        let magnitude = factors.iter().map(|factor| factor.magnitude).product();
        let inputs = [factors[0].read, factors[1].read];
        Some(Product { inputs, tables: factors.map(|factor| factor.table), scale, magnitude })
    }

    fn factor(&mut self, read: Read) -> Factor {
        let kind = self.graph.read_type(read);
        let plain = Factor { read, table: None, scale: kind.scale, magnitude: kind.magnitude() };
        let Read::Node(NodeId(node)) = read else { return plain };
        let node = &self.graph.nodes[node];
        let QuantizedOperation::Lookup(table) = &node.operation else { return plain };
        // The table's entries are taken as they are, so there must be no zero point in them.
        if kind.element != Element::I16 || self.own(read).is_none() {
            return plain;
        }
        Factor { read: node.inputs[0], table: Some(quick(table)), ..plain }
    }
}

struct Factor {
    read: Read,
    table: Option<Lookup>,
    scale: f64,
    magnitude: i64,
}

/// The same table in the form that is read fastest, where that does no harm.
fn quick(table: &Lookup) -> Lookup {
    let Lookup::Interpolated(_) = table else { return table.clone() };
    let middle = |entry: i32| table.apply(entry * 32 + 16 - 32768) as i16;
    let fine = Lookup::Fine((0..2048).map(middle).collect());
    let is_near = |x: i32| (fine.apply(x) - table.apply(x)).abs() <= LARGEST_STEP;
    if (-32768..=32767).all(is_near) { fine } else { table.clone() }
}

fn rebuild(graph: &QuantizedGraph, fused: Vec<Option<QuantizedNode>>, absorbed: &[bool]) -> QuantizedGraph {
    let mut places = Vec::with_capacity(graph.nodes.len());
    let mut nodes: Vec<QuantizedNode> = Vec::new();
    for (index, replacement) in fused.into_iter().enumerate() {
        places.push(NodeId(nodes.len()));
        if absorbed[index] {
            continue;
        }
        let mut node = replacement.unwrap_or_else(|| graph.nodes[index].clone());
        for read in &mut node.inputs {
            if let Read::Node(other) = read {
                *other = places[other.0];
            }
        }
        nodes.push(node);
    }
    let mut result = QuantizedGraph { nodes, ..graph.clone() };
    for state in &mut result.states {
        state.next = places[state.next.0];
    }
    for tap in &mut result.taps {
        tap.node = places[tap.node.0];
    }
    result.logits = places[result.logits.0];
    debug_assert_eq!(result.check(), Ok(()));
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::testing::quantized_parts;
    use crate::quantize::{IntegerInterpreter, IntegerTensor, QuantizedState};
    use crate::testing::random_frames;

    const STEPS: usize = 12;

    fn largest_difference(state: &QuantizedState, left: &IntegerTensor, right: &IntegerTensor) -> f64 {
        let differences = left.values.iter().zip(&right.values).map(|(a, b)| f64::from((a - b).abs()));
        differences.fold(0.0, f64::max) * state.value.scale
    }

    /// Both graphs make every step from the same states.
    #[test]
    fn a_fused_graph_computes_what_its_parts_do() {
        let (mut sums, mut single, mut fine) = (0, 0, 0);
        for seed in 0..120 {
            let before = quantized_parts(seed);
            let after = fuse_gates(&before);
            after.check().expect("valid");
            for node in &after.nodes {
                if let QuantizedOperation::GatedSum(spec) = &node.operation {
                    *(if spec.rescale.len() == 2 { &mut sums } else { &mut single }) += 1;
                    fine += spec.tables.iter().filter(|table| matches!(table, Some(Lookup::Fine(_)))).count();
                }
            }
            let (mut left, mut right) = (IntegerInterpreter::new(&before), IntegerInterpreter::new(&after));
            for frame in random_frames(before.frame.shape, STEPS, seed) {
                let integers: Vec<i8> = frame.values.iter().map(|&x| before.frame.quantize(x) as i8).collect();
                left.step(&integers);
                right.step(&integers);
                for (index, state) in before.states.iter().enumerate() {
                    let largest = left.states()[index].values.iter().map(|&x| state.value.dequantize(x).abs());
                    // Two gates that are off by a thousandth each, a unit of rounding a product and the i8 step.
                    let magnitude = largest.fold(1.0, f64::max);
                    let allowed = 0.004 * magnitude + 1.01 * state.value.scale;
                    let found = largest_difference(state, &left.states()[index], &right.states()[index]);
                    assert!(found <= allowed, "seed {seed}, {}: {found}, allowed {allowed}", state.name);
                }
                right.restore(left.states().to_vec());
            }
        }
        assert!(sums > 100 && single > 20 && fine > 200, "{sums} sums, {single} single products, {fine} fine tables");
    }
}
