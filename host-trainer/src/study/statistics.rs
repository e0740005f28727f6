//! Means, intervals and paired differences over seeds.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Share of intervals that hold the true mean, were the values normal.
pub const COVERAGE: f64 = 0.95;

/// What some values say about their mean.
///
/// ```text
/// interval = mean ± t(n - 1) * deviation / sqrt(n)
/// ```
///
/// with t the quantile of Student's distribution of n - 1 degrees of freedom that leaves 2.5 % on each side.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Number of values.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Standard deviation with n - 1 in the denominator; none of one value.
    pub deviation: Option<f64>,
    /// Ends of the interval of 95 %; none of one value.
    pub interval: Option<(f64, f64)>,
}

impl Estimate {
    /// None of no value.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let freedom = count as f64 - 1.0;
        let deviation = (count > 1).then(|| (squares / freedom).sqrt());
        let interval = deviation.map(|deviation| {
            let half = t_quantile(freedom) * deviation / (count as f64).sqrt();
            (mean - half, mean + half)
        });
        Some(Self { count, mean, deviation, interval })
    }
}

fn t_quantile(freedom: f64) -> f64 {
    let distribution = StudentsT::new(0.0, 1.0, freedom).expect("one degree of freedom or more");
    distribution.inverse_cdf(0.5 + 0.5 * COVERAGE)
}

/// Values of `left` minus those of `right` at the same seed; seeds that one of them lacks are left out.
pub fn paired_differences(left: &[(u64, f64)], right: &[(u64, f64)]) -> Vec<f64> {
    let other = |seed| right.iter().find(|(candidate, _)| *candidate == seed);
    left.iter().filter_map(|&(seed, value)| other(seed).map(|(_, other)| value - other)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_values_by_hand() {
        // Mean 3, squares 4 + 1 + 0 + 1 + 4 = 10, variance 2.5; t of 4 degrees of freedom is 2.7764451.
        let estimate = Estimate::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!((estimate.count, estimate.mean, estimate.deviation), (5, 3.0, Some(2.5f64.sqrt())));
        let (low, high) = estimate.interval.unwrap();
        let half = 2.776_445_1 * (2.5f64 / 5.0).sqrt();
        assert!((low - (3.0 - half)).abs() < 1e-6 && (high - (3.0 + half)).abs() < 1e-6, "{low} {high}");
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (freedom, expected) in [(1.0, 12.706_205), (2.0, 4.302_653), (9.0, 2.262_157), (30.0, 2.042_272)] {
            assert!((t_quantile(freedom) - expected).abs() < 1e-5, "{freedom}: {}", t_quantile(freedom));
        }
    }

    #[test]
    fn one_value_has_no_interval_and_none_no_mean() {
        let one = Estimate::of(&[0.5]).unwrap();
        assert_eq!((one.mean, one.deviation, one.interval), (0.5, None, None));
        assert_eq!(Estimate::of(&[]), None);
        let equal = Estimate::of(&[0.25, 0.25]).unwrap();
        assert_eq!((equal.deviation, equal.interval), (Some(0.0), Some((0.25, 0.25))));
    }

    #[test]
    fn pairs_are_by_seed_not_by_place() {
        let left = [(1, 0.5), (2, 0.75), (4, 1.0)];
        let right = [(2, 0.25), (1, 0.5), (3, 0.0)];
        assert_eq!(paired_differences(&left, &right), [0.0, 0.5]);
    }
}
