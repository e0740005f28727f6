//! Random networks in integers for the tests of passes.

use crate::quantize::QuantizedGraph;
use crate::testing::quantized_network;

/// A network as the conversion leaves it, before any pass.
pub(super) fn quantized_parts(seed: u64) -> QuantizedGraph {
    quantized_network(seed, false)
}
