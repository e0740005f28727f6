//! Multiplier and shift for a change of scale.

use super::types::Rescale;

/// Largest left shift: beyond it no value but zero would fit.
pub const MAXIMUM_SHIFT: u8 = 30;

impl Rescale {
    /// The smallest shift at which the multiplier for `factor` stays below 2^31: the multiplier then
    /// has the most bits.
    pub fn shift_for(factor: f64) -> u8 {
        let mut shift = 0;
        while shift < MAXIMUM_SHIFT && multiplier(factor, shift) >= 2f64.powi(31) {
            shift += 1;
        }
        shift
    }

    /// The nearest representation of `factor` with a given shift; none where the multiplier would
    /// not fit.
    pub fn with_shift(factor: f64, shift: u8) -> Option<Self> {
        let multiplier = multiplier(factor, shift);
        (0.0..2f64.powi(31)).contains(&multiplier).then_some(Self { multiplier: multiplier as i32, shift })
    }

    /// The nearest representation of `factor` for values of at most `magnitude`; none where their
    /// left shift or the multiplier would overflow.
    pub fn new(factor: f64, magnitude: i64) -> Option<Self> {
        let shift = Self::shift_for(factor);
        Self::with_shift(factor, shift).filter(|rescale| rescale.fits(magnitude))
    }

    /// Whether values of at most `magnitude` can be shifted without overflow.
    pub fn fits(self, magnitude: i64) -> bool {
        self.shift <= MAXIMUM_SHIFT && magnitude << self.shift <= i64::from(i32::MAX)
    }

    /// The real factor.
    pub fn factor(self) -> f64 {
        f64::from(self.multiplier) * 2f64.powi(i32::from(self.shift) - 32)
    }

    /// The largest magnitude that comes out for values of at most `magnitude`.
    pub fn bound(self, magnitude: i64) -> i64 {
        (((magnitude << self.shift) * i64::from(self.multiplier)) >> 32) + 1
    }

    /// The smallest output scale at which values of scale `input` and at most `magnitude` can be
    /// rescaled.
    pub fn smallest_output_scale(input: f64, magnitude: i64) -> f64 {
        let mut shift = 0;
        while shift < MAXIMUM_SHIFT && magnitude << (shift + 1) <= i64::from(i32::MAX) {
            shift += 1;
        }
        // A hair above, so that rounding cannot make the multiplier 2^31.
        input / (2f64.powi(i32::from(shift) - 1)) * (1.0 + 1e-9)
    }
}

fn multiplier(factor: f64, shift: u8) -> f64 {
    (factor * 2f64.powi(32 - i32::from(shift))).round()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `floor(value * multiplier * 2^(shift - 32) + 1/2)` in exact integers of 128 bits.
    fn exact(rescale: Rescale, value: i32) -> i128 {
        let twice = 2 * i128::from(value) * i128::from(rescale.multiplier) * (1i128 << rescale.shift);
        let denominator = 2 * (1i128 << 32);
        (twice + (1i128 << 32)).div_euclid(denominator)
    }

    proptest! {
        #[test]
        fn the_rounding_rule_is_round_half_up(multiplier in 0i32..=i32::MAX, shift in 0u8..=16, value: i32) {
            let rescale = Rescale { multiplier, shift };
            let value = value >> shift;
            prop_assert_eq!(i128::from(rescale.apply(value)), exact(rescale, value));
        }

        #[test]
        fn a_factor_is_met_to_its_bits(mantissa in 1.0f64..2.0, exponent in -20i32..13, value in -65536i32..=65535) {
            let factor = mantissa * 2f64.powi(exponent);
            let rescale = Rescale::new(factor, 1 << 16).expect("fits");
            prop_assert!((rescale.factor() - factor).abs() <= 2f64.powi(i32::from(rescale.shift) - 33));
            prop_assert!(rescale.shift == 0 || rescale.multiplier >= 1 << 30, "a smaller shift would do");
            let error = f64::from(rescale.apply(value)) - f64::from(value) * factor;
            // Half a unit for the result's rounding, and the multiplier's own rounding.
            let multiplier_error = 0.5 * 2f64.powi(i32::from(rescale.shift) - 32) * f64::from(value.abs());
            prop_assert!(error.abs() <= 0.5 + multiplier_error + 1e-9, "{} off", error);
        }

        #[test]
        fn the_smallest_output_scale_fits(input in 1e-9f64..1e3, bits in 0u32..31) {
            let magnitude = (1i64 << bits) - 1;
            let output = Rescale::smallest_output_scale(input, magnitude);
            prop_assert!(Rescale::new(input / output, magnitude).is_some());
            prop_assert!(Rescale::new(input / (output * 0.45), magnitude.max(2)).is_none() || bits < 2);
        }
    }

    #[test]
    fn ties_go_up() {
        let half = Rescale { multiplier: 1 << 30, shift: 1 };
        assert_eq!(half.factor(), 0.5);
        let halves: Vec<i32> = (-4..=4).map(|value| half.apply(value)).collect();
        assert_eq!(halves, [-2, -1, -1, 0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(Rescale::new(1.0, 1 << 30), None);
        assert!(Rescale::new(0.49, 1 << 30).is_some());
        assert_eq!(Rescale::new(f64::NAN, 1), None);
        assert_eq!(Rescale::new(-0.5, 1), None);
        assert_eq!(Rescale::new(0.0, 1), Some(Rescale { multiplier: 0, shift: 0 }));
    }
}
