//! What is measured of a value over all calibration images and steps.

/// Bins between `-limit` and `limit`; enough that each of 256 levels spans several.
const BINS: usize = 8192;

/// The distribution of one value. The limit is a power of two that doubles when a value lies
/// outside, so that two histograms merge exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Smallest value seen; infinite if none.
    pub smallest: f64,
    /// Largest value seen; infinite if none.
    pub largest: f64,
    /// Number of values.
    pub count: u64,
    /// Sum by channel.
    pub channel_sums: Vec<f64>,
    /// Values that are exactly zero; they are in no bin.
    zeros: u64,
    limit: f64,
    bins: Vec<u64>,
}

impl Histogram {
    /// No values yet, of a tensor with this many channels.
    pub fn new(channels: usize) -> Self {
        Self {
            smallest: f64::INFINITY,
            largest: f64::NEG_INFINITY,
            count: 0,
            channel_sums: vec![0.0; channels],
            zeros: 0,
            limit: 0.0,
            bins: Vec::new(),
        }
    }

    /// Adds a tensor's values, channel by channel. They must be finite; says whether they are.
    #[must_use]
    pub fn add(&mut self, values: &[f64]) -> bool {
        let channels = self.channel_sums.len();
        let mut finite = true;
        for (sum, map) in self.channel_sums.iter_mut().zip(values.chunks((values.len() / channels).max(1))) {
            *sum += map.iter().sum::<f64>();
        }
        let peak = values.iter().fold(0.0f64, |peak, &x| {
            finite &= x.is_finite();
            peak.max(x.abs())
        });
        if !finite {
            return false;
        }
        self.widen(peak);
        self.count += values.len() as u64;
        for &x in values {
            self.smallest = self.smallest.min(x);
            self.largest = self.largest.max(x);
            if x == 0.0 {
                self.zeros += 1;
            } else {
                let position = (x / self.limit + 1.0) * (BINS / 2) as f64;
                self.bins[(position as usize).min(BINS - 1)] += 1;
            }
        }
        true
    }

    /// Adds what another histogram of the same tensor has seen.
    pub fn merge(&mut self, mut other: Histogram) {
        let limit = self.limit.max(other.limit);
        self.widen(limit);
        other.widen(limit);
        self.smallest = self.smallest.min(other.smallest);
        self.largest = self.largest.max(other.largest);
        self.count += other.count;
        self.zeros += other.zeros;
        for (sum, more) in self.channel_sums.iter_mut().zip(&other.channel_sums) {
            *sum += more;
        }
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            *bin += more;
        }
    }

    /// Makes the limit at least `peak`.
    fn widen(&mut self, peak: f64) {
        if peak == 0.0 {
            return;
        }
        if self.bins.is_empty() {
            // Below the smallest normal number a power of two need not exist.
            self.limit = peak.max(f64::MIN_POSITIVE).log2().ceil().exp2();
            self.bins = vec![0; BINS];
        }
        while self.limit < peak {
            let mut merged = vec![0; BINS];
            for (index, &bin) in self.bins.iter().enumerate() {
                merged[BINS / 4 + index / 2] += bin;
            }
            self.bins = merged;
            self.limit *= 2.0;
        }
    }

    /// Largest magnitude seen; 0 if every value was zero or there was none.
    pub fn magnitude(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.smallest.abs().max(self.largest.abs()) }
    }

    /// Mean of one channel.
    pub fn channel_mean(&self, channel: usize) -> f64 {
        match self.count {
            0 => 0.0,
            count => self.channel_sums[channel] * self.channel_sums.len() as f64 / count as f64,
        }
    }

    /// The value below which a share of all values lies, to the width of a bin.
    pub fn quantile(&self, share: f64) -> f64 {
        let wanted = (share * self.count as f64).round() as u64;
        let mut below = 0;
        for (index, &bin) in self.bins.iter().enumerate() {
            below += bin + if index + 1 == BINS / 2 { self.zeros } else { 0 };
            if below >= wanted.max(1) {
                return ((index + 1) as f64 / (BINS / 2) as f64 - 1.0) * self.limit;
            }
        }
        self.largest.max(0.0)
    }

    /// Centre and count of every bin that is not empty. Zeros are left out.
    pub fn centres(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let width = self.limit / (BINS / 2) as f64;
        let filled = self.bins.iter().enumerate().filter(|&(_, &bin)| bin > 0);
        filled.map(move |(index, &bin)| ((index as f64 + 0.5) * width - self.limit, bin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_gives_what_adding_gives() {
        let (first, second) = ([0.5, -0.25, 0.0, 0.75], [3.0, -9.0, 0.0, 0.01]);
        let mut whole = Histogram::new(2);
        assert!(whole.add(&first) && whole.add(&second));
        let mut left = Histogram::new(2);
        let mut right = Histogram::new(2);
        assert!(left.add(&first) && right.add(&second));
        left.merge(right);
        assert_eq!(left, whole);
        assert_eq!((whole.smallest, whole.largest, whole.count, whole.zeros), (-9.0, 3.0, 8, 2));
        assert!((whole.channel_mean(0) - (0.25 - 6.0) / 4.0).abs() < 1e-12);
    }

    #[test]
    fn quantiles_lie_within_a_bin() {
        let values: Vec<f64> = (0..1000).map(|index| f64::from(index) / 1000.0 - 0.5).collect();
        let mut histogram = Histogram::new(1);
        assert!(histogram.add(&values));
        for share in [0.1, 0.5, 0.9] {
            assert!((histogram.quantile(share) - (share - 0.5)).abs() < 2e-3, "{share}");
        }
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        let mut histogram = Histogram::new(1);
        assert!(!histogram.add(&[0.0, f64::NAN]));
        assert!(!histogram.add(&[f64::INFINITY]));
        assert_eq!((histogram.count, histogram.magnitude()), (0, 0.0));
    }
}
