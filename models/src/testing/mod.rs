//! Random small architectures for the tests of every executor (feature `testing`). The same seed always gives the same one.
//!
//! They hold every key of the file in odd combinations: several convolutions a layer, strides and every form of padding
//! before a cell, cells of every kind, gates that zero shuts, residuals around changes of size, feedback and skips of every
//! entry and resize, two edges between the same layers.

use crate::architecture::Architecture;
use std::fmt::Write;

/// A small linear congruential generator (Knuth's MMIX constants), for choices.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// Once in so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

const CELLS: [&str; 9] = [
    "kind = \"vanilla\", KERNEL",
    "kind = \"time-decay\", initial = 0.6",
    "kind = \"gru\", KERNEL",
    "kind = \"lstm\", KERNEL",
    "kind = \"lstm\", peepholes = true, depth = 2, KERNEL",
    "kind = \"ugrnn\", KERNEL",
    "kind = \"intersection\", KERNEL",
    "kind = \"reciprocal-gated\", KERNEL",
    "kind = \"reciprocal-gated\", form = \"released-shallow\", KERNEL",
];

/// What does not fit by the bad luck of the draw.
const BAD_LUCK: [&str; 3] = ["does not fit into", "cannot bring", "pads by a whole window"];

/// Three to five layers on maps of at most 3x12x12, with edges.
pub fn random_architecture(seed: u64) -> Architecture {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d);
    loop {
        let text = text(&mut random, seed);
        match Architecture::parse(&text, "random") {
            Ok(architecture) => return architecture,
            Err(error) => {
                let message = error.to_string();
                assert!(BAD_LUCK.iter().any(|luck| message.contains(luck)), "{message}\n{text}");
            }
        }
    }
}

fn text(random: &mut Random, seed: u64) -> String {
    let (channels, height, width) = (1 + random.below(3), 6 + random.below(7), 6 + random.below(7));
    let layers = 3 + random.below(3);
    let steps = layers + 3 + random.below(3);
    let image_steps = 1 + random.below(steps);
    let mut text = format!(
        "name = \"random-{seed}\"\ninput = {{ channels = {channels}, height = {height}, width = {width} }}\n\
         presentation = {{ steps = {steps}, image_steps = {image_steps}, blank = 0.3 }}\n"
    );
    let mut has_cell = Vec::new();
    for layer in 1..layers {
        has_cell.push(!random.once_in(3));
        // Writing to a string does not fail.
        let _ = write!(text, "[[layer]]\n{}", layer_text(random, has_cell[layer - 1]));
    }
    let average = random.pick(&["before", "after"]);
    let kernel = if average == "before" { 1 } else { 1 + random.below(3) };
    let _ = write!(
        text,
        "[[layer]]\nconvolution = {{ kernel = {kernel}, channels = 4 }}\nactivation = \"none\"\naverage = \"{average}\"\n"
    );
    has_cell.push(false);
    for to in 1..=layers {
        for from in 1..=layers {
            let kind = if from > to { "feedback" } else { "skip" };
            if from == to || from + 1 == to || !random.once_in(3) {
                continue;
            }
            let entries = ["concatenate", "cell-input", "cell-hidden", "cell-output"];
            let entries = if has_cell[to - 1] { &entries[..] } else { &entries[..2] };
            let first = random.below(entries.len());
            let count = 1 + usize::from(random.once_in(4));
            for number in 0..count {
                let entry = entries[(first + number) % entries.len()];
                let resize = match to == layers && average == "before" {
                    true => random.pick(&["average", "max-pool", "nearest"]),
                    false => random.pick(&[
                        "bilinear-aligned-corners",
                        "bilinear-half-pixel",
                        "nearest",
                        if kind == "skip" { "max-pool" } else { "nearest" },
                    ]),
                };
                let _ =
                    write!(text, "[[{kind}]]\nfrom = {from}\nto = {to}\nentry = \"{entry}\"\nresize = \"{resize}\"\n");
            }
        }
    }
    text
}

fn layer_text(random: &mut Random, has_cell: bool) -> String {
    let convolution = |random: &mut Random| {
        let kernel = 1 + random.below(4);
        let channels = 1 + random.below(5);
        let stride = if random.once_in(4) { 2 } else { 1 };
        let padding = random.pick(&["\"same\"", "\"same\"", "\"same\"", "\"valid\"", "1", "[1, 0, 0, 2]"]);
        let extra = random.pick(&["", "", ", bias = false", ", norm = \"batch\"", ", activation = \"tanh\""]);
        format!("{{ kernel = {kernel}, channels = {channels}, stride = {stride}, padding = {padding}{extra} }}")
    };
    let count = if random.once_in(4) { 2 } else { 1 };
    let convolutions: Vec<String> = (0..count).map(|_| convolution(random)).collect();
    let mut text = format!("convolution = [{}]\n", convolutions.join(", "));
    if has_cell {
        let cell = if random.once_in(2) { search_text(random) } else { random.pick(&CELLS).to_owned() };
        let kernel = format!("kernel = {}", 1 + random.below(3));
        let _ = writeln!(text, "cell = {{ {} }}", cell.replace("KERNEL", &kernel));
        if count == 2 {
            let _ = writeln!(text, "cell_after = {}", 1 + random.below(2));
        }
    }
    if random.once_in(4) {
        let _ = writeln!(text, "residual = {{ {} }}", random.pick(&["", "norm = \"batch\""]));
    }
    let _ = writeln!(text, "activation = \"{}\"", random.pick(&["elu", "tanh", "relu", "none"]));
    if random.once_in(3) {
        let _ =
            writeln!(text, "pool = {{ kernel = 2, {} }}", random.pick(&["stride = 1", "stride = 2", "padding = 1"]));
    }
    text
}

/// A point of the search space.
fn search_text(random: &mut Random) -> String {
    let gate = |random: &mut Random, state: &str| {
        let reads = random.pick(&[
            "\"below\", \"hidden\", \"input\"",
            "\"below\"",
            "\"memory\"",
            "\"hidden\"",
            "\"memory\", \"input\"",
            state,
            "",
        ]);
        let affine = random.pick(&["convolution", "separable"]);
        let squash = random.pick(&["sigmoid", "tanh", "elu"]);
        // With tanh or elu and no offset the gate is shut while what it reads is zero.
        let (offset, factor) = (random.pick(&["0.0", "0.8", "1.0"]), random.pick(&["-1.0", "0.6", "1.0"]));
        let bias = random.once_in(2) && !reads.is_empty();
        format!(
            "{{ reads = [{reads}], affine = \"{affine}\", KERNEL, bias = {bias}, squash = \"{squash}\", \
             offset = {offset}, factor = {factor} }}"
        )
    };
    let mut update = |name: &str, own: &str| {
        // The memory has channels of its own number, which a map gives.
        let inputs = ["input = { KERNEL, bias = true }, ", "input = { affine = \"separable\", KERNEL }, ", ""];
        let input = random.pick(if name == "memory" { &inputs[..2] } else { &inputs });
        let residual = random.once_in(3);
        let (gate, keep) = (gate(random, own), gate(random, own));
        let function = random.pick(&["tanh", "elu"]);
        format!(
            "{name} = {{ activation = \"{function}\", {input}residual = {residual}, gate = {gate}, keep = {keep} }}"
        )
    };
    let (hidden, memory) = (update("hidden", "\"next-memory\""), update("memory", "\"memory\""));
    format!("kind = \"search\", memory_channels = 3, {hidden}, {memory}")
}

#[cfg(test)]
mod tests;
