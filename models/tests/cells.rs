//! Every cell on one channel and one position against its formula, written out once more by hand, and the reciprocal gated
//! cell against the search cell that it is a point of.

use convrnn_graph::{Interpreter, ParameterGroup, Parameters, StepGraph, Tensor};
use convrnn_models::Architecture;

fn architecture(cell: &str, convolution: &str) -> Result<Architecture, convrnn_models::ArchitectureError> {
    let text = format!(
        "name = \"scalar\"\ninput = {{ channels = 1, height = 1, width = 1 }}\n\
         presentation = {{ steps = 6, image_steps = 6 }}\n\
         [[layer]]\nconvolution = {{ kernel = 1, channels = 1{convolution} }}\ncell = {{ {cell} }}\nactivation = \"none\"\n\
         [[layer]]\nconvolution = {{ kernel = 1, channels = 2 }}\nactivation = \"none\"\n"
    );
    Architecture::parse(&text, "scalar")
}

/// Values that differ from one another, biases included.
fn values(graph: &StepGraph) -> Parameters<f64> {
    let value = |index: usize, at: usize| 0.9 - 0.37 * ((index * 5 + at * 3) % 7) as f64;
    let fill = |(index, parameter): (usize, &convrnn_graph::Parameter)| {
        (0..parameter.elements()).map(|at| value(index, at)).collect()
    };
    Parameters { values: graph.parameters.iter().enumerate().map(fill).collect() }
}

/// Weights by name within layer 1.
struct Weights<'a> {
    graph: &'a StepGraph,
    values: &'a Parameters<f64>,
}

impl Weights<'_> {
    fn all(&self, name: &str) -> &[f64] {
        let id = self.graph.parameter_named(&format!("layer1.{name}")).unwrap_or_else(|| panic!("no layer1.{name}"));
        self.values.get(id)
    }

    fn one(&self, name: &str) -> f64 {
        self.all(name)[0]
    }

    /// `w * inputs + bias`
    fn affine(&self, name: &str, inputs: &[f64]) -> f64 {
        let weight = self.all(&format!("cell.{name}.weight"));
        assert_eq!(weight.len(), inputs.len(), "{name}");
        let sum: f64 = weight.iter().zip(inputs).map(|(w, x)| w * x).sum();
        let bias = format!("layer1.cell.{name}.bias");
        sum + self.graph.parameter_named(&bias).map_or(0.0, |id| self.values.get(id)[0])
    }
}

const FRAMES: [f64; 6] = [0.8, -1.3, 0.0, 0.4, 2.0, -0.5];

/// Steps the cell and the formula, which is given the frame, x and the states (h, c) and gives output and new states.
fn compare(cell: &str, convolution: &str, formula: impl Fn(&Weights, f64, f64, [f64; 4]) -> (f64, [f64; 4])) {
    let graph = architecture(cell, convolution).unwrap_or_else(|error| panic!("{error}")).lower().unwrap();
    let parameters = values(&graph);
    let weights = Weights { graph: &graph, values: &parameters };
    let mut interpreter = Interpreter::new(&graph, &parameters);
    let output = graph.taps.iter().find(|tap| tap.name == "layer1.output").unwrap().node.0;
    let mut states = [0.0; 4];
    for frame in FRAMES {
        let found = interpreter.step(&Tensor::new(graph.frame, vec![frame]))[output].values[0];
        let mut x = weights.one("conv.weight") * frame + weights.one("conv.bias");
        if convolution.contains("elu") {
            x = elu(x);
        }
        let (expected, next) = formula(&weights, frame, x, states);
        states = next;
        assert!((found - expected).abs() < 1e-12, "{cell}: {found}, expected {expected}");
    }
    assert!(states[0].abs() > 1e-3, "{cell}: the state does something");
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn elu(x: f64) -> f64 {
    if x > 0.0 { x } else { x.exp() - 1.0 }
}

#[test]
fn vanilla_and_time_decay() {
    compare("kind = \"vanilla\", kernel = 1", "", |w, _, x, [h, ..]| {
        let h = elu(x + w.affine("w_hh", &[h]));
        (h, [h, 0.0, 0.0, 0.0])
    });
    compare("kind = \"time-decay\"", "", |w, _, x, [h, ..]| {
        let h = x + w.one("cell.decay.factor") * h;
        (h, [h, 0.0, 0.0, 0.0])
    });
}

#[test]
fn gru_and_its_relatives() {
    compare("kind = \"gru\", kernel = 1", "", |w, _, x, [h, ..]| {
        let (r, u) = (sigmoid(w.affine("w_reset", &[x, h])), sigmoid(w.affine("w_update", &[x, h])));
        let n = w.affine("w_new", &[x, r * h]).tanh();
        let h = u * h + (1.0 - u) * n;
        (h, [h, 0.0, 0.0, 0.0])
    });
    compare("kind = \"ugrnn\", kernel = 1", "", |w, _, x, [h, ..]| {
        let g = sigmoid(w.affine("w_gate", &[x, h]));
        let h = g * h + (1.0 - g) * w.affine("w_new", &[x, h]).tanh();
        (h, [h, 0.0, 0.0, 0.0])
    });
    compare("kind = \"intersection\", kernel = 1", "", |w, _, x, [h, ..]| {
        let (gh, gy) = (sigmoid(w.affine("w_gate_time", &[x, h])), sigmoid(w.affine("w_gate_depth", &[x, h])));
        let y = gy * x + (1.0 - gy) * w.affine("w_new_depth", &[x, h]).max(0.0);
        let h = gh * h + (1.0 - gh) * w.affine("w_new_time", &[x, h]).tanh();
        (y, [h, 0.0, 0.0, 0.0])
    });
}

fn lstm(w: &Weights, prefix: &str, x: f64, h: f64, c: f64, peephole: bool) -> (f64, f64) {
    let affine = |name: &str, seen: f64| {
        let through = if peephole { w.one(&format!("cell.{prefix}peephole_{name}.weight")) * seen } else { 0.0 };
        w.affine(&format!("{prefix}w_{name}"), &[x, h]) + through
    };
    let (i, f) = (sigmoid(affine("input", c)), sigmoid(affine("forget", c)));
    let c = f * c + i * w.affine(&format!("{prefix}w_candidate"), &[x, h]).tanh();
    (sigmoid(affine("output", c)) * c.tanh(), c)
}

#[test]
fn lstm_with_and_without_peepholes_and_in_depth() {
    compare("kind = \"lstm\", kernel = 1", "", |w, _, x, [h, c, ..]| {
        let (h, c) = lstm(w, "", x, h, c, false);
        (h, [h, c, 0.0, 0.0])
    });
    compare("kind = \"lstm\", kernel = 1, peepholes = true, depth = 2", "", |w, _, x, [h, c, h2, c2]| {
        let (h, c) = lstm(w, "", x, h, c, true);
        let (h2, c2) = lstm(w, "level2.", h, h2, c2, true);
        (h2, [h, c, h2, c2])
    });
}

#[test]
fn the_three_forms_of_the_reciprocal_gated_cell() {
    let gate = |w: &Weights, name: &str, inputs: &[f64]| 1.0 - sigmoid(w.affine(&format!("w_{name}"), inputs));
    compare("kind = \"reciprocal-gated\", kernel = 1", "", |w, _, x, [h, c, ..]| {
        let next_h = elu(gate(w, "ch", &[c]) * x + gate(w, "hh", &[h]) * h);
        let next_c = elu(gate(w, "hc", &[h]) * x + gate(w, "cc", &[c]) * c);
        (next_h, [next_h, next_c, 0.0, 0.0])
    });
    let shallow = "kind = \"reciprocal-gated\", form = \"released-shallow\", kernel = 1";
    compare(shallow, ", activation = \"elu\"", |w, frame, x, [h, c, ..]| {
        let next_h = elu(gate(w, "ch", &[c, frame]) * x + gate(w, "hh", &[h]) * h);
        // Of a 3x3 kernel on one position only the middle counts.
        let input = w.all("cell.in_hc.weight")[4] * x;
        let next_c = elu(gate(w, "hc", &[h]) * input + gate(w, "cc", &[c]) * c);
        (next_h, [next_h, next_c, 0.0, 0.0])
    });
}

#[test]
fn the_released_median_form() {
    const CHANNELS: usize = 64;
    let text = "kind = \"reciprocal-gated\", form = \"released-median\"";
    let graph = architecture(text, ", activation = \"elu\"").unwrap().lower().unwrap();
    let mut parameters = values(&graph);
    for values in &mut parameters.values {
        values.iter_mut().for_each(|value| *value *= 0.2);
    }
    let weights = Weights { graph: &graph, values: &parameters };
    let mut interpreter = Interpreter::new(&graph, &parameters);
    let output = graph.taps.iter().find(|tap| tap.name == "layer1.output").unwrap().node.0;
    // A separable map: depthwise kernels are clamped to the one position of the map.
    let separable = |name: &str, inputs: &[f64], outputs: usize| -> Vec<f64> {
        let depthwise = weights.all(&format!("cell.w_{name}.depthwise.weight"));
        let pointwise = weights.all(&format!("cell.w_{name}.weight"));
        let bias = weights.all(&format!("cell.w_{name}.bias"));
        let filtered: Vec<f64> = inputs.iter().zip(depthwise).map(|(x, w)| x * w).collect();
        let dot = |row: &[f64]| row.iter().zip(&filtered).map(|(w, x)| w * x).sum::<f64>();
        (0..outputs).map(|o| dot(&pointwise[o * inputs.len()..][..inputs.len()]) + bias[o]).collect()
    };
    let cross = |x: f64| 0.7006566684988862 * (1.0 - x.tanh());
    let own = |x: f64| 0.9219348064291611 * (1.0 - sigmoid(x));
    let (mut h, mut c) = (0.0, vec![0.0; CHANNELS]);
    for frame in FRAMES {
        let found = interpreter.step(&Tensor::new(graph.frame, vec![frame]))[output].values[0];
        let x = elu(weights.one("conv.weight") * frame + weights.one("conv.bias"));
        let input = weights.all("cell.in_ch.weight")[4] * x + weights.one("cell.in_ch.bias") + frame;
        let next_h = elu(cross(separable("ch", &c, 1)[0]) * input + own(separable("hh", &[h], 1)[0]) * h);
        // A 2x2 kernel with "SAME" padding pads after: the first weight meets the position.
        let memory_input = |o: usize| weights.all("cell.in_hc.weight")[o * 4] * x + weights.all("cell.in_hc.bias")[o];
        let (gates, keeps) = (separable("hc", &[h], CHANNELS), separable("cc", &c, CHANNELS));
        c = (0..CHANNELS).map(|o| elu(cross(gates[o]) * memory_input(o) + own(keeps[o]) * c[o])).collect();
        h = next_h;
        assert!((found - h).abs() < 1e-12, "{found}, expected {h}");
    }
    assert!(h.abs() > 1e-3);
}

#[test]
fn the_reciprocal_gated_cell_is_a_point_of_the_search_cell() {
    let gate = |reads: &str| format!("{{ reads = [\"{reads}\"], kernel = 1 }}");
    let search = format!(
        "kind = \"search\", hidden = {{ gate = {}, keep = {} }}, memory = {{ gate = {}, keep = {} }}",
        gate("memory"),
        gate("hidden"),
        gate("hidden"),
        gate("memory"),
    );
    let search = architecture(&search, "").unwrap().lower().unwrap();
    let gated = architecture("kind = \"reciprocal-gated\", kernel = 1", "").unwrap().lower().unwrap();
    assert_eq!(search, gated, "node by node");
    assert_eq!(gated.parameters.iter().filter(|parameter| parameter.group == ParameterGroup::CellWeight).count(), 4);
}

#[test]
fn circles_and_missing_memories_are_refused() {
    let cell = |hidden: &str, memory: &str| {
        format!(
            "kind = \"search\", hidden = {{ gate = {{ reads = [\"{hidden}\"] }} }}, \
             memory = {{ gate = {{ reads = [\"{memory}\"] }} }}"
        )
    };
    let error = architecture(&cell("next-memory", "next-hidden"), "").unwrap_err().to_string();
    assert!(error.contains("layer1.cell") && error.contains("circle"), "{error}");
    assert!(architecture(&cell("next-memory", "hidden"), "").is_ok());
    assert!(architecture(&cell("memory", "next-hidden"), "").is_ok());
    let error = architecture(&cell("next-hidden", "hidden"), "").unwrap_err().to_string();
    assert!(error.contains("its own result"), "{error}");
    let alone = "kind = \"search\", hidden = { gate = { reads = [\"memory\"] } }";
    let error = architecture(alone, "").unwrap_err().to_string();
    assert!(error.contains("a memory that the cell has not"), "{error}");
    let error = architecture(&cell("hidden\", \"hidden", "memory"), "").unwrap_err().to_string();
    assert!(error.contains("hidden.gate reads one value twice"), "{error}");
    let sum = "kind = \"search\", hidden = { keep = { reads = [\"hidden\"], affine = \"sum\", bias = true } }";
    let error = architecture(sum, "").unwrap_err().to_string();
    assert!(error.contains("hidden.keep adds a bias to a sum"), "{error}");
}
