//! The device runtime on the host, running the very file that a device runs.

use super::{Engine, EngineError, Image, Network, Record};
use crate::program::{AlignedBytes, ProgramDescription, ProgramOptions, Target, write_real};
use convrnn_graph::{Node, NodeId, StepGraph, Tap};
use convrnn_runtime::format::Element;
use convrnn_runtime::{Frame, Host, Numerics, Program, Session, arena_length};

const REAL: &str = "runtime f32";
const INTEGER: &str = "runtime int8";

/// Device programs of a network, or why there is none.
#[derive(Clone, Debug)]
pub struct Programs {
    /// In f32.
    pub real: Result<AlignedBytes, String>,
    /// In int8.
    pub integer: Result<AlignedBytes, String>,
}

impl Default for Programs {
    fn default() -> Self {
        let none = || Err("no program was given".to_owned());
        Self { real: none(), integer: none() }
    }
}

/// A device program with the kernels of this machine: in int8 the bits of every other.
pub struct Runtime<'a> {
    name: &'static str,
    network: Network<'a>,
    program: &'a AlignedBytes,
    arena: AlignedBytes,
}

impl<'a> Runtime<'a> {
    /// The f32 program of a network.
    pub fn real(network: &Network<'a>) -> Result<Self, EngineError> {
        Self::new(REAL, network, &network.programs.real)
    }

    /// The int8 program of a network.
    pub fn integer(network: &Network<'a>) -> Result<Self, EngineError> {
        Self::new(INTEGER, network, &network.programs.integer)
    }

    fn new(
        name: &'static str,
        network: &Network<'a>,
        program: &'a Result<AlignedBytes, String>,
    ) -> Result<Self, EngineError> {
        let program = program.as_ref().map_err(|message| failed(name, message))?;
        // The length is believed only after the whole program has been verified.
        let verified = Program::new_checked(program).map_err(|error| failed(name, &error))?;
        let (found, expected) = (verified.classes(), network.source.graph.classes());
        if found != expected {
            return Err(failed(name, &format!("the program gives {found} class scores, expected {expected}")));
        }
        Ok(Self { name, network: *network, program, arena: AlignedBytes::zeroed(arena_length(program)) })
    }

    /// Of every value that the program has a tap for, by path: smallest and largest real number that its integers stand for.
    pub(crate) fn ranges(&mut self) -> Result<Vec<(String, f64, f64)>, EngineError> {
        let graph = self.network.exported.graph;
        let session = Session::with_backend(self.program, &mut self.arena, Host::default());
        let session = session.map_err(|error| failed(self.name, &error))?;
        let range = |tap: &Tap| {
            let buffer = session.tap(&tap.name)?.buffer;
            let (low, high) = match Element::from_byte(buffer.element)? {
                Element::I8 => (i8::MIN.into(), i8::MAX.into()),
                Element::I16 => (i16::MIN.into(), i16::MAX.into()),
                Element::I32 | Element::F32 => return None,
            };
            let real = |integer: i32| f64::from(buffer.scale) * f64::from(integer - buffer.zero_point);
            Some((graph.nodes[tap.node.0].name.clone(), real(low), real(high)))
        };
        Ok(graph.taps.iter().filter_map(range).collect())
    }

    /// Runs the presentation and lets `each` look at the session after every step.
    fn steps(
        &mut self,
        frame: Frame<'_>,
        mut each: impl FnMut(&Session<'_, '_, Host>),
    ) -> Result<Vec<Vec<f32>>, EngineError> {
        let name = self.name;
        let session = Session::with_backend(self.program, &mut self.arena, Host::default());
        let mut session = session.map_err(|error| failed(name, &error))?;
        let presentation = self.network.presentation;
        session.present(frame).map_err(|error| failed(name, &error))?;
        let mut logits = Vec::with_capacity(presentation.steps);
        for step in 1..=presentation.steps {
            if step == presentation.image_steps + 1 {
                session.present_blank();
            }
            session.step();
            let scores = session.logits_raw();
            logits.push((0..scores.len()).filter_map(|class| scores.real(class)).collect());
            each(&session);
        }
        Ok(logits)
    }

    /// The values of the nodes of a graph that the program has a tap for; `tap_of` says which.
    fn tapped<'n>(
        &mut self,
        frame: Frame<'_>,
        nodes: &'n [Node],
        tap_of: impl Fn(usize, &'n Node) -> Option<&'n str>,
    ) -> Result<Record, EngineError> {
        let mut values = Vec::new();
        let logits = self.steps(frame, |session| {
            let value = |(index, node): (usize, &'n Node)| {
                let tap = session.tap(tap_of(index, node)?)?;
                Some((node.name.clone(), planar(&tap)))
            };
            values.push(nodes.iter().enumerate().filter_map(value).collect());
        })?;
        Ok(Record { logits, values })
    }
}

fn failed(engine: &'static str, error: &dyn std::fmt::Display) -> EngineError {
    EngineError::Failed { engine, message: error.to_string() }
}

/// From height, width, channel order to channel, height, width.
fn planar(tensor: &convrnn_runtime::Tensor<'_>) -> Vec<f32> {
    let shape = &tensor.buffer;
    let (channels, height, width) = (shape.channels as usize, shape.height as usize, shape.width as usize);
    let positions =
        (0..channels).flat_map(|c| (0..height).flat_map(move |r| (0..width).map(move |column| (c, r, column))));
    positions.filter_map(|(channel, row, column)| tensor.real(tensor.index(channel, row, column))).collect()
}

/// The step graph with every node tapped, by its path.
fn tapped_everywhere(graph: &StepGraph) -> StepGraph {
    let tap = |(index, node): (usize, &convrnn_graph::Node)| Tap { name: node.name.clone(), node: NodeId(index) };
    StepGraph { taps: graph.nodes.iter().enumerate().map(tap).collect(), ..graph.clone() }
}

impl Engine for Runtime<'_> {
    fn first_step(&self) -> usize {
        let Ok(program) = Program::new_checked(self.program) else { return 1 };
        let begins_late = program.layers().any(|layer| layer.first_step > 1);
        if begins_late { program.prelude().first_image_step.max(1) as usize } else { 1 }
    }

    fn run(&mut self, image: Image<'_>) -> Result<Vec<Vec<f32>>, EngineError> {
        self.steps(Frame::Bytes(image.pixels), |_| {})
    }

    fn record(&mut self, image: Image<'_>) -> Result<Record, EngineError> {
        let verified = Program::new_checked(self.program).map_err(|error| failed(self.name, &error))?;
        match verified.numerics() {
            Numerics::Real => self.record_every_node(image),
            Numerics::Integer => {
                let graph = self.network.exported.graph;
                let tap_of = |node: usize| graph.taps.iter().find(|tap| tap.node == NodeId(node));
                self.tapped(Frame::Bytes(image.pixels), &graph.nodes, |index, _| Some(tap_of(index)?.name.as_str()))
            }
        }
    }
}

impl Runtime<'_> {
    /// Runs a second program of the same network, which keeps the value of every node.
    fn record_every_node(&self, image: Image<'_>) -> Result<Record, EngineError> {
        let graph = tapped_everywhere(self.network.exported.graph);
        let presentation = self.network.presentation;
        let description = ProgramDescription { class_names: &[], preprocessing: None, presentation };
        let options = ProgramOptions { target: Target::HOST, ..ProgramOptions::default() };
        let bytes = write_real(&graph, self.network.exported.parameters, &description, &options);
        let program = AlignedBytes::copy_of(&bytes.map_err(|error| failed(self.name, &error))?);
        let arena = AlignedBytes::zeroed(arena_length(&program));
        let mut diagnostic = Runtime { name: self.name, network: self.network, program: &program, arena };
        let frame = graph.frame;
        let mut interleaved = vec![0.0; frame.elements()];
        for (channel, plane) in image.values.chunks_exact(frame.positions()).enumerate() {
            for (position, &value) in plane.iter().enumerate() {
                interleaved[position * frame.channels + channel] = value;
            }
        }
        diagnostic.tapped(Frame::Real(&interleaved), &graph.nodes, |_, node| Some(&node.name))
    }
}
