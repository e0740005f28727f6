//! Means, intervals and paired differences over seeds.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Share of intervals that hold the true mean, were the values normal on the scale of log-odds.
pub const COVERAGE: f64 = 0.95;

/// What some values say about their mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Number of values.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Standard deviation with n - 1 in the denominator; none of one value.
    pub deviation: Option<f64>,
    /// Ends of the interval of 95 %; none of one value, nor of equal ones.
    pub interval: Option<(f64, f64)>,
}

impl Estimate {
    /// Of values between `limits`, such as proportions (0 and 1) or differences of proportions (-1 and 1); none of no value.
    ///
    /// The interval is Student's on the scale of log-odds, and so never leaves the limits:
    ///
    /// ```text
    /// p = (mean - low) / (high - low)              s = deviation / sqrt(n) / (high - low)
    /// logit(p) ± t(n - 1) * s / (p (1 - p))        logit(p) = ln(p / (1 - p)); both ends transformed back
    /// ```
    ///
    /// with t the quantile of Student's distribution of n - 1 degrees of freedom that leaves 2.5 % on each side, and the
    /// standard error carried over by the delta method. Where it is small beside the distance of the mean from the limits,
    /// this is `mean ± t(n - 1) * deviation / sqrt(n)`. Equal values have none: a
    /// few runs that happen to agree do not say how far others would lie.
    ///
    /// E. L. Korn and B. I. Graubard, Confidence intervals for proportions with small expected number of positive counts
    /// estimated from survey data, Survey Methodology 24 (1998) 193-201; method "logit" of `svyciprop` in R's `survey`.
    pub fn of(values: &[f64], limits: (f64, f64)) -> Option<Self> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let freedom = count as f64 - 1.0;
        let deviation = (count > 1).then(|| (squares / freedom).sqrt());
        // By the values themselves: their mean, and so the deviation, may be off by a rounding.
        let is_spread = values.iter().any(|&value| value != values[0]);
        let interval = deviation.filter(|_| is_spread).and_then(|deviation| {
            let width = limits.1 - limits.0;
            let share = (mean - limits.0) / width;
            let variance = share * (1.0 - share);
            // Values that differ from a limit by less than the mean can show.
            if variance <= 0.0 {
                return None;
            }
            let half = t_quantile(freedom) * deviation / (count as f64).sqrt() / width / variance;
            let centre = (share / (1.0 - share)).ln();
            let back = |odds: f64| limits.0 + width / (1.0 + (-odds).exp());
            Some((back(centre - half), back(centre + half)))
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
    fn four_proportions_by_hand() {
        // Mean 0.9, deviation sqrt(0.0008 / 3) = 0.01632993, standard error 0.008164966, t of 3 degrees of freedom 3.182446.
        let estimate = Estimate::of(&[0.88, 0.92, 0.9, 0.9], (0.0, 1.0)).unwrap();
        assert_eq!(estimate.count, 4);
        assert!((estimate.mean - 0.9).abs() < 1e-12 && (estimate.deviation.unwrap() - 0.016_329_93).abs() < 1e-8);
        // Log-odds 2.1972246 ± 3.182446 * 0.008164966 / 0.09 = 2.1972246 ± 0.2887174.
        let (low, high) = estimate.interval.unwrap();
        let back = |odds: f64| 1.0 / (1.0 + f64::exp(-odds));
        assert!((low - back(2.197_224_6 - 0.288_717_4)).abs() < 1e-6, "{low}");
        assert!((high - back(2.197_224_6 + 0.288_717_4)).abs() < 1e-6, "{high}");
        assert!((low - 0.870_851).abs() < 1e-6 && (high - 0.923_150).abs() < 1e-6, "{low} {high}");
    }

    #[test]
    fn intervals_stay_within_the_limits_and_hold_the_mean() {
        for values in [vec![0.99, 1.0], vec![0.0, 1.0], vec![0.9, 1.0, 1.0], vec![0.0, 0.01], vec![1e-9, 0.0]] {
            let estimate = Estimate::of(&values, (0.0, 1.0)).unwrap();
            let (low, high) = estimate.interval.unwrap();
            assert!(
                (0.0..=estimate.mean).contains(&low) && (estimate.mean..=1.0).contains(&high),
                "{values:?}: {low} {high}"
            );
            assert!(low < high, "{values:?}");
            // Student's interval on the plain scale leaves them.
            let half =
                t_quantile(values.len() as f64 - 1.0) * estimate.deviation.unwrap() / (values.len() as f64).sqrt();
            assert!(estimate.mean + half > 1.0 || estimate.mean - half < 0.0, "{values:?}");
        }
        let (low, high) = Estimate::of(&[0.9, -0.9], (-1.0, 1.0)).unwrap().interval.unwrap();
        assert!(-1.0 < low && low < -0.99 && 0.99 < high && high < 1.0, "{low} {high}");
    }

    #[test]
    fn far_from_the_limits_it_is_students_interval() {
        let values = [0.5920, 0.5931, 0.5907, 0.5944, 0.5898];
        let estimate = Estimate::of(&values, (0.0, 1.0)).unwrap();
        let half = 2.776_445_1 * estimate.deviation.unwrap() / 5f64.sqrt();
        let (low, high) = estimate.interval.unwrap();
        assert!((low - (estimate.mean - half)).abs() < 5e-6 && (high - (estimate.mean + half)).abs() < 5e-6);
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (freedom, expected) in [(1.0, 12.706_205), (2.0, 4.302_653), (9.0, 2.262_157), (30.0, 2.042_272)] {
            assert!((t_quantile(freedom) - expected).abs() < 1e-5, "{freedom}: {}", t_quantile(freedom));
        }
    }

    #[test]
    fn one_value_and_equal_ones_have_no_interval_and_none_no_mean() {
        let one = Estimate::of(&[0.5], (0.0, 1.0)).unwrap();
        assert_eq!((one.mean, one.deviation, one.interval), (0.5, None, None));
        assert_eq!(Estimate::of(&[], (0.0, 1.0)), None);
        let equal = Estimate::of(&[0.25, 0.25], (0.0, 1.0)).unwrap();
        assert_eq!((equal.deviation, equal.interval), (Some(0.0), None));
        let perfect = Estimate::of(&[1.0, 1.0], (0.0, 1.0)).unwrap();
        assert_eq!((perfect.deviation, perfect.interval), (Some(0.0), None));
        // The mean of these is off by a rounding.
        let rounded = Estimate::of(&[0.1; 3], (0.0, 1.0)).unwrap();
        assert!(rounded.mean != 0.1 && rounded.interval.is_none(), "{rounded:?}");
        assert_eq!(Estimate::of(&[0.0; 4], (-1.0, 1.0)).unwrap().interval, None);
    }

    #[test]
    fn pairs_are_by_seed_not_by_place() {
        let left = [(1, 0.5), (2, 0.75), (4, 1.0)];
        let right = [(2, 0.25), (1, 0.5), (3, 0.0)];
        assert_eq!(paired_differences(&left, &right), [0.0, 0.5]);
    }
}
