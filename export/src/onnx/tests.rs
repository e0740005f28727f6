//! The messages of this crate beside another implementation's.

use super::{Frames, Logits, Source, Values, step_model, unrolled_model};
use convrnn_graph::Presentation;
use convrnn_graph::testing::random_trained_network;
use prost::Message;
use tract_onnx::pb;

/// tract's messages are generated from the specification's own file: what they decode must be what was written, and they
/// must write the same bytes.
#[test]
fn messages_are_the_bytes_that_generated_ones_write() {
    for seed in 0..12 {
        let network = random_trained_network(seed);
        let source = Source { graph: &network.graph, parameters: &network.parameters };
        let metadata = [("key".to_owned(), "value".to_owned())];
        let presentation = Presentation { steps: 4, image_steps: 2, blank: 0.25 };
        let models = [
            step_model(&source, Values::Every, &metadata),
            unrolled_model(&source, Frames::Presented(presentation), Logits::Every, Values::Named, &metadata),
            unrolled_model(&source, Frames::Sequence { steps: 3 }, Logits::Last, Values::Named, &metadata),
        ];
        for model in models {
            let bytes = model.encode_to_vec();
            let generated = pb::ModelProto::decode(bytes.as_slice()).unwrap();
            assert_eq!(generated.encode_to_vec(), bytes, "seed {seed}");
            let graph = generated.graph.as_ref().unwrap();
            let own = model.graph.as_ref().unwrap();
            assert_eq!((generated.ir_version, generated.opset_import[0].version), (8, 17));
            assert_eq!(generated.metadata_props[0].value, "value");
            assert_eq!((graph.node.len(), graph.initializer.len()), (own.node.len(), own.initializer.len()));
            for (theirs, ours) in graph.initializer.iter().zip(&own.initializer) {
                assert_eq!((&theirs.name, &theirs.dims, &theirs.raw_data), (&ours.name, &ours.dims, &ours.raw_data));
                let float = pb::tensor_proto::DataType::Float as i32;
                assert_eq!(theirs.data_type == float, ours.data_type == super::protobuf::DataType::Float as i32);
            }
            let ints = |name: &str| {
                let of = |node: &pb::NodeProto| node.attribute.iter().find(|a| a.name == name).map(|a| a.ints.clone());
                graph.node.iter().filter_map(of).collect::<Vec<_>>()
            };
            assert!(ints("pads").iter().all(|pads| pads.len() == 4) && !ints("kernel_shape").is_empty());
            let first = &graph.input[0].r#type.as_ref().unwrap().value;
            let Some(pb::type_proto::Value::TensorType(tensor)) = first else { panic!("an input that is no tensor") };
            let sizes = &tensor.shape.as_ref().unwrap().dim;
            let batch = pb::tensor_shape_proto::dimension::Value::DimParam("batch".into());
            assert_eq!(sizes[0].value, Some(batch));
        }
    }
}
