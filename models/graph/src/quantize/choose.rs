//! Choices by measured error: which rule finds each range, and whether biases are corrected.

use super::calibrate::Calibration;
use super::convert::{PixelScale, QuantizeOptions, Quantized, quantize};
use super::error::QuantizeError;
use super::interpreter::IntegerInterpreter;
use super::range::RangeRule;
use super::types::Element;
use crate::graph::StepGraph;
use crate::parameters::Parameters;
use crate::reference::Interpreter;
use crate::tensor::Tensor;
use rayon::prelude::*;
use std::fmt;

/// A choice must lower the squared error by this share, or what was chosen before stays: less is chance.
const LEAST_GAIN: f64 = 0.01;

/// What there is to choose from. The first of each is what a choice must better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates {
    /// Rules for i8 ranges; with more than one, each value gets its own.
    pub ranges: Vec<RangeRule>,
    /// Whether biases are corrected.
    pub correct_bias: Vec<bool>,
}

impl Default for Candidates {
    fn default() -> Self {
        Self {
            ranges: vec![RangeRule::LeastError, RangeRule::Percentile, RangeRule::MinMax],
            correct_bias: vec![false, true],
        }
    }
}

/// One way to quantise and what it costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// What was tried, for instance "min-max, biases corrected".
    pub what: String,
    /// Error of the logits relative to their size, root mean square over all sequences and steps.
    pub error: f64,
    /// Whether it was the best so far.
    pub is_kept: bool,
}

/// A quantised graph, how it was made, and what else was tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// The graph of the smallest error.
    pub quantized: Quantized,
    /// The options that give it.
    pub options: QuantizeOptions,
    /// In order.
    pub trials: Vec<Trial>,
}

/// Quantises with the options that leave the logits nearest to those of the float graph, on sequences of frames that each
/// begin with all states zero: first one rule for all ranges and biases corrected or not, then each i8 value by itself.
pub fn quantize_by_error(
    graph: &StepGraph,
    parameters: &Parameters<f32>,
    calibration: &Calibration,
    sequences: &[Vec<&Tensor>],
    pixels: PixelScale<'_>,
    candidates: &Candidates,
) -> Result<Chosen, QuantizeError> {
    let reference = Reference::new(graph, parameters, sequences);
    let attempt = |options: &QuantizeOptions| -> Result<(Quantized, f64), QuantizeError> {
        let quantized = quantize(graph, parameters, calibration, pixels, options)?;
        let error = reference.error(&quantized, sequences);
        Ok((quantized, error))
    };
    let ways =
        candidates.ranges.iter().flat_map(|&range| candidates.correct_bias.iter().map(move |&bias| (range, bias)));
    let mut ways = ways.map(|(range, correct_bias)| {
        (name(range, correct_bias), QuantizeOptions { range, correct_bias, ..QuantizeOptions::default() })
    });
    let (what, options) = ways.next().unwrap_or_else(|| ("as it is".to_owned(), QuantizeOptions::default()));
    let (quantized, least) = attempt(&options)?;
    let trials = vec![Trial { what, error: least, is_kept: true }];
    let mut search = Search { attempt: &attempt, chosen: Chosen { quantized, options, trials }, least };
    for (what, options) in ways {
        search.consider(what, options)?;
    }
    let narrow = search.chosen.quantized.types.values.iter().filter(|value| value.element == Element::I8);
    let narrow: Vec<String> = narrow.map(|value| value.name.clone()).collect();
    for value in narrow {
        let usual = search.chosen.options.range;
        for &rule in candidates.ranges.iter().filter(|&&rule| rule != usual) {
            let mut tried = search.chosen.options.clone();
            tried.exceptions.insert(value.clone(), rule);
            search.consider(format!("{value}: {}", rule.name()), tried)?;
        }
    }
    Ok(search.chosen)
}

fn name(range: RangeRule, correct_bias: bool) -> String {
    format!("{}, biases {}", range.name(), if correct_bias { "corrected" } else { "as they are" })
}

/// Quantises and says how far the answers are off.
type Attempt<'a> = dyn Fn(&QuantizeOptions) -> Result<(Quantized, f64), QuantizeError> + 'a;

struct Search<'a> {
    attempt: &'a Attempt<'a>,
    chosen: Chosen,
    least: f64,
}

impl Search<'_> {
    fn consider(&mut self, what: String, options: QuantizeOptions) -> Result<(), QuantizeError> {
        let (quantized, error) = (self.attempt)(&options)?;
        let is_kept = error * error < self.least * self.least * (1.0 - LEAST_GAIN);
        self.chosen.trials.push(Trial { what, error, is_kept });
        if is_kept {
            self.least = error;
            self.chosen.quantized = quantized;
            self.chosen.options = options;
        }
        Ok(())
    }
}

/// What the float graph answers.
struct Reference {
    /// By sequence and step.
    logits: Vec<Vec<Vec<f64>>>,
    /// Sum of the squares of all of them.
    signal: f64,
}

impl Reference {
    fn new(graph: &StepGraph, parameters: &Parameters<f32>, sequences: &[Vec<&Tensor>]) -> Self {
        let values = parameters.to_f64();
        let run = |sequence: &Vec<&Tensor>| -> Vec<Vec<f64>> {
            let mut interpreter = Interpreter::new(graph, &values);
            sequence.iter().map(|frame| interpreter.step(frame).swap_remove(graph.logits.0).values).collect()
        };
        let logits: Vec<Vec<Vec<f64>>> = sequences.par_iter().map(run).collect();
        let signal = logits.iter().flatten().flatten().map(|x| x * x).sum();
        Self { logits, signal }
    }

    /// Root of the sum of squared differences over the sum of squares.
    fn error(&self, quantized: &Quantized, sequences: &[Vec<&Tensor>]) -> f64 {
        let graph = &quantized.graph;
        let kind = graph.nodes[graph.logits.0].output;
        let run = |(sequence, expected): (&Vec<&Tensor>, &Vec<Vec<f64>>)| -> f64 {
            let mut interpreter = IntegerInterpreter::new(graph);
            let steps = sequence.iter().zip(expected).map(|(frame, expected)| {
                let frame: Vec<i8> = frame.values.iter().map(|&x| graph.frame.quantize(x) as i8).collect();
                let found = interpreter.step(&frame).swap_remove(graph.logits.0);
                let differences = found.values.iter().zip(expected).map(|(&y, x)| (kind.dequantize(y) - x).powi(2));
                differences.sum::<f64>()
            });
            steps.sum()
        };
        // By sequence first, so that the sum does not depend on the number of threads.
        let noise: Vec<f64> = sequences.par_iter().zip(&self.logits).map(run).collect();
        (noise.iter().sum::<f64>() / self.signal.max(f64::MIN_POSITIVE)).sqrt()
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.trials.iter().map(|trial| trial.what.len()).max().unwrap_or(0);
        writeln!(formatter, "{:width$}  error of the logits", "tried")?;
        for (index, trial) in self.trials.iter().enumerate() {
            let kept = if trial.is_kept { "  kept" } else { "" };
            let end = if index + 1 == self.trials.len() { "" } else { "\n" };
            write!(formatter, "{:width$}  {:10.4} %{kept}{end}", trial.what, 100.0 * trial.error)?;
        }
        Ok(())
    }
}
