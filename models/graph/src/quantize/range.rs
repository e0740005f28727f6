//! From a measured distribution to an integer type.

use super::histogram::Histogram;
use super::types::{Element, QuantizedType};
use crate::shape::Shape;
use serde::{Deserialize, Serialize};

/// Range given to a value that is zero over the whole calibration: nothing is known but that it may
/// be of the order of one.
const UNKNOWN: f64 = 1.0;

/// Steps of the search along each end of the range, each this share of the measured end.
const SEARCH_STEPS: usize = 40;
const SEARCH_STEP: f64 = 0.02;

/// Shares of the values that [`RangeRule::Percentile`] considers keeping.
const SHARES: [f64; 2] = [0.9999, 0.999];

/// How an i8 range is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RangeRule {
    /// The smallest and largest value measured.
    MinMax,
    /// The range that holds 99.99 % of the values, or 99.9 % where that has the smaller mean squared error.
    Percentile,
    /// Of smallest and largest value, quantiles (99.99 % and 99.9 % of the values) and a search from
    /// the best of these over both ends, the range of the smallest mean squared error.
    #[default]
    LeastError,
}

impl RangeRule {
    /// All of them.
    pub const ALL: [RangeRule; 3] = [RangeRule::MinMax, RangeRule::Percentile, RangeRule::LeastError];

    /// The name used in options and reports.
    pub fn name(self) -> &'static str {
        match self {
            RangeRule::MinMax => "min-max",
            RangeRule::Percentile => "percentile",
            RangeRule::LeastError => "least-error",
        }
    }
}

/// Zero point 0, the measured magnitude times `headroom` at the last integer.
pub fn wide(shape: Shape, histogram: &Histogram, headroom: f64) -> QuantizedType {
    let magnitude = match histogram.magnitude() {
        0.0 => UNKNOWN,
        magnitude => magnitude * headroom,
    };
    QuantizedType { shape, element: Element::I16, scale: magnitude / 32767.0, zero_point: 0 }
}

/// The i8 type for a distribution.
pub fn narrow(shape: Shape, histogram: &Histogram, rule: RangeRule) -> QuantizedType {
    if histogram.magnitude() == 0.0 {
        return from_ends(shape, 0.0, UNKNOWN);
    }
    // Zero is always in the range: padding and blank states are real zeros.
    let (low, high) = (histogram.smallest.min(0.0), histogram.largest.max(0.0));
    let mut search = Search::new(shape, histogram, low, high);
    match rule {
        RangeRule::MinMax => return from_ends(shape, low, high),
        RangeRule::Percentile => {
            search.least = f64::INFINITY;
            search.quantiles();
        }
        RangeRule::LeastError => {
            search.quantiles();
            search.ends();
        }
    }
    from_ends(shape, search.best.0, search.best.1)
}

/// The type whose integers -128 to 127 span `low` to `high`, zero being one of them.
pub fn from_ends(shape: Shape, low: f64, high: f64) -> QuantizedType {
    let (low, high) = (low.min(0.0), high.max(0.0));
    let scale = ((high - low) / 255.0).max(f64::MIN_POSITIVE);
    let zero_point = (-128.0 - low / scale).round().clamp(-128.0, 127.0) as i32;
    QuantizedType { shape, element: Element::I8, scale, zero_point }
}

/// A search for the range of the smallest squared error.
struct Search<'h> {
    shape: Shape,
    histogram: &'h Histogram,
    bins: Vec<(f64, u64)>,
    /// What was measured.
    measured: (f64, f64),
    best: (f64, f64),
    least: f64,
}

impl<'h> Search<'h> {
    fn new(shape: Shape, histogram: &'h Histogram, low: f64, high: f64) -> Self {
        let bins: Vec<(f64, u64)> = histogram.centres().collect();
        let least = squared_error(&from_ends(shape, low, high), &bins);
        Self { shape, histogram, bins, measured: (low, high), best: (low, high), least }
    }

    fn consider(&mut self, candidate: (f64, f64)) {
        let error = squared_error(&from_ends(self.shape, candidate.0, candidate.1), &self.bins);
        if candidate.1 > candidate.0 && error < self.least {
            (self.least, self.best) = (error, candidate);
        }
    }

    fn quantiles(&mut self) {
        let (low, high) = self.measured;
        for share in SHARES {
            let ends = (self.histogram.quantile(1.0 - share), self.histogram.quantile(share));
            self.consider((ends.0.clamp(low, 0.0), ends.1.clamp(0.0, high)));
        }
    }

    /// One end after the other, twice.
    fn ends(&mut self) {
        let (low, high) = self.measured;
        for _ in 0..2 {
            for step in 0..SEARCH_STEPS {
                self.consider((self.best.0, high * (1.0 - SEARCH_STEP * step as f64)));
            }
            for step in 0..SEARCH_STEPS {
                self.consider((low * (1.0 - SEARCH_STEP * step as f64), self.best.1));
            }
        }
    }
}

fn squared_error(kind: &QuantizedType, bins: &[(f64, u64)]) -> f64 {
    let error = |x: f64| kind.dequantize(kind.quantize(x)) - x;
    bins.iter().map(|&(centre, count)| error(centre).powi(2) * count as f64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape::new(1, 1, 1);

    fn measured(values: &[f64]) -> Histogram {
        let mut histogram = Histogram::new(1);
        assert!(histogram.add(values));
        histogram
    }

    #[test]
    fn zero_is_an_integer_and_nothing_is_lost_beyond_half_a_step() {
        for values in [&[0.3, 0.7][..], &[-2.0, -1.0], &[-0.1, 5.0], &[0.0, 0.0], &[1e-30, 2e-30]] {
            let kind = narrow(SHAPE, &measured(values), RangeRule::MinMax);
            assert!(kind.scale > 0.0 && (-128..=127).contains(&kind.zero_point), "{kind:?}");
            assert_eq!(kind.dequantize(kind.quantize(0.0)), 0.0);
            for &x in values {
                assert!((kind.dequantize(kind.quantize(x)) - x).abs() <= 1.01 * kind.scale, "{x} in {kind:?}");
            }
        }
    }

    #[test]
    fn an_outlier_is_clipped_where_that_lowers_the_error() {
        let mut values: Vec<f64> = (0..100_000).map(|index| f64::from(index % 1000) / 1000.0).collect();
        values.push(8.0);
        let histogram = measured(&values);
        let bins: Vec<(f64, u64)> = histogram.centres().collect();
        let (plain, searched) =
            (narrow(SHAPE, &histogram, RangeRule::MinMax), narrow(SHAPE, &histogram, RangeRule::LeastError));
        assert!(squared_error(&searched, &bins) < 0.9 * squared_error(&plain, &bins));
        assert!(searched.scale < plain.scale);
        let percentile = narrow(SHAPE, &histogram, RangeRule::Percentile);
        assert!(percentile.scale < 0.2 * plain.scale, "{percentile:?}");
        assert!(squared_error(&searched, &bins) <= squared_error(&percentile, &bins));
    }

    #[test]
    fn i16_keeps_headroom() {
        let kind = wide(SHAPE, &measured(&[-3.0, 2.0]), 1.25);
        assert_eq!((kind.zero_point, kind.quantize(-3.75), kind.quantize(-100.0)), (0, -32767, -32768));
    }
}
