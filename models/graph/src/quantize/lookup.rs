//! Tables of unary functions.

use super::types::{Element, Lookup, QuantizedType};

/// Real value of one integer step of the inputs of sigmoid and tanh tables. One scale for all means
/// that equal functions share one table; beyond ±8 both are flat to 4e-4.
pub const GATE_INPUT_SCALE: f64 = 8.0 / 32768.0;

/// Real value of one integer step of outputs that lie between -1 and 1; 1 itself becomes 32767/32768.
pub const UNIT_SCALE: f64 = 1.0 / 32768.0;

impl Lookup {
    /// The table of `function` from one type to another: every entry is the output integer nearest
    /// to the function at the entry's input.
    pub fn new(input: &QuantizedType, output: &QuantizedType, function: impl Fn(f64) -> f64) -> Self {
        let entry = |integer: i32| output.quantize(function(input.dequantize(integer))) as i16;
        match input.element {
            Element::I8 => Lookup::Direct((-128..=127).map(entry).collect()),
            Element::I16 => Lookup::Interpolated((0..=512).map(|index| entry(index * 128 - 32768)).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Activation;
    use crate::shape::Shape;
    use proptest::prelude::*;

    fn kind(element: Element, scale: f64) -> QuantizedType {
        QuantizedType { shape: Shape::new(1, 1, 1), element, scale, zero_point: 0 }
    }

    /// Half a unit each for the entries and the result, and `h^2 / 8 * max |f''|` for interpolation.
    fn bound(input: &QuantizedType, output: &QuantizedType, curvature: f64) -> f64 {
        1.01 * output.scale + (128.0 * input.scale).powi(2) / 8.0 * curvature
    }

    #[test]
    fn tables_are_as_near_as_interpolation_allows() {
        let unit = kind(Element::I16, UNIT_SCALE);
        let cases = [(Activation::Sigmoid, 0.0963), (Activation::Tanh, 0.77)];
        for (activation, curvature) in cases {
            let input = kind(Element::I16, GATE_INPUT_SCALE);
            let table = Lookup::new(&input, &unit, |x| activation.apply(x));
            for x in -32768..=32767 {
                let error = (unit.dequantize(table.apply(x)) - activation.apply(input.dequantize(x))).abs();
                // At the ends 1.0 is not an integer of the output.
                assert!(error <= bound(&input, &unit, curvature) + UNIT_SCALE, "{activation:?} at {x}: {error}");
            }
        }
        let input = kind(Element::I16, 12.0 / 32767.0);
        for (activation, curvature) in [(Activation::Elu, 1.0), (Activation::Relu, 0.0)] {
            let table = Lookup::new(&input, &input, |x| activation.apply(x));
            for x in -32768..=32767 {
                let error = (input.dequantize(table.apply(x)) - activation.apply(input.dequantize(x))).abs();
                assert!(error <= bound(&input, &input, curvature), "{activation:?} at {x}: {error}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_direct_table_is_exact_to_half_a_unit(x in -128i32..=127, zero_point in -128i32..=127) {
            let input = QuantizedType { zero_point, ..kind(Element::I8, 0.03) };
            let output = kind(Element::I16, 10.0 / 32767.0);
            let table = Lookup::new(&input, &output, |x| Activation::Elu.apply(x));
            let error = output.dequantize(table.apply(x)) - Activation::Elu.apply(input.dequantize(x));
            prop_assert!(error.abs() <= 0.5001 * output.scale);
        }

        #[test]
        fn monotone_functions_stay_monotone(x in -32768i32..=32766) {
            let input = kind(Element::I16, GATE_INPUT_SCALE);
            let table = Lookup::new(&input, &kind(Element::I16, UNIT_SCALE), |x| Activation::Tanh.apply(x));
            prop_assert!(table.apply(x) <= table.apply(x + 1));
        }
    }
}
