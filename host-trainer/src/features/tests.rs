use super::*;
use crate::data::{Source, Split, Subset};
use crate::parameters::{initialize, to_tensors};
use convrnn_graph::{Interpreter, Parameters, StepGraph};
use convrnn_models::catalogue;
use netcdf3::FileReader;
use npyz::NpyFile;
use std::sync::Arc;
use tch::{Device, Kind};

struct Fixture {
    graph: StepGraph,
    parameters: Parameters<f32>,
    images: SharedDataset,
    preprocessing: Preprocessing,
    presentation: Presentation,
}

impl Fixture {
    fn new() -> Self {
        let graph = catalogue::find("rgc-28-m4").unwrap().lower().unwrap();
        let images = Source::parse("rendered:size=28,train=16,test=7").unwrap().load(Split::Test).unwrap();
        let preprocessing = Preprocessing {
            channels: 1,
            height: 28,
            width: 28,
            mean: vec![0.5],
            standard_deviation: vec![0.25],
            decoding: Default::default(),
        };
        let presentation = Presentation { steps: 6, image_steps: 4, blank: 0.0 };
        Self { parameters: initialize(&graph, 4), graph, images, preprocessing, presentation }
    }

    fn layout(&self, names: &[&str]) -> Layout {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let layers = layers(&self.graph, &self.presentation, &names).unwrap();
        Layout::new(&*self.images, true, layers, self.presentation.steps)
    }

    fn write(&self, layout: &Layout, paths: &[PathBuf], largest: u64) -> Result<()> {
        let mut workers = Workers::new(&self.graph, Kind::Float, Device::Cpu, 2).unwrap();
        let parameters = to_tensors(&self.graph, &self.parameters, Device::Cpu).unwrap();
        let subject = Subject {
            parameters: &parameters,
            preprocessing: &self.preprocessing,
            presentation: &self.presentation,
            images: &self.images,
        };
        write(&mut workers, &subject, layout, paths, largest, &mut |_| {})
    }

    /// Features by the f64 reference, `[presentation, neuroid, time_bin]`.
    fn expected(&self, layout: &Layout) -> Vec<f64> {
        let parameters = self.parameters.to_f64();
        let mut all = Vec::new();
        for index in 0..self.images.len() {
            let mut interpreter = Interpreter::new(&self.graph, &parameters);
            let pixels = self.images.image(index).unwrap().pixels;
            let frame = self.preprocessing.normalize(&pixels).into_iter().map(f64::from).collect();
            let frame = convrnn_graph::Tensor::new(self.graph.frame, frame);
            let blank = convrnn_graph::Tensor::new(self.graph.frame, vec![0.0; self.graph.frame.elements()]);
            let steps: Vec<Vec<f64>> = (1..=self.presentation.steps)
                .map(|step| {
                    let shown = if self.presentation.shows_image(step) { &frame } else { &blank };
                    let values = interpreter.step(shown);
                    layout.layers.iter().flat_map(|layer| values[layer.node.0].values.clone()).collect()
                })
                .collect();
            all.extend(
                (0..layout.neuroids())
                    .flat_map(|neuroid| steps.iter().map(move |step| step[neuroid]).collect::<Vec<_>>()),
            );
        }
        all
    }
}

fn assert_close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(*found) - expected).abs() < 1e-4 * expected.abs().max(1.0), "{place}: {found} {expected}");
    }
}

/// An array of a `.npz` file.
fn array<T: npyz::Deserialize>(path: &Path, name: &str) -> (Vec<u64>, Vec<T>) {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let entry = zip.by_name(&format!("{name}.npy")).unwrap();
    let file = NpyFile::new(entry).unwrap();
    (file.shape().to_vec(), file.into_vec().unwrap())
}

#[test]
fn both_files_hold_what_the_reference_computes_and_where_it_belongs() {
    let fixture = Fixture::new();
    let folder = tempfile::tempdir().unwrap();
    let [npz, nc] = ["features.npz", "features.nc"].map(|name| folder.path().join(name));
    let layout = fixture.layout(&["layer3.output", "layer2.hidden", "layer1.output"]);
    fixture.write(&layout, &[npz.clone(), nc.clone()], u64::MAX).unwrap();
    let expected = fixture.expected(&layout);

    let (shape, features) = array::<f32>(&npz, "features");
    assert_eq!(shape, [7, layout.neuroids() as u64, 6]);
    assert_close(&features, &expected);
    let mut reader = FileReader::open(&nc).unwrap();
    let set = reader.data_set();
    assert_eq!(set.get_var("features").unwrap().dim_names(), ["presentation", "neuroid", "time_bin"]);
    assert!(set.get_var_attr_as_string("features", "coordinates").unwrap().contains("first_image_step"));
    assert_eq!(reader.read_var_f32("features").unwrap(), features);

    // Coordinates: the neuroid of layer 2's hidden state at channel 1, row 2, column 3.
    let [third, second, _] = &layout.layers[..] else { panic!("three layers") };
    let shape = second.shape;
    let neuroid = third.shape.elements() + (shape.height + 2) * shape.width + 3;
    let (_, layers) = array::<String>(&npz, "layer");
    assert_eq!((layers.len(), layers[neuroid].as_str()), (layout.neuroids(), "layer2.hidden"));
    for (name, value) in [("channel", 1), ("row", 2), ("column", 3), ("first_image_step", 2)] {
        assert_eq!(array::<i32>(&npz, name).1[neuroid], value, "{name}");
        assert_eq!(reader.read_var_i32(name).unwrap()[neuroid], value, "{name}");
    }
    assert_eq!(array::<i32>(&npz, "layer_first_image_step").1, [3, 2, 1]);
    assert_eq!(array::<f64>(&npz, "time_bin_end").1, [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
    assert_eq!(reader.read_var_f64("time_bin_start").unwrap(), [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]);
    let labels: Vec<i32> = (0..7).map(|index| fixture.images.label(index) as i32).collect();
    assert_eq!(array::<i32>(&npz, "label").1, labels);
    assert_eq!(reader.read_var_i32("label").unwrap(), labels);
    assert_eq!(array::<String>(&npz, "image_name").1[6], "6");
    assert_eq!(array::<String>(&npz, "class_name").1[6], fixture.images.class_names()[labels[6] as usize]);
    let text = reader.read_var_u8("layer").unwrap();
    let length = text.len() / layout.neuroids();
    assert_eq!(&text[neuroid * length..][..13], b"layer2.hidden");

    // Before its first image-driven step a value is the same for all images, from it on it is not.
    let at = |image: usize, step: usize| features[(image * layout.neuroids() + neuroid) * 6 + step - 1];
    assert!((1..7).all(|image| at(image, 1) == at(0, 1)) && (1..7).any(|image| at(image, 2) != at(0, 2)));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
}

#[test]
fn an_image_of_a_part_has_its_place_in_the_whole_data_set() {
    let fixture = Fixture::new();
    let part: SharedDataset = Arc::new(Subset::new(Arc::clone(&fixture.images), vec![5, 2, 6]).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let [npz, nc] = ["features.npz", "features.nc"].map(|name| folder.path().join(name));
    let fixture = Fixture { images: Arc::clone(&part), ..fixture };
    let layout = fixture.layout(&["layer3.output"]);
    fixture.write(&layout, &[npz.clone(), nc.clone()], u64::MAX).unwrap();
    assert_eq!(array::<i32>(&npz, "image_index").1, [5, 2, 6]);
    assert_eq!(FileReader::open(&nc).unwrap().read_var_i32("image_index").unwrap(), [5, 2, 6]);
    assert_eq!(array::<String>(&npz, "image_name").1, ["5", "2", "6"]);
    assert_close(&array::<f32>(&npz, "features").1, &fixture.expected(&layout));
}

#[test]
fn wrong_requests_write_nothing() {
    let fixture = Fixture::new();
    let folder = tempfile::tempdir().unwrap();
    let layout = fixture.layout(&[]);
    assert_eq!(layout.layers.len(), fixture.graph.taps.len());
    let npz = folder.path().join("features.npz");
    let bytes = layout.bytes();
    assert_eq!(bytes, 4 * 7 * 6 * layout.neuroids() as u64);
    let error = fixture.write(&layout, std::slice::from_ref(&npz), bytes - 1).unwrap_err().to_string();
    assert!(error.contains("--max-size") && error.contains("7 images"), "{error}");
    let error = fixture.write(&layout, &[npz, folder.path().join("features.csv")], bytes).unwrap_err().to_string();
    assert!(error.contains(".npz") && error.contains("features.csv"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    for (names, expected) in [
        (["layer3.outputs", "layer1.output"], "did you mean layer3.output?"),
        (["layer1.output"; 2], "each value once"),
    ] {
        let error = layers(&fixture.graph, &fixture.presentation, &names.map(String::from)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
