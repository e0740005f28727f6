//! Networks that figures of costs are fitted to, and others that they are checked on.

use std::fmt::Write;

/// Networks of the catalogue that figures are fitted to, beside random ones.
pub const FITTED: [&str; 12] = [
    "ff-28",
    "time-decay-28",
    "gru-28",
    "lstm-28",
    "lstm-peephole-28",
    "rgc-28",
    "search-28",
    "resnet-28",
    "vanilla-32",
    "intersection-32",
    "rgc-shallow-32",
    "rgc-median-32",
];

/// Networks that are predicted only, most of them with other shapes.
pub const PREDICTED: [&str; 15] = [
    "rgc-28-m4",
    "vanilla-28",
    "ugrnn-28",
    "intersection-28",
    "rgc-shallow-28",
    "rgc-median-28",
    "intermediate-28",
    "ff-32",
    "time-decay-32",
    "gru-32",
    "lstm-32",
    "ugrnn-32",
    "rgc-32",
    "intermediate-32",
    "resnet-32",
];

/// Random networks that figures are fitted to, and those after them that are predicted only.
pub const RANDOM_FITTED: u64 = 180;
pub const RANDOM_PREDICTED: u64 = 40;

/// Random networks of gated cells alone, whose convolutions share windows: figures are fitted to them too.
pub const GATED_FITTED: u64 = 60;

/// Rows of a band of networks of the catalogue, which are measured as whole maps too.
pub const CATALOGUE_ROWS: usize = 2;

/// Rows of a band of a random network; none for two of three.
pub fn random_rows(seed: u64) -> Option<usize> {
    seed.is_multiple_of(3).then_some((seed / 3 % 4) as usize + 1)
}

/// A linear congruential generator (Knuth's constants for 64 bits), its upper bits.
struct Random(u64);

impl Random {
    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        choices[(self.0 >> 33) as usize % choices.len()]
    }
}

/// What a layer of a random network may be.
const KINDS: [&str; 12] = [
    "",
    "",
    "",
    "vanilla",
    "time-decay",
    "gru",
    "lstm",
    "ugrnn",
    "reciprocal-gated",
    "reciprocal-gated",
    "intersection",
    "separable",
];
const GATED_KINDS: [&str; 5] = ["gru", "lstm", "ugrnn", "reciprocal-gated", "intersection"];

/// An architecture of random sizes: up to four layers with cells, pools, strides and feedback.
pub fn random(seed: u64) -> String {
    architecture(&format!("random-{seed}"), seed, &KINDS)
}

/// The same with gated cells in all layers.
pub fn gated(seed: u64) -> String {
    // Other sizes than those of the random networks.
    architecture(&format!("gated-{seed}"), seed + 1_000_000, &GATED_KINDS)
}

fn architecture(name: &str, seed: u64, kinds: &[&str]) -> String {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d);
    random.pick(&[0]);
    let (side, other): (u64, u64) =
        (random.pick(&[6, 8, 11, 12, 15, 16, 20, 24, 28]), random.pick(&[7, 8, 9, 12, 13, 16, 17, 24]));
    let channels = random.pick(&[1, 3, 3, 4, 8]);
    let mut text = format!(
        "name = \"{name}\"\ndescription = \"Random sizes under the instruction counter\"\n\
         input = {{ channels = {channels}, height = {side}, width = {other} }}\n\
         presentation = {{ steps = 4, image_steps = 4 }}\n"
    );
    let layers = random.pick(&[1, 2, 2, 3, 3]);
    let mut size = side.min(other);
    for _ in 0..layers {
        let kernel = random.pick(&[1, 2, 3, 3, 3, 4, 5, 7]);
        let outputs = random.pick(&[2, 3, 4, 6, 7, 8, 12, 16, 16, 24, 32, 32, 33, 48, 64, 80, 96]);
        let outputs = if size > 14 { outputs.min(24) } else { outputs };
        let kind = random.pick(kinds);
        // With stride 1 such a cell reads the layer below as it is.
        let stride: u64 = if size >= 8 && kind != "separable" { random.pick(&[1, 1, 1, 2]) } else { 1 };
        size = size.div_ceil(stride);
        // Writing to a string does not fail.
        let _ =
            writeln!(text, "[[layer]]\nconvolution = {{ kernel = {kernel}, channels = {outputs}, stride = {stride} }}");
        match kind {
            "" => {
                let function = random.pick(&["relu", "relu", "relu", "elu", "tanh"]);
                let _ = writeln!(text, "activation = \"{function}\"");
            }
            "time-decay" => text.push_str("cell = { kind = \"time-decay\" }\n"),
            "separable" => {
                let (kernel, memory) = (random.pick(&[3, 3, 5, 7]), random.pick(&[2, 5, 8, 16]));
                let squash = random.pick(&["tanh", "tanh", "sigmoid", "sigmoid"]);
                let offset = random.pick(&["0.8", "0.1", "0.3"]);
                let _ = writeln!(
                    text,
                    "cell = {{ kind = \"search\", memory_channels = {memory}, hidden = {{ activation = \"tanh\", \
                     gate = {{ reads = [\"hidden\", \"input\"], affine = \"separable\", kernel = {kernel}, bias = true }}, \
                     keep = {{ reads = [\"hidden\", \"below\"], kernel = 1, squash = \"{squash}\", offset = {offset}, factor = 0.5 }} }}, \
                     memory = {{ input = {{ kernel = 1 }}, gate = {{ reads = [\"memory\"], affine = \"sum\", offset = 0.5, \
                     factor = 0.5 }}, keep = {{ reads = [], offset = 0.9, factor = -0.2 }} }} }}"
                );
            }
            kind => {
                let kernel = random.pick(&[1, 3, 3, 5]);
                let _ = writeln!(text, "cell = {{ kind = \"{kind}\", kernel = {kernel} }}");
            }
        }
        if size >= 5 && random.pick(&[true, true, false]) {
            let kernel = random.pick(&[2, 2, 3]);
            let _ = writeln!(text, "pool = {{ kernel = {kernel}, stride = 2 }}");
            size = size.div_ceil(2);
        }
    }
    let classes = random.pick(&[3, 10, 10, 17]);
    let _ = writeln!(
        text,
        "[[layer]]\nconvolution = {{ kernel = 1, channels = {classes} }}\nactivation = \"none\"\naverage = \"before\""
    );
    if layers > 1 && random.pick(&[true, true, false]) {
        let to = if layers > 2 { random.pick(&[1, 2]) } else { 1 };
        let _ = writeln!(text, "[[feedback]]\nfrom = {layers}\nto = {to}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_network_is_both_fitted_and_predicted() {
        assert!(FITTED.iter().all(|network| !PREDICTED.contains(network)));
        let texts: std::collections::BTreeSet<String> = (0..RANDOM_FITTED + RANDOM_PREDICTED).map(random).collect();
        assert_eq!(texts.len() as u64, RANDOM_FITTED + RANDOM_PREDICTED);
    }
}
