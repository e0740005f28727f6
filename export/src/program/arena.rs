//! Which tensor where: buffers, their lives and their places.

use super::ProgramOptions;
use super::bands::{Bands, Choice};
use super::order::{Order, reads_state};
use super::step::{Step, Value};
use convrnn_format::{ALIGNMENT, BUFFER_ALIGNMENT, Plan, Role, Skipping};
use convrnn_graph::Read;

/// A tensor's place and life, in operations.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Buffer {
    pub value: Value,
    pub role: Role,
    pub offset: usize,
    pub first_use: usize,
    pub last_use: usize,
    /// Layer of the writer.
    pub layer: Option<usize>,
    /// First and last operation between which its bytes must be its own: its life, or that of whole groups.
    pub busy: (usize, usize),
    /// Rows that it holds; 0 for all.
    pub resident_rows: usize,
    /// Whether its bytes are its own even before it is written: it may be left from step to step.
    pub is_pinned: bool,
}

impl Buffer {
    pub fn bytes(&self) -> usize {
        let height = self.value.shape.height;
        let rows = if self.resident_rows == 0 { height } else { self.resident_rows };
        self.value.bytes() / height * rows
    }

    /// Operations between which its bytes are its own.
    fn duration(&self) -> usize {
        self.busy.1 - self.busy.0
    }
}

/// What transients are sorted by before they are placed, largest first.
type Key = fn(&Buffer) -> (usize, usize);

/// The arena of one step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ArenaPlan {
    pub buffers: Vec<Buffer>,
    /// Buffer of the frame.
    pub frame: usize,
    /// By node: its buffer.
    pub nodes: Vec<usize>,
    /// By state: its buffer, and the buffer copied to it when the step ends.
    pub states: Vec<(usize, Option<usize>)>,
    /// Where the flags of skipped work lie; 0 without.
    pub cache_offset: usize,
    pub length: usize,
}

impl ArenaPlan {
    /// The arena, and which operations are computed in bands. Each layer is cut as little as makes it need no more than
    /// the layer that needs most, cut as finely as it may be.
    pub fn search(step: &Step, order: &Order, options: &ProgramOptions) -> (Self, Bands) {
        let whole = Bands::none(step);
        let arena = Self::new(step, order, options, &whole);
        let Some(least) = options.band_rows else { return (arena, whole) };
        let mut choices = vec![Choice::WHOLE; step.layers.len()];
        let mut lengths: Vec<Vec<(Choice, usize)>> = Vec::new();
        for layer in 0..step.layers.len() {
            let nodes = step.nodes.iter().filter(|node| node.layer == layer);
            let height = nodes.map(|node| node.value.shape.height).max().unwrap_or(0);
            let length = |choice: Choice| {
                choices[layer] = choice;
                let bands = Bands::new(step, order, options, &choices);
                (choice, Self::new(step, order, options, &bands).layer_length(layer))
            };
            lengths.push(Choice::all(least.get(), height).into_iter().map(length).collect());
            choices[layer] = Choice::WHOLE;
        }
        let least_lengths = lengths.iter().filter_map(|lengths| lengths.iter().map(|(_, length)| *length).min());
        let needed = match options.plan {
            Plan::Sequential => least_lengths.max().unwrap_or(0),
            // Every layer has its own memory, so each is to need the least.
            Plan::Parallel => 0,
        };
        for (choice, lengths) in choices.iter_mut().zip(&lengths) {
            let first = lengths.iter().find(|(_, length)| *length <= needed);
            let found = first.or_else(|| lengths.iter().min_by_key(|(_, length)| *length));
            *choice = found.map_or(Choice::WHOLE, |(choice, _)| *choice);
        }
        let bands = Bands::new(step, order, options, &choices);
        let found = Self::new(step, order, options, &bands);
        if found.length < arena.length { (found, bands) } else { (arena, whole) }
    }

    /// Bytes that the transients of one layer take.
    fn layer_length(&mut self, layer: usize) -> usize {
        let is_own = |buffer: &Buffer| buffer.role == Role::Transient && buffer.layer == Some(layer);
        let own: Vec<usize> = (0..self.buffers.len()).filter(|&index| is_own(&self.buffers[index])).collect();
        self.place_together(&own, 0)
    }

    fn new(step: &Step, order: &Order, options: &ProgramOptions, bands: &Bands) -> Self {
        let mut arena = Self::assign(step, order, options);
        arena.measure_lives(step, order, options);
        arena.extend_lives(bands, order);
        arena.place(options.plan);
        if options.skipping != Skipping::None {
            arena.cache_offset = arena.length;
            arena.length = (arena.length + step.states.len() + step.layers.len()).next_multiple_of(ALIGNMENT);
        }
        arena
    }

    /// Buffer of what is read.
    pub fn read(&self, read: Read) -> usize {
        match read {
            Read::Frame => self.frame,
            Read::Node(node) => self.nodes[node.0],
            Read::State(state) => self.states[state.0].0,
        }
    }

    /// Buffer that holds a node's value between steps.
    pub fn after_step(&self, step: &Step, node: usize) -> usize {
        let state = step.states.iter().position(|state| state.next.0 == node);
        state.map_or(self.nodes[node], |state| self.states[state].0)
    }

    /// Gives every tensor a buffer; a state's writer writes in place where nobody reads the old
    /// state later.
    fn assign(step: &Step, order: &Order, options: &ProgramOptions) -> Self {
        let end = step.nodes.len();
        let mut buffers = Vec::new();
        let mut add = |value: Value, role, first_use, last_use, layer| {
            let busy = (first_use, last_use);
            let (offset, resident_rows, is_pinned) = (0, 0, false);
            buffers.push(Buffer { value, role, offset, first_use, last_use, layer, busy, resident_rows, is_pinned });
            buffers.len() - 1
        };
        let mut nodes: Vec<Option<usize>> = vec![None; step.nodes.len()];
        let mut states = Vec::new();
        for (index, state) in step.states.iter().enumerate() {
            let writer = state.next.0;
            let readers = (0..step.nodes.len()).filter(|&node| reads_state(&step.nodes[node], index));
            let read_before = readers.into_iter().all(|node| {
                let updates_in_place = node == writer && step.nodes[node].work.can_be_in_place();
                order.position[node] < order.position[writer] || updates_in_place
            });
            let may_overwrite = options.plan == Plan::Sequential && options.skipping != Skipping::Comparison;
            let in_place = may_overwrite && read_before && nodes[writer].is_none();
            let first_use = if in_place { order.position[writer] } else { end };
            let buffer = add(state.value, Role::State, first_use, end, Some(state.layer));
            if in_place {
                nodes[writer] = Some(buffer);
            }
            states.push((buffer, in_place));
        }
        let frame = add(step.frame, Role::Frame, end, end, None);
        let nodes: Vec<usize> = nodes
            .into_iter()
            .enumerate()
            .map(|(node, buffer)| {
                let position = order.position[node];
                let layer = Some(step.nodes[node].layer);
                buffer.unwrap_or_else(|| add(step.nodes[node].value, Role::Transient, position, position, layer))
            })
            .collect();
        let commit = |(state, (buffer, in_place)): (usize, (usize, bool))| {
            (buffer, (!in_place).then(|| nodes[step.states[state].next.0]))
        };
        let states = states.into_iter().enumerate().map(commit).collect();
        Self { buffers, frame, nodes, states, cache_offset: 0, length: 0 }
    }

    fn measure_lives(&mut self, step: &Step, order: &Order, options: &ProgramOptions) {
        let end = step.nodes.len();
        for (index, node) in step.nodes.iter().enumerate() {
            for &read in &node.inputs {
                let buffer = self.read(read);
                self.buffers[buffer].last_use = self.buffers[buffer].last_use.max(order.position[index]);
            }
        }
        let commits: Vec<usize> = self.states.iter().filter_map(|&(_, source)| source).collect();
        let mut kept = vec![self.after_step(step, step.logits.0)];
        if options.keep_taps {
            kept.extend(step.taps.iter().map(|tap| self.after_step(step, tap.node.0)));
        }
        for &buffer in &kept {
            // What a layer leaves there outlives steps in which the layer is left.
            self.buffers[buffer].is_pinned = options.skipping != Skipping::None || options.precompute;
        }
        for buffer in commits.into_iter().chain(kept) {
            self.buffers[buffer].last_use = end;
        }
    }

    /// In a group, what holds more than the rows of one band, or is not of the group, is in use in every band.
    fn extend_lives(&mut self, bands: &Bands, order: &Order) {
        let writers: Vec<(usize, usize)> = self.nodes.iter().copied().enumerate().collect();
        for buffer in &mut self.buffers {
            buffer.busy = (buffer.first_use, buffer.last_use);
        }
        for (node, index) in writers {
            let buffer = &mut self.buffers[index];
            let position = order.position[node];
            let mut is_of_one_band = false;
            if let Some(plan) = bands.nodes[node] {
                buffer.resident_rows = plan.resident;
                is_of_one_band = plan.resident != 0 && plan.resident <= plan.rows;
            }
            let (writers, readers) = (bands.group(position), bands.group(buffer.last_use));
            if is_of_one_band && writers == readers {
                continue;
            }
            buffer.busy = (
                writers.map_or(buffer.first_use, |group| group.start),
                readers.map_or(buffer.last_use, |group| group.end - 1),
            );
        }
    }

    /// States and the frame one after the other, then the transients above them in the best of
    /// several orders, each at the lowest place that is free during its whole life.
    fn place(&mut self, plan: Plan) {
        let mut offset = 0;
        for buffer in self.buffers.iter_mut().filter(|buffer| buffer.role != Role::Transient) {
            buffer.offset = offset;
            offset += buffer.bytes().next_multiple_of(BUFFER_ALIGNMENT);
        }
        let transients: Vec<usize> =
            (0..self.buffers.len()).filter(|&index| self.buffers[index].role == Role::Transient).collect();
        match plan {
            Plan::Sequential => offset = self.place_together(&transients, offset),
            // A region a layer, one after the other in the order of execution: layers that run at once can be
            // given their memory as slices.
            Plan::Parallel => {
                let mut rest = transients;
                rest.sort_by_key(|&index| self.buffers[index].first_use);
                while let Some(&first) = rest.first() {
                    let layer = self.buffers[first].layer;
                    let (own, others): (Vec<usize>, Vec<usize>) =
                        rest.into_iter().partition(|&index| self.buffers[index].layer == layer);
                    offset = self.place_together(&own, offset.next_multiple_of(ALIGNMENT));
                    rest = others;
                }
            }
        }
        self.length = offset.max(1).next_multiple_of(ALIGNMENT);
    }

    /// Places transients above `offset` in the best of several orders, and returns where they end.
    fn place_together(&mut self, transients: &[usize], offset: usize) -> usize {
        let keys: [Key; 4] = [
            |buffer| (buffer.bytes(), buffer.duration()),
            |buffer| (buffer.duration(), buffer.bytes()),
            |buffer| (buffer.bytes() * (buffer.duration() + 1), 0),
            |buffer| (usize::MAX - buffer.busy.0, buffer.bytes()),
        ];
        let candidates = keys.map(|key| {
            let mut queue = transients.to_vec();
            queue.sort_by_key(|&index| std::cmp::Reverse(key(&self.buffers[index])));
            self.lowest_places(&queue, offset)
        });
        let best = candidates.into_iter().min_by_key(|(length, _)| *length);
        let (length, places) = best.unwrap_or((offset, Vec::new()));
        for (index, place) in places {
            self.buffers[index].offset = place;
        }
        length
    }

    fn lowest_places(&self, queue: &[usize], base: usize) -> (usize, Vec<(usize, usize)>) {
        let mut placed: Vec<(usize, usize)> = Vec::new();
        let mut length = base;
        for &index in queue {
            let size = self.buffers[index].bytes();
            let mut taken: Vec<(usize, usize)> = placed
                .iter()
                .filter(|&&(other, _)| self.conflict(index, other))
                .map(|&(other, offset)| (offset, offset + self.buffers[other].bytes()))
                .collect();
            taken.sort_unstable();
            let mut place = base;
            for (start, end) in taken {
                if place + size <= start {
                    break;
                }
                place = place.max(end.next_multiple_of(BUFFER_ALIGNMENT));
            }
            placed.push((index, place));
            length = length.max(place + size);
        }
        (length, placed)
    }

    /// Whether two transients must not share memory.
    fn conflict(&self, left: usize, right: usize) -> bool {
        let (left, right) = (&self.buffers[left], &self.buffers[right]);
        let at_once = left.busy.0 <= right.busy.1 && right.busy.0 <= left.busy.1;
        at_once || left.is_pinned || right.is_pinned
    }
}
