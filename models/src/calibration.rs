//! Whether calibration frames show what int8's ranges must hold.
//!
//! A range is what was measured of a value. Frames that are all black, all the same or few measure little, and the program
//! that is made of them saturates at the first real image, though nothing about it is malformed.

use convrnn_graph::quantize::{Calibration, Histogram};
use convrnn_graph::{NodeId, Operation, Parameters, Read, StepGraph};
use std::fmt;

/// Fewer frames leave the ends of most ranges to chance.
pub const LEAST_FRAMES: usize = 16;

/// Frames whose pixels span less than this, of 255, are nearly of one brightness.
pub const LEAST_SPAN: u8 = 64;

/// A convolution whose largest magnitude is below this part of `sum |weight| * largest input` has hardly been driven.
/// Weights and inputs of random sign reach some `1 / sqrt(terms)` of it: 0.015 for 4,608 terms.
const HARDLY: f64 = 1e-3;

/// Values that are named in one sentence.
const NAMED: usize = 4;

/// A reason to doubt that ranges found by a calibration hold for other images.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Doubt {
    /// Few frames.
    Few {
        /// How many.
        frames: usize,
    },
    /// Half of the frames or more are copies of others.
    Repeated {
        /// Frames that differ.
        distinct: usize,
        /// All.
        frames: usize,
    },
    /// Half of the frames or more are of one colour each.
    Flat {
        /// How many.
        flat: usize,
        /// All.
        frames: usize,
    },
    /// The darkest and the brightest pixel of all frames are near each other.
    Dim {
        /// Darkest.
        darkest: u8,
        /// Brightest.
        brightest: u8,
    },
    /// Values that stayed zero, or hardly moved against what their weights allow.
    Still {
        /// Paths of the nodes.
        nodes: Vec<String>,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MEND: &str = "give images of all kinds that the network will see with --calibration, or train again with \
                            more of them";
        match self {
            Doubt::Few { frames } => {
                write!(formatter, "calibration saw {frames} frames, and ranges want {LEAST_FRAMES} or more: {MEND}")
            }
            Doubt::Repeated { distinct, frames } => {
                write!(formatter, "of {frames} calibration frames only {distinct} differ: {MEND}")
            }
            Doubt::Flat { flat, frames } => {
                write!(formatter, "{flat} of {frames} calibration frames are of one colour each: {MEND}")
            }
            Doubt::Dim { darkest, brightest } => write!(
                formatter,
                "all pixels of the calibration frames lie between {darkest} and {brightest} of 255: {MEND}"
            ),
            Doubt::Still { nodes } => {
                let named = nodes.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
                let others = match nodes.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                write!(
                    formatter,
                    "over all calibration frames {named}{others} stayed at zero or moved by less than their weights allow by \
                     far, so their ranges are guesses: {MEND}"
                )
            }
        }
    }
}

/// What is doubtful about frames, `[height, width, channels]` each, as they are.
pub fn doubts_of_frames(frames: &[Vec<u8>], channels: usize) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    if frames.len() < LEAST_FRAMES {
        doubts.push(Doubt::Few { frames: frames.len() });
    }
    let distinct = frames.iter().collect::<std::collections::HashSet<_>>().len();
    if frames.len() > 1 && 2 * distinct <= frames.len() {
        doubts.push(Doubt::Repeated { distinct, frames: frames.len() });
    }
    let is_flat = |frame: &&Vec<u8>| frame.chunks(channels.max(1)).all(|pixel| Some(pixel) == frame.get(..pixel.len()));
    let flat = frames.iter().filter(is_flat).count();
    if flat > 0 && 2 * flat >= frames.len() {
        doubts.push(Doubt::Flat { flat, frames: frames.len() });
    }
    let pixels = || frames.iter().flatten().copied();
    if let (Some(darkest), Some(brightest)) = (pixels().min(), pixels().max())
        && brightest - darkest < LEAST_SPAN
    {
        doubts.push(Doubt::Dim { darkest, brightest });
    }
    doubts
}

/// What is doubtful about the values that a calibration measured.
pub fn doubts_of_values(graph: &StepGraph, parameters: &Parameters<f32>, calibration: &Calibration) -> Option<Doubt> {
    let measured = |read: Read| -> &Histogram {
        match read {
            Read::Frame => &calibration.frame,
            Read::Node(NodeId(node)) => &calibration.nodes[node],
            Read::State(state) => &calibration.nodes[graph.states[state.0].next.0],
        }
    };
    let is_still = |index: &usize| {
        let node = &graph.nodes[*index];
        let found = calibration.nodes[*index].magnitude();
        let inputs = node.inputs.iter().map(|&read| measured(read).magnitude());
        let largest = inputs.clone().fold(0.0, f64::max);
        match &node.operation {
            Operation::Convolution(convolution) => {
                let weight = parameters.get(convolution.weight);
                let outputs = node.shape.channels.max(1);
                let sums = weight.chunks((weight.len() / outputs).max(1));
                let sum = sums.map(|weights| weights.iter().map(|&x| f64::from(x).abs()).sum()).fold(0.0, f64::max);
                found < HARDLY * sum * largest
            }
            // Zero though what it reads is not.
            Operation::Activation(_) | Operation::MaxPool(_) | Operation::GlobalAverage | Operation::Resize(_) => {
                found == 0.0 && largest > 0.0
            }
            Operation::Multiply => found == 0.0 && inputs.fold(f64::INFINITY, f64::min) > 0.0,
            // A sum may cancel, and constants are as they were trained.
            Operation::Add | Operation::Affine { .. } | Operation::BatchNorm(_) | Operation::Scale { .. } => false,
        }
    };
    let nodes: Vec<String> =
        (0..graph.nodes.len()).filter(is_still).map(|index| graph.nodes[index].name.clone()).collect();
    (!nodes.is_empty()).then_some(Doubt::Still { nodes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use convrnn_graph::{Presentation, Tensor};

    fn texture(frame: usize) -> Vec<u8> {
        (0..48usize).map(|place| ((place * 37 + frame * 91) % 256) as u8).collect()
    }

    #[test]
    fn good_frames_raise_no_doubt_and_each_kind_of_bad_ones_its_own() {
        let good: Vec<Vec<u8>> = (0..20).map(texture).collect();
        assert_eq!(doubts_of_frames(&good, 3), []);
        assert_eq!(doubts_of_frames(&good[..5], 3), [Doubt::Few { frames: 5 }]);
        let same = vec![texture(1); 20];
        assert_eq!(doubts_of_frames(&same, 3), [Doubt::Repeated { distinct: 1, frames: 20 }]);
        let flat: Vec<Vec<u8>> = (0..20u8).map(|level| [level * 12, 7, 255 - level].repeat(16)).collect();
        assert_eq!(doubts_of_frames(&flat, 3), [Doubt::Flat { flat: 20, frames: 20 }]);
        let dim: Vec<Vec<u8>> = good.iter().map(|frame| frame.iter().map(|pixel| 100 + pixel / 8).collect()).collect();
        assert_eq!(doubts_of_frames(&dim, 3), [Doubt::Dim { darkest: 100, brightest: 131 }]);
        let black = doubts_of_frames(&vec![vec![0; 48]; 32], 3);
        let expected = [
            Doubt::Repeated { distinct: 1, frames: 32 },
            Doubt::Flat { flat: 32, frames: 32 },
            Doubt::Dim { darkest: 0, brightest: 0 },
        ];
        assert_eq!(black, expected);
        assert!(black[2].to_string().contains("--calibration"), "{}", black[2]);
    }

    #[test]
    fn values_that_no_frame_drives_are_named() {
        let architecture = crate::catalogue::find("ff-28").unwrap();
        let graph = architecture.lower().unwrap();
        let weights = |scale: f32| {
            let tensor = |parameter: &convrnn_graph::Parameter| {
                let bias = parameter.name.ends_with("bias");
                let value = |index: usize| if bias { 0.1 } else { scale * ((index * 7 % 11) as f32 / 11.0 - 0.4) };
                (0..parameter.elements()).map(value).collect()
            };
            Parameters { values: graph.parameters.iter().map(tensor).collect() }
        };
        let parameters = weights(0.2);
        let images = |scale: f64| {
            let image = |seed: usize| {
                let value = |place: usize| scale * (((place * 31 + seed * 17) % 64) as f64 / 32.0 - 1.0);
                Tensor::new(graph.frame, (0..graph.frame.elements()).map(value).collect())
            };
            (0..3).map(image).collect::<Vec<_>>()
        };
        let measure = |parameters: &Parameters<f32>, scale: f64| {
            let presentation = Presentation::held(6);
            Calibration::of_images(&graph, parameters, &presentation, &images(scale)).unwrap()
        };
        assert_eq!(doubts_of_values(&graph, &parameters, &measure(&parameters, 1.0)), None);
        // Layer 1's relu, or elu, is shut by its bias.
        let mut shut = parameters.clone();
        let name = graph.nodes.iter().find(|node| node.operation.kind() == "convolution").unwrap().name.clone();
        let bias = graph.parameter_named(&format!("{name}.bias")).unwrap();
        shut.values[bias.0].fill(0.0);
        shut.values[graph.parameter_named(&format!("{name}.weight")).unwrap().0].iter_mut().for_each(|x| *x *= 1e-30);
        let found = doubts_of_values(&graph, &shut, &measure(&shut, 1.0));
        assert_eq!(found, None, "what weights do not allow is not missing: {found:?}");
        let still = measure(&parameters, 1.0);
        let mut nothing = still.clone();
        let convolution = graph.node_named(&name).unwrap().0;
        nothing.nodes[convolution] = Histogram::new(graph.nodes[convolution].shape.channels);
        assert!(nothing.nodes[convolution].add(&vec![1e-6; graph.nodes[convolution].shape.elements()]));
        let Some(Doubt::Still { nodes }) = doubts_of_values(&graph, &parameters, &nothing) else { panic!("no doubt") };
        assert_eq!(nodes, [name]);
    }
}
