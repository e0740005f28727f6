//! GRU and LSTM cells on maps of one position against the ONNX operators `GRU` and `LSTM` in ONNX Runtime.

use convrnn_export::onnx::protobuf::{
    AttributeProto, AttributeType, DataType, DimensionProto, DimensionValue, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use convrnn_graph::testing::{random_frames, random_parameters};
use convrnn_graph::{Interpreter, Parameters, StepGraph};
use convrnn_models::Architecture;
use ort::environment::Environment;
use ort::session::Session;
use ort::value::Tensor;
use prost::Message;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const CHANNELS: usize = 5;
const STEPS: usize = 7;

fn network(cell: &str) -> (StepGraph, Parameters<f32>) {
    let text = format!(
        "name = \"operator\"\ninput = {{ channels = 3, height = 1, width = 1 }}\n\
         presentation = {{ steps = {STEPS}, image_steps = {STEPS} }}\n\
         [[layer]]\nconvolution = {{ kernel = 1, channels = {CHANNELS} }}\ncell = {{ {cell} }}\nactivation = \"none\"\n\
         [[layer]]\nconvolution = {{ kernel = 1, channels = 2 }}\nactivation = \"none\"\n"
    );
    let graph = Architecture::parse(&text, "operator").unwrap().lower().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(17);
    let mut parameters = random_parameters(&graph, &mut random);
    // Biases that differ from what they start from.
    for (parameter, values) in graph.parameters.iter().zip(&mut parameters.values) {
        if parameter.name.ends_with("bias") {
            values.iter_mut().enumerate().for_each(|(index, value)| *value = 0.3 * index as f32 - 0.5);
        }
    }
    (graph, parameters)
}

/// By step: x and the hidden state of the f64 reference.
fn run(graph: &StepGraph, parameters: &Parameters<f32>) -> (Vec<f32>, Vec<f64>) {
    let values = parameters.to_f64();
    let mut interpreter = Interpreter::new(graph, &values);
    let (mut x, mut hidden) = (Vec::new(), Vec::new());
    for frame in random_frames(graph.frame, STEPS, 5) {
        let step = interpreter.step(&frame);
        x.extend(step[graph.node_named("layer1.conv").unwrap().0].values.iter().map(|&x| x as f32));
        hidden.extend_from_slice(&interpreter.states()[state(graph, "layer1.hidden")].values);
    }
    (x, hidden)
}

fn state(graph: &StepGraph, name: &str) -> usize {
    graph.states.iter().position(|state| state.name == name).unwrap()
}

/// The gates' tensors one after the other: weights of x, weights of h, biases.
fn gates(graph: &StepGraph, parameters: &Parameters<f32>, names: &[&str]) -> [Vec<f32>; 3] {
    let [mut input, mut recurrent, mut bias] = [Vec::new(), Vec::new(), Vec::new()];
    let get = |name: String| parameters.get(graph.parameter_named(&name).unwrap_or_else(|| panic!("{name}")));
    for name in names {
        for row in get(format!("layer1.cell.w_{name}.weight")).chunks(2 * CHANNELS) {
            input.extend_from_slice(&row[..CHANNELS]);
            recurrent.extend_from_slice(&row[CHANNELS..]);
        }
        bias.extend_from_slice(get(format!("layer1.cell.w_{name}.bias")));
    }
    [input, recurrent, bias]
}

fn constant(name: &str, dimensions: &[usize], values: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dimensions.iter().map(|&size| size as i64).collect(),
        data_type: DataType::Float as i32,
        raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}

fn value(name: &str, sizes: &[usize]) -> ValueInfoProto {
    let dimension = |&size: &usize| DimensionProto { value: Some(DimensionValue::DimValue(size as i64)) };
    let shape = TensorShapeProto { dim: sizes.iter().map(dimension).collect() };
    let tensor = TensorTypeProto { elem_type: DataType::Float as i32, shape: Some(shape) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}

/// Runs the operator over a sequence: `Y`, `[steps, 1, 1, channels]`.
fn operator(environment: &Environment, kind: &str, x: Vec<f32>, constants: Vec<TensorProto>) -> Vec<f32> {
    let names = ["x", "W", "R", "B", "", "", "", "P"];
    let given = |name: &&str| *name == "x" || constants.iter().any(|constant| constant.name == *name);
    let mut inputs: Vec<String> =
        names.iter().map(|name| if given(name) { (*name).to_owned() } else { String::new() }).collect();
    while inputs.last().is_some_and(String::is_empty) {
        inputs.pop();
    }
    let hidden_size = AttributeProto {
        name: "hidden_size".into(),
        r#type: AttributeType::Int as i32,
        i: CHANNELS as i64,
        ..AttributeProto::default()
    };
    let node = NodeProto {
        op_type: kind.into(),
        input: inputs,
        output: vec!["Y".into()],
        attribute: vec![hidden_size],
        ..NodeProto::default()
    };
    let model = ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
        graph: Some(GraphProto {
            name: kind.into(),
            node: vec![node],
            initializer: constants,
            input: vec![value("x", &[STEPS, 1, CHANNELS])],
            output: vec![value("Y", &[STEPS, 1, 1, CHANNELS])],
        }),
        ..ModelProto::default()
    };
    let mut session = Session::builder(environment).unwrap().commit_from_memory(&model.encode_to_vec()).unwrap();
    let x = Tensor::from_array(([STEPS, 1, CHANNELS], x)).unwrap();
    let outputs = session.run(ort::inputs!["x" => x]).unwrap();
    let (_, values) = outputs["Y"].try_extract_tensor::<f32>().unwrap();
    values.to_vec()
}

fn assert_close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let largest = found.iter().zip(expected).map(|(&x, y)| (f64::from(x) - y).abs()).fold(0.0, f64::max);
    assert!(largest < 1e-5, "differs by {largest}");
    assert!(expected.iter().any(|value| value.abs() > 0.1), "the states do something");
}

// One test, since a process initialises ONNX Runtime once.
#[test]
fn cells_on_one_position_are_the_onnx_operators() {
    let path = std::env::var("ORT_DYLIB_PATH").expect("cargo's configuration names ONNX Runtime's library");
    let environment = ort::init_from(path).unwrap().build().unwrap();
    let zeros = |gates: usize| vec![0.0f32; gates * CHANNELS];
    let (graph, parameters) = network("kind = \"gru\", kernel = 1");
    let (x, hidden) = run(&graph, &parameters);
    let [input, recurrent, bias] = gates(&graph, &parameters, &["update", "reset", "new"]);
    let constants = vec![
        constant("W", &[1, 3 * CHANNELS, CHANNELS], &input),
        constant("R", &[1, 3 * CHANNELS, CHANNELS], &recurrent),
        constant("B", &[1, 6 * CHANNELS], &[bias, zeros(3)].concat()),
    ];
    assert_close(&operator(&environment, "GRU", x, constants), &hidden);

    for peepholes in [false, true] {
        let (graph, parameters) = network(&format!("kind = \"lstm\", kernel = 1, peepholes = {peepholes}"));
        let (x, hidden) = run(&graph, &parameters);
        let [input, recurrent, bias] = gates(&graph, &parameters, &["input", "output", "forget", "candidate"]);
        let mut constants = vec![
            constant("W", &[1, 4 * CHANNELS, CHANNELS], &input),
            constant("R", &[1, 4 * CHANNELS, CHANNELS], &recurrent),
            constant("B", &[1, 8 * CHANNELS], &[bias, zeros(4)].concat()),
        ];
        if peepholes {
            let weights = ["input", "output", "forget"].map(|name| {
                let id = graph.parameter_named(&format!("layer1.cell.peephole_{name}.weight")).unwrap();
                parameters.get(id).to_vec()
            });
            constants.push(constant("P", &[1, 3 * CHANNELS], &weights.concat()));
        }
        assert_close(&operator(&environment, "LSTM", x, constants), &hidden);
    }
}
