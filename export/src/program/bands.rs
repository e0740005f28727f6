//! Which operations are computed in bands of rows, and how many rows of each a band has.
//!
//! Within a layer, consecutive operations whose rows depend on a few rows of their operands form groups. What only the
//! group reads then needs memory for a band and for the rows around it that windows reach: for a cell's update, the new
//! states go where the old ones lie, row by row, while of the old ones as convolutions read them K - 1 rows are kept.

use super::ProgramOptions;
use super::order::Order;
use super::step::{Step, StepNode, Work};
use convrnn_format::{MAXIMUM_BANDS, MAXIMUM_GROUP};
use convrnn_graph::{NodeId, Read, StateId};
use std::ops::Range;

/// How an operation of a group is computed; see [`convrnn_format::bands`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeBands {
    pub rows: usize,
    pub lead: usize,
    /// Rows that its buffer holds; 0 for all.
    pub resident: usize,
    pub ends: bool,
}

/// The groups of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bands {
    /// By node.
    pub nodes: Vec<Option<NodeBands>>,
    /// Positions in the order of execution.
    pub groups: Vec<Range<usize>>,
}

impl Bands {
    /// Without groups.
    pub fn none(step: &Step) -> Self {
        Self { nodes: vec![None; step.nodes.len()], groups: Vec::new() }
    }

    /// The largest groups of some layers, with so many rows of their last operation a band.
    pub fn new(step: &Step, order: &Order, options: &ProgramOptions, rows: usize, layers: &[bool]) -> Self {
        let mut bands = Self::none(step);
        let mut position = 0;
        for (layer, nodes) in &order.layers {
            let mut first = 0;
            while first < nodes.len() {
                let most = nodes.len().min(first + MAXIMUM_GROUP);
                let ends = (first + 2..=most).rev().filter(|_| layers[*layer]);
                let found = ends
                    .filter_map(|end| Group::new(step, options, &nodes[first..end]).plan(rows).map(|plan| (end, plan)))
                    .next();
                let Some((end, plan)) = found else {
                    first += 1;
                    continue;
                };
                for (&node, plan) in nodes[first..end].iter().zip(plan) {
                    bands.nodes[node] = Some(plan);
                }
                bands.groups.push(position + first..position + end);
                first = end;
            }
            position += nodes.len();
        }
        bands
    }

    /// The group that a position is of.
    pub fn group(&self, position: usize) -> Option<&Range<usize>> {
        self.groups.iter().find(|group| group.contains(&position))
    }
}

/// The window of an operation along rows: extent, stride and padding above; of one row for elementwise ones. None for
/// operations that are not computed by rows.
fn window(work: &Work) -> Option<(usize, usize, usize)> {
    match work {
        Work::Convolution(work) => Some((work.kernel[0], work.stride[0], work.padding.top)),
        Work::MaxPool(pool) => Some((pool.kernel[0], pool.stride[0], pool.padding.top)),
        Work::Add { .. }
        | Work::Multiply(_)
        | Work::Affine { .. }
        | Work::Activation(_)
        | Work::Lookup(_)
        | Work::Rescale(_)
        | Work::GatedSum(_) => Some((1, 1, 0)),
        Work::GlobalAverage(_) | Work::Resize(_) => None,
    }
}

/// Nodes in the order of execution that may become a group.
struct Group<'a> {
    step: &'a Step,
    options: &'a ProgramOptions,
    nodes: &'a [usize],
}

impl<'a> Group<'a> {
    fn new(step: &'a Step, options: &'a ProgramOptions, nodes: &'a [usize]) -> Self {
        Self { step, options, nodes }
    }

    fn node(&self, index: usize) -> &StepNode {
        &self.step.nodes[self.nodes[index]]
    }

    fn height(&self, index: usize) -> usize {
        self.node(index).value.shape.height
    }

    /// Members that read a member.
    fn readers(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        let read = Read::Node(NodeId(self.nodes[index]));
        (index + 1..self.nodes.len()).filter(move |&reader| self.node(reader).inputs.contains(&read))
    }

    /// Whether anybody reads all of a member's value: another group, the next step, whoever looks at taps or logits.
    fn is_whole(&self, index: usize) -> bool {
        let (step, node) = (self.step, NodeId(self.nodes[index]));
        let is_member = |reader: usize| self.nodes.contains(&reader);
        let is_read = (0..step.nodes.len())
            .any(|reader| !is_member(reader) && step.nodes[reader].inputs.contains(&Read::Node(node)));
        let is_state = step.states.iter().any(|state| state.next == node);
        let is_tapped = self.options.keep_taps && step.taps.iter().any(|tap| tap.node == node);
        is_read || is_state || is_tapped || step.logits == node
    }

    /// Whether the first or the last row of a member sees nothing but padding.
    fn has_empty_windows(&self, index: usize, (kernel, stride, above): (usize, usize, usize)) -> bool {
        let height = self.step.read_value(self.node(index).inputs[0]).shape.height;
        kernel <= above || (self.height(index) - 1) * stride >= height + above
    }

    /// How each member is computed; none if they cannot form a group or need no less memory as one.
    fn plan(&self, band: usize) -> Option<Vec<NodeBands>> {
        let windows = self.nodes.iter().map(|&node| window(&self.step.nodes[node].work)).collect::<Option<Vec<_>>>()?;
        if (0..self.nodes.len()).any(|index| self.has_empty_windows(index, windows[index])) {
            return None;
        }
        let last = self.nodes.len() - 1;
        let bands = self.height(last).div_ceil(band);
        if bands < 2 || bands > MAXIMUM_BANDS as usize {
            return None;
        }
        let rows = self.rates(&windows, band, bands)?;
        let leads = self.leads(&windows, &rows, bands)?;
        let mut plan = Vec::new();
        for index in 0..self.nodes.len() {
            let (height, lead) = (self.height(index), leads[index]);
            let kept = self.readers(index).map(|reader| {
                let (_, stride, above) = windows[reader];
                (lead + above).saturating_sub(leads[reader] * stride)
            });
            let resident = rows[index] + kept.max().unwrap_or(0).max(lead);
            let resident = if self.is_whole(index) || resident >= height { 0 } else { resident };
            let is_short = rows[index] > usize::from(u16::MAX) || lead > usize::from(u8::MAX);
            if is_short {
                return None;
            }
            plan.push(NodeBands { rows: rows[index], lead, resident, ends: index == last });
        }
        plan.iter().any(|node| node.resident != 0).then_some(plan)
    }

    /// Rows that a band adds to each member's output: those of its readers times their stride. None where readers differ.
    fn rates(&self, windows: &[(usize, usize, usize)], band: usize, bands: usize) -> Option<Vec<usize>> {
        let count = self.nodes.len();
        let mut rates: Vec<Option<usize>> = vec![None; count];
        rates[count - 1] = Some(band);
        loop {
            let mut has_changed = false;
            for index in 0..count {
                for reader in self.readers(index) {
                    let stride = windows[reader].1;
                    match (rates[index], rates[reader]) {
                        (None, Some(rate)) => rates[index] = Some(rate * stride),
                        (Some(rate), None) if rate.is_multiple_of(stride) => rates[reader] = Some(rate / stride),
                        (Some(rate), Some(read)) if rate == read * stride => continue,
                        (None, None) => continue,
                        (Some(_), _) => return None,
                    }
                    has_changed = true;
                }
            }
            if has_changed {
                continue;
            }
            // Members that share no value with the last one.
            let Some(free) = rates.iter().position(Option::is_none) else { break };
            rates[free] = Some(self.height(free).div_ceil(bands));
        }
        rates.into_iter().collect()
    }

    /// Rows that each member must be ahead: of what its readers' windows reach, of what they are ahead themselves, and of
    /// whoever overwrites the state that it reads.
    fn leads(&self, windows: &[(usize, usize, usize)], rates: &[usize], bands: usize) -> Option<Vec<usize>> {
        let mut leads = vec![0; self.nodes.len()];
        for index in (0..self.nodes.len()).rev() {
            let mut lead = self.height(index).saturating_sub(bands * rates[index]);
            for reader in self.readers(index) {
                let (kernel, stride, above) = windows[reader];
                lead = lead.max((leads[reader] * stride + kernel).saturating_sub(stride + above));
            }
            let (_, stride, above) = windows[index];
            for read in &self.node(index).inputs {
                let Read::State(StateId(state)) = *read else { continue };
                let writer = self.nodes.iter().position(|&node| node == self.step.states[state].next.0);
                let Some(writer) = writer.filter(|&writer| writer > index) else { continue };
                if rates[index] * stride != rates[writer] {
                    return None;
                }
                lead = lead.max((leads[writer] + above).div_ceil(stride));
            }
            leads[index] = lead;
        }
        Some(leads)
    }
}
