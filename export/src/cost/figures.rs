//! What each term of a prediction costs on a processor, as measured.

use super::counts::Counts;
use super::{CostError, Processor};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Instructions of one of each term, by family: [`Counts::family`], [`Counts::terms`].
pub(super) type Families = BTreeMap<String, BTreeMap<String, f64>>;

/// The figures of a processor. `cargo xtask bench cost --calibrate` measures them and writes the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Figures {
    /// Predictions are this much larger than what the terms add up to, so that what was not measured stays below them.
    pub margin: f64,
    /// Bytes of flash that the runtime takes in the firmware that streams the demo network, beside the program.
    pub code_bytes: u64,
    /// Bytes of stack that it takes there at most.
    pub stack_bytes: u64,
    /// By family.
    pub families: Families,
    /// By family, of those that were measured for few shapes.
    #[serde(default)]
    pub few: Families,
}

/// Ends the name of a family of convolutions that share their windows; the rest is that of the same ones without siblings.
pub(super) const WITH_SIBLINGS: &str = " with siblings";

/// A number of instructions, and whether it rests on figures of the operation's own family.
pub(super) struct Predicted {
    pub instructions: u64,
    pub is_measured: bool,
}

impl Figures {
    /// The figures of a processor.
    pub fn of(processor: Processor) -> Result<Self, CostError> {
        let text = match processor {
            Processor::CortexM4 => include_str!("cortex-m4.toml"),
            Processor::CortexM55 => include_str!("cortex-m55.toml"),
        };
        toml::from_str(text).map_err(|error| CostError::Figures { processor, message: error.to_string() })
    }

    /// What the counts of an operation of a kind cost. An elementwise operation whose types were never measured costs what
    /// the dearest of its kind does; a convolution that takes a way that was never measured has no prediction.
    pub fn predict(&self, kind: &str, counts: &Counts) -> Option<Predicted> {
        let own = self.families.get(&counts.family).and_then(|costs| sum(costs, counts));
        if let Some(sum) = own {
            return Some(Predicted { instructions: self.with_margin(sum), is_measured: true });
        }
        let few = match counts.family.strip_suffix(WITH_SIBLINGS) {
            // What was seen with no siblings yet costs what it does without them.
            Some(alone) => {
                let mut costs = self.families.get(alone)?.clone();
                costs.extend(self.families.get(&counts.family)?.clone());
                sum(&costs, counts)
            }
            None => self.few.get(&counts.family).and_then(|costs| sum(costs, counts)),
        };
        if kind == super::CONVOLUTION {
            return few.map(|sum| Predicted { instructions: self.with_margin(sum), is_measured: false });
        }
        let of_kind = |family: &str| family.strip_prefix(kind).is_some_and(|rest| rest.starts_with(' '));
        let others = self.families.iter().filter(|(family, _)| of_kind(family));
        let dearest = others.filter_map(|(_, costs)| sum(costs, counts)).chain(few).max_by(f64::total_cmp)?;
        Some(Predicted { instructions: self.with_margin(dearest), is_measured: false })
    }

    fn with_margin(&self, sum: f64) -> u64 {
        (sum * self.margin).ceil() as u64
    }
}

/// None where a term is counted that was never seen.
fn sum(costs: &BTreeMap<String, f64>, counts: &Counts) -> Option<f64> {
    counts.terms.iter().map(|(&term, &count)| Some(costs.get(term)? * count as f64)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Figures {
        let text = r#"
            margin = 1.5
            code_bytes = 1
            stack_bytes = 1
            [families]
            "add i8 i8 i8" = { calls = 10.0, elements = 2.0 }
            "add i16 i16 i16" = { calls = 20.0, elements = 1.0 }
            "convolution of large windows" = { calls = 10.0, elements = 1.0 }
            "convolution" = { calls = 10.0, "odd values" = 5.0, tiles = 1.0 }
            "convolution with siblings" = { calls = 12.0, siblings = 3.0, tiles = 1.0 }
            "added" = { calls = 1000.0, elements = 1.0 }
            [few]
            "convolution of another kind" = { calls = 10.0, elements = 2.0 }
            "add i8 i8 i16" = { calls = 10.0, elements = 1.0 }
        "#;
        toml::from_str(text).expect("figures")
    }

    fn counts(family: &str, elements: usize) -> Counts {
        let mut counts = Counts::new(family);
        counts.add("elements", elements);
        counts
    }

    #[test]
    fn a_prediction_is_the_sum_of_its_terms_and_the_margin() {
        let found = figures().predict("add", &counts("add i8 i8 i8", 5)).expect("a known family");
        assert_eq!((found.instructions, found.is_measured), (30, true));
    }

    #[test]
    fn types_that_were_not_measured_cost_as_the_dearest_and_say_so() {
        let found = figures().predict("add", &counts("add i8 i16 i8", 5)).expect("a known kind");
        assert_eq!((found.instructions, found.is_measured), (38, false));
        let found = figures().predict("add", &counts("add i8 i16 i8", 50)).expect("a known kind");
        assert_eq!(found.instructions, 165);
    }

    #[test]
    fn a_term_or_a_kind_that_nobody_knows_has_no_prediction() {
        let mut odd = counts("add i8 i8 i8", 5);
        odd.add("never seen", 1);
        assert!(figures().predict("add", &odd).is_none());
        assert!(figures().predict("multiply", &counts("multiply i8 i8 i8", 1)).is_none());
        assert!(figures().predict("convolution", &counts("convolution of other weights", 1)).is_none());
    }

    #[test]
    fn what_was_measured_for_few_shapes_is_predicted_and_not_promised() {
        let found = figures().predict("convolution", &counts("convolution of another kind", 5)).expect("a few samples");
        assert_eq!((found.instructions, found.is_measured), (30, false));
        // Never below the dearest of its kind.
        let found = figures().predict("add", &counts("add i8 i8 i16", 5)).expect("a few samples");
        assert_eq!((found.instructions, found.is_measured), (38, false));
    }

    #[test]
    fn what_was_not_seen_with_siblings_costs_what_it_does_alone() {
        let mut counts = Counts::new("convolution with siblings");
        counts.add("siblings", 2);
        counts.add("tiles", 4);
        let found = figures().predict("convolution", &counts).expect("a known family");
        assert_eq!((found.instructions, found.is_measured), (33, true));
        counts.add("odd values", 2);
        let found = figures().predict("convolution", &counts).expect("a family that is known alone");
        assert_eq!((found.instructions, found.is_measured), (48, false));
        counts.add("never seen", 1);
        assert!(figures().predict("convolution", &counts).is_none());
    }

    #[test]
    fn the_figures_of_every_processor_can_be_read() {
        for processor in Processor::ALL {
            let figures = Figures::of(processor).expect("figures");
            assert!(figures.margin >= 1.0 && figures.families.contains_key("session"), "{processor:?}");
            let all = figures.families.values().flat_map(BTreeMap::values);
            assert!(all.clone().all(|&cost| cost >= 0.0) && all.count() > 50, "{processor:?}");
        }
    }
}
