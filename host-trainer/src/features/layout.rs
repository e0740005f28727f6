//! What each place of the feature array is.

use crate::data::Dataset;
use crate::error::{Result, TrainerError};
use convrnn_graph::{NodeId, Presentation, Shape, StepGraph, UnrollPlan, Wanted};
use convrnn_models::toml_file::nearest;

/// One image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// Place in the split of the data set that it comes from, whatever part of it was chosen.
    pub index: usize,
    /// Name of the image's file, or its place where it has none.
    pub name: String,
    /// Class; none where images are not labelled.
    pub label: Option<usize>,
}

/// A value of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureLayer {
    /// Path, for instance `layer3.output`.
    pub name: String,
    /// The node that computes it.
    pub node: NodeId,
    /// Its shape.
    pub shape: Shape,
    /// First step whose value depends on the image, from 1.
    pub first_image_step: Option<usize>,
}

/// What each place of the feature array is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// By presentation.
    pub presented: Vec<Presented>,
    /// Names of the classes; none where images are not labelled.
    pub class_names: Vec<String>,
    /// The layers, one after the other along the neuroids: channels, in them rows, in them columns.
    pub layers: Vec<FeatureLayer>,
    /// Number of time bins.
    pub steps: usize,
}

/// The values of the given names: taps, states, or nodes of the graph; every tap if there is no name.
///
/// # Errors
/// An unknown name, with the nearest known one; a name given twice.
pub fn layers(graph: &StepGraph, presentation: &Presentation, names: &[String]) -> Result<Vec<FeatureLayer>> {
    let plan = UnrollPlan::new(graph, presentation, Wanted::Everything);
    let taps = || graph.taps.iter().map(|tap| (tap.name.as_str(), tap.node));
    let states = || graph.states.iter().map(|state| (state.name.as_str(), state.next));
    let nodes = || graph.nodes.iter().enumerate().map(|(index, node)| (node.name.as_str(), NodeId(index)));
    let known = || taps().chain(states()).chain(nodes());
    let layer = |(name, node): (&str, NodeId)| FeatureLayer {
        name: name.to_owned(),
        node,
        shape: graph.nodes[node.0].shape,
        first_image_step: plan.first_image_driven(node),
    };
    if names.is_empty() {
        return Ok(taps().map(layer).collect());
    }
    let wrong = |expected: String, found: &str, hint: String| TrainerError::Invalid {
        what: "--layers",
        expected,
        found: found.to_owned(),
        hint,
    };
    let mut chosen: Vec<FeatureLayer> = Vec::new();
    for name in names {
        let found = known().find(|(known, _)| known == name).ok_or_else(|| {
            let near = nearest(name, known().map(|(name, _)| name)).map(|near| format!("did you mean {near}? "));
            let listed: Vec<&str> = taps().chain(states()).map(|(name, _)| name).collect();
            let hint = format!("{}Known, besides every operation: {}", near.unwrap_or_default(), listed.join(", "));
            wrong(format!("values of {}", graph.name), name, hint)
        })?;
        if chosen.iter().any(|layer| layer.name == *name) {
            return Err(wrong("each value once".into(), name, "remove one of the two".into()));
        }
        chosen.push(layer(found));
    }
    Ok(chosen)
}

impl Layout {
    /// The layout of every image of a set.
    pub fn new(images: &dyn Dataset, is_labelled: bool, layers: Vec<FeatureLayer>, steps: usize) -> Self {
        let presented = |index: usize| Presented {
            index: images.place(index),
            name: images.name(index),
            label: is_labelled.then(|| images.label(index)),
        };
        Self {
            presented: (0..images.len()).map(presented).collect(),
            class_names: if is_labelled { images.class_names().to_vec() } else { Vec::new() },
            layers,
            steps,
        }
    }

    /// Values of all layers together.
    pub fn neuroids(&self) -> usize {
        self.layers.iter().map(|layer| layer.shape.elements()).sum()
    }

    /// Bytes of the features, 4 a value.
    pub fn bytes(&self) -> u64 {
        4 * self.presented.len() as u64 * self.neuroids() as u64 * self.steps as u64
    }

    /// Class of each presentation, -1 where it is not labelled.
    pub fn labels(&self) -> Vec<i32> {
        self.presented.iter().map(|image| image.label.map_or(-1, |label| label as i32)).collect()
    }

    /// Class of each presentation by name, empty where it is not labelled.
    pub fn classes(&self) -> Vec<&str> {
        let name = |label: usize| self.class_names.get(label).map_or("", String::as_str);
        self.presented.iter().map(|image| image.label.map_or("", name)).collect()
    }

    /// Number of the layer, channel, row and column of each neuroid.
    pub fn places(&self) -> impl Iterator<Item = (usize, [i32; 3])> + Clone + '_ {
        self.layers.iter().enumerate().flat_map(|(layer, FeatureLayer { shape, .. })| {
            let (rows, columns) = (shape.height, shape.width);
            (0..shape.elements()).map(move |place| {
                let place = [place / (rows * columns), place / columns % rows, place % columns];
                (layer, place.map(|number| number as i32))
            })
        })
    }

    /// First image-driven step of each layer, 0 where there is none.
    pub fn first_image_steps(&self) -> Vec<i32> {
        self.layers.iter().map(|layer| layer.first_image_step.unwrap_or(0) as i32).collect()
    }

    /// Start and end of each time bin, in milliseconds.
    pub fn bins(&self) -> (Vec<f64>, Vec<f64>) {
        let edge = |step: usize| step as f64 * super::STEP_MILLISECONDS;
        ((0..self.steps).map(edge).collect(), (1..=self.steps).map(edge).collect())
    }
}
