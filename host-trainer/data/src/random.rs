//! Random streams that depend on nothing but the numbers that name them.
//!
//! Every random decision of the pipeline draws from a ChaCha8 stream whose 256-bit key is the
//! user's seed, a purpose, and two counters, written little-endian one after the other. So image
//! `i` of a rendered set, or the crop of image `i` in epoch `e`, is the same on every machine, in
//! every thread, and after every resume, whatever was drawn before it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream is for; two purposes never share a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Training images of the rendered set.
    RenderTrain,
    /// Validation images of the rendered set.
    RenderValidation,
    /// Test images of the rendered set.
    RenderTest,
    /// The order of images in an epoch.
    Order,
    /// Augmentation of one image in one epoch.
    Augmentation,
    /// Choice of a subset.
    Subset,
    /// Choice of held-out images of one class.
    HoldOut,
    /// Hyper-parameters of a trial.
    Tuning,
    /// Where one image moves to in one epoch.
    Motion,
}

impl Purpose {
    fn code(self) -> u64 {
        match self {
            Purpose::RenderTrain => 1,
            Purpose::RenderTest => 2,
            Purpose::Order => 3,
            Purpose::Augmentation => 4,
            Purpose::Subset => 5,
            Purpose::Motion => 6,
            Purpose::Tuning => 7,
            Purpose::RenderValidation => 8,
            Purpose::HoldOut => 9,
        }
    }
}

/// A random stream with integer-only draws, and draws in `f64` that use only the four basic
/// operations (exact by IEEE 754, the same bits everywhere) unless said otherwise.
#[derive(Debug, Clone)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream named by (seed, purpose, first, second).
    pub fn new(seed: u64, purpose: Purpose, first: u64, second: u64) -> Self {
        let mut key = [0u8; 32];
        for (chunk, word) in key.chunks_exact_mut(8).zip([seed, purpose.code(), first, second]) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        Stream(ChaCha8Rng::from_seed(key))
    }

    /// A uniform integer in `0..bound`, unbiased to within `bound / 2^64`. `bound` must not be 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let product = u128::from(self.0.next_u64()) * bound as u128;
        (product >> 64) as usize
    }

    /// A uniform integer in `low..=high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as usize) as i64
    }

    /// A uniform number in `[0, 1)` with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A uniform number in `[low, high)`.
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// The next 32 random bits.
    pub fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A draw from the standard normal distribution by Box and Muller. Uses the platform's
    /// logarithm and cosine, so the last bit may differ between machines: never use it where
    /// pixels of a rendered set are decided.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Fisher and Yates's shuffle.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_each_of_its_four_names() {
        let base = Stream::new(1, Purpose::Order, 2, 3).bits();
        assert_eq!(base, Stream::new(1, Purpose::Order, 2, 3).bits());
        for other in [
            Stream::new(2, Purpose::Order, 2, 3),
            Stream::new(1, Purpose::Subset, 2, 3),
            Stream::new(1, Purpose::Order, 3, 3),
            Stream::new(1, Purpose::Order, 2, 4),
        ] {
            assert_ne!(base, other.clone().bits());
        }
    }

    #[test]
    fn draws_stay_in_range_and_shuffles_are_permutations() {
        let mut stream = Stream::new(7, Purpose::Order, 0, 0);
        for _ in 0..10_000 {
            assert!(stream.below(7) < 7);
            assert!((-3..=3).contains(&stream.between(-3, 3)));
            let value = stream.range(-1.5, 2.0);
            assert!((-1.5..2.0).contains(&value));
        }
        let mut items: Vec<usize> = (0..1000).collect();
        stream.shuffle(&mut items);
        assert_ne!(items, (0..1000).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn normal_draws_have_mean_zero_and_unit_variance() {
        let mut stream = Stream::new(3, Purpose::Augmentation, 0, 0);
        let draws: Vec<f64> = (0..50_000).map(|_| stream.normal()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.02, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.03, "variance {variance}");
    }
}
