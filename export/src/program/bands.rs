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

/// How a layer is cut into groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// Rows of a group's last operation in a band; 0 for no groups.
    pub rows: usize,
    pub cuts: Cuts,
}

/// Where one group ends and another begins, besides at operations that are not computed by rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cuts {
    /// Nowhere else.
    None,
    /// Before a pooling: what it reads is whole then, but a band of what comes before may be one row.
    Pools,
    /// Before every window over something that the group computes: nothing is computed ahead then.
    Windows,
}

impl Choice {
    /// Whole maps.
    pub const WHOLE: Self = Self { rows: 0, cuts: Cuts::None };

    /// What a layer of so many rows may do, bands of `least` rows and more, the cheapest first.
    pub fn all(least: usize, height: usize) -> Vec<Self> {
        let mut rows: Vec<usize> =
            std::iter::successors(Some(least), |rows| Some(rows * 2)).take_while(|&rows| rows < height).collect();
        rows.reverse();
        let cut = |rows| [Cuts::None, Cuts::Pools, Cuts::Windows].map(|cuts| Self { rows, cuts });
        std::iter::once(Self::WHOLE).chain(rows.into_iter().flat_map(cut)).collect()
    }
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

    /// The groups of every layer, by its choice.
    pub fn new(step: &Step, order: &Order, options: &ProgramOptions, choices: &[Choice]) -> Self {
        let mut bands = Self::none(step);
        let mut position = 0;
        for (layer, nodes) in &order.layers {
            let choice = choices[*layer];
            let mut first = 0;
            while first < nodes.len() && choice.rows > 0 {
                let most = nodes.len().min(first + MAXIMUM_GROUP);
                let plans = (first + 2..=most).rev().filter_map(|end| {
                    let group = Group { step, options, nodes: &nodes[first..end] };
                    group.plan(choice).map(|plan| (end, plan))
                });
                let Some((end, plan)) = { plans }.next() else {
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

    /// How often operations run in a step.
    pub fn runs(&self, step: &Step) -> usize {
        let runs = |(node, bands): (usize, &Option<NodeBands>)| {
            bands.map_or(1, |bands| step.nodes[node].value.shape.height.div_ceil(bands.rows))
        };
        self.nodes.iter().enumerate().map(runs).sum()
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

impl Group<'_> {
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

    /// Whether a new group begins at a member.
    fn is_cut(&self, index: usize, cuts: Cuts) -> bool {
        let is_window = match (cuts, &self.node(index).work) {
            (Cuts::Pools, Work::MaxPool(_)) | (Cuts::Windows, Work::MaxPool(_) | Work::Convolution(_)) => true,
            (Cuts::None | Cuts::Pools | Cuts::Windows, _) => false,
        };
        is_window && (0..index).any(|before| self.readers(before).any(|reader| reader == index))
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
    fn plan(&self, Choice { rows: band, cuts }: Choice) -> Option<Vec<NodeBands>> {
        let windows = self.nodes.iter().map(|&node| window(&self.step.nodes[node].work)).collect::<Option<Vec<_>>>()?;
        let breaks = |index| self.is_cut(index, cuts) || self.has_empty_windows(index, windows[index]);
        if (0..self.nodes.len()).any(breaks) {
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
