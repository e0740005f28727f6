//! Where an axis has its ticks, and what they say.

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::Ranged;
use std::ops::Range;

/// Ticks at round numbers, labelled with as many decimals as their distance needs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ticks {
    /// Ascending.
    pub values: Vec<f64>,
    /// Digits after the point of every label.
    decimals: usize,
    /// What labels are divided by.
    unit: f64,
    /// What stands behind each label.
    suffix: &'static str,
}

impl Ticks {
    /// At most `most` ticks from `low` to `high`: multiples of 1, 2 or 5 times a power of ten.
    pub(super) fn new(low: f64, high: f64, most: usize) -> Self {
        let steps = (-300..300).flat_map(|power| [1.0, 2.0, 5.0].map(|factor| factor * 10f64.powi(power)));
        let is_sparse = |step: f64| (high / step).floor() - (low / step).ceil() < most.max(1) as f64;
        let step = steps.skip_while(|&step| step < (high - low) / 1e3).find(|&step| is_sparse(step)).unwrap_or(1.0);
        let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
        let values = (first..=last).map(|number| number as f64 * step).collect();
        let largest = low.abs().max(high.abs());
        Self { values, decimals: decimals(step), unit: 1.0, suffix: "" }.scaled(largest, step)
    }

    /// The same at whole numbers.
    pub(super) fn whole(first: usize, last: usize, most: usize) -> Self {
        let span = (last - first) as f64;
        match span < most as f64 {
            true => Self { values: (first..=last).map(|at| at as f64).collect(), decimals: 0, unit: 1.0, suffix: "" },
            false => Self::new(first as f64, last as f64, most),
        }
    }

    /// Ticks of a logarithmic axis: 1, 2 and 5 times the powers of ten, more of them within one decade, the powers alone of many
    /// decades, and as on a linear axis of a small part of one.
    pub(super) fn logarithmic(low: f64, high: f64) -> Self {
        if high / low < 4.0 {
            return Self::new(low, high, 7);
        }
        let factors: &[f64] = match high / low {
            ratio if ratio < 10.0 => &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0],
            ratio if ratio < 1e4 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
        let values = powers.flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)));
        let values = values.filter(|value| (low..=high).contains(value)).collect();
        Self { values, decimals: 0, unit: 0.0, suffix: "" }
    }

    /// Thousands and millions with their letter, where every label then gets shorter.
    fn scaled(self, largest: f64, step: f64) -> Self {
        let (unit, suffix) = match largest {
            _ if largest >= 1e6 => (1e6, " M"),
            _ if largest >= 1e4 => (1e3, " k"),
            _ => return self,
        };
        Self { unit, suffix, decimals: decimals(step / unit), ..self }
    }

    /// What stands at a tick.
    pub(super) fn label(&self, value: f64) -> String {
        if self.unit == 0.0 {
            return short(value);
        }
        // No minus before zero.
        let value = if value == 0.0 { 0.0 } else { value / self.unit };
        let is_extreme = self.decimals > 6 || value.abs() >= 1e9;
        if is_extreme { format!("{value:e}") } else { format!("{value:.*}{}", self.decimals, self.suffix) }
    }
}

/// A linear axis with its ticks; plotters formats no axis of f64 that has ticks of its own.
pub(super) struct Scale {
    /// From one end to the other.
    pub range: Range<f64>,
    /// Where ticks are.
    pub ticks: Vec<f64>,
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range.clone()).map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // Light points are those between ticks.
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

/// Digits after the point that multiples of a step need.
fn decimals(step: f64) -> usize {
    // The logarithm of a power of ten may lie just below its whole number.
    (-(step.log10() + 1e-9).floor()).max(0.0) as usize
}

/// 43100 as 43.1 k, 2500000 as 2.5 M.
fn short(value: f64) -> String {
    let (value, unit) = match value {
        _ if value >= 1e6 => (value / 1e6, " M"),
        _ if value >= 1e3 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let text = format!("{value:.1}");
    format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &Ticks) -> Vec<String> {
        ticks.values.iter().map(|&value| ticks.label(value)).collect()
    }

    #[test]
    fn labels_have_the_decimals_that_their_distance_needs() {
        for (low, high, most, expected) in [
            (-3.0, 103.0, 10, vec!["0", "20", "40", "60", "80", "100"]),
            (0.1, 0.9, 8, vec!["0.2", "0.4", "0.6", "0.8"]),
            (0.93, 2.1, 8, vec!["1.0", "1.2", "1.4", "1.6", "1.8", "2.0"]),
            (-0.031, 0.031, 8, vec!["-0.03", "-0.02", "-0.01", "0.00", "0.01", "0.02", "0.03"]),
            (54.2, 62.9, 10, vec!["55", "56", "57", "58", "59", "60", "61", "62"]),
            (10_900.0, 13_100.0, 7, vec!["11.0 k", "11.5 k", "12.0 k", "12.5 k", "13.0 k"]),
            (0.0, 4e12, 4, vec!["0 M", "2000000 M", "4000000 M"]),
        ] {
            let ticks = Ticks::new(low, high, most);
            assert_eq!(labels(&ticks), expected, "{low} to {high}");
            assert!(ticks.values.len() <= most);
        }
    }

    #[test]
    fn steps_and_epochs_are_whole_numbers() {
        assert_eq!(labels(&Ticks::whole(1, 8, 16)), ["1", "2", "3", "4", "5", "6", "7", "8"]);
        assert_eq!(labels(&Ticks::whole(1, 1, 16)), ["1"]);
        assert_eq!(labels(&Ticks::whole(1, 90, 10)), ["10", "20", "30", "40", "50", "60", "70", "80", "90"]);
    }

    #[test]
    fn logarithmic_ticks_are_round_and_within_the_range() {
        assert_eq!(Ticks::logarithmic(9e3, 2e5).values, [1e4, 2e4, 5e4, 1e5, 2e5]);
        assert_eq!(
            labels(&Ticks::logarithmic(9e3, 2e7)),
            ["10 k", "20 k", "50 k", "100 k", "200 k", "500 k", "1 M", "2 M", "5 M", "10 M", "20 M"]
        );
        assert_eq!(labels(&Ticks::logarithmic(1.1e4, 6.4e4)), ["15 k", "20 k", "30 k", "50 k"]);
        assert_eq!(Ticks::logarithmic(1e2, 1e8).values, [1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8]);
        assert_eq!([short(43_100.0), short(2e6), short(500.0)], ["43.1 k", "2 M", "500"]);
        assert!(Ticks::logarithmic(36_000.0, 37_000.0).values.len() >= 4);
    }
}
