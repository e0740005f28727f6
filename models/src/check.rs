//! What must hold of an architecture before it is lowered.

use crate::architecture::Architecture;
use crate::edge::{Edge, EdgeKind, Entry};
use crate::error::ArchitectureError;
use crate::layer::Layer;
use crate::padding::LayerPadding;

/// Sides, channels, kernels and strides that are taken for meant.
const EXTENT: std::ops::RangeInclusive<usize> = 1..=65536;

/// Convolutions of one layer.
const MOST_CONVOLUTIONS: usize = 64;

impl Architecture {
    pub(crate) fn check(&self, origin: &str) -> Result<(), ArchitectureError> {
        let origin = origin.to_owned();
        self.presentation
            .check()
            .map_err(|source| ArchitectureError::Presentation { origin: origin.clone(), source })?;
        let longest = convrnn_graph::presentation::LONGEST;
        if let Some(steps) = self.minimal_unroll.filter(|steps| !(1..=longest).contains(steps)) {
            let message = format!("minimal_unroll is {steps}, expected 1 to {longest}");
            return Err(ArchitectureError::Syntax { origin, message });
        }
        // Names become names of folders and files.
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        if !self.name.starts_with(|first: char| first.is_ascii_alphanumeric()) || !self.name.chars().all(is_plain) {
            let message =
                format!("name is {:?}, expected letters, digits, '.', '_' and '-', a letter or digit first", self.name);
            return Err(ArchitectureError::Syntax { origin, message });
        }
        let input = self.input;
        for (name, value) in [("channels", input.channels), ("height", input.height), ("width", input.width)] {
            if !EXTENT.contains(&value) {
                let message = format!("input.{name} is {value}, expected {} to {}", EXTENT.start(), EXTENT.end());
                return Err(ArchitectureError::Syntax { origin, message });
            }
        }
        if self.layers.is_empty() {
            let message = "has no [[layer]], expected at least one".into();
            return Err(ArchitectureError::Syntax { origin, message });
        }
        for (index, layer) in self.layers.iter().enumerate() {
            layer.check().map_err(|message| ArchitectureError::Layer {
                origin: origin.clone(),
                layer: index + 1,
                message,
            })?;
        }
        EdgeKind::ALL.into_iter().try_for_each(|kind| self.check_edges(&origin, kind))
    }

    fn check_edges(&self, origin: &str, kind: EdgeKind) -> Result<(), ArchitectureError> {
        let (count, edges) = (self.layers.len(), self.edges_of(kind));
        for (index, &Edge { from, to, entry, .. }) in edges.iter().enumerate() {
            let (origin, what) = (origin.to_owned(), kind.name());
            let fail = |message: String| Err(ArchitectureError::Edge { origin, what, from, to, message });
            if let Some(layer) = [from, to].into_iter().find(|&layer| layer == 0 || layer > count) {
                return fail(format!("layer {layer} does not exist; the layers are 1 to {count}"));
            }
            if let Err(message) = kind.check(from, to) {
                return fail(message.into());
            }
            if edges[..index].iter().any(|other| (other.from, other.to, other.entry) == (from, to, entry)) {
                let entry = entry.name();
                return fail(format!(
                    "is declared twice with entry = \"{entry}\": remove one, or give it another entry"
                ));
            }
            let needs_cell = match entry {
                Entry::Concatenate | Entry::CellInput => false,
                Entry::CellHidden | Entry::CellOutput => true,
            };
            if needs_cell && self.layers[to - 1].cell.is_none() {
                return fail(format!("enters a cell, and layer {to} has none; use entry = \"concatenate\""));
            }
        }
        Ok(())
    }
}

impl Layer {
    fn check(&self) -> Result<(), String> {
        if self.convolutions.is_empty() || self.convolutions.len() > MOST_CONVOLUTIONS {
            return Err(format!("has {} convolutions, expected 1 to {MOST_CONVOLUTIONS}", self.convolutions.len()));
        }
        for convolution in &self.convolutions {
            extent("convolution.kernel", convolution.kernel)?;
            extent("convolution.channels", convolution.channels)?;
            extent("convolution.stride", convolution.stride)?;
        }
        if let Some(pool) = &self.pool {
            extent("pool.kernel", pool.kernel)?;
            extent("pool.stride", pool.stride.unwrap_or(1))?;
        }
        let paddings = self.convolutions.iter().map(|convolution| convolution.padding);
        let widest = paddings.chain(self.pool.map(|pool| pool.padding)).map(LayerPadding::widest).max().unwrap_or(0);
        if widest > *EXTENT.end() {
            return Err(format!("padding is {widest}, expected at most {}", EXTENT.end()));
        }
        let count = self.convolutions.len();
        match (self.cell_after, &self.cell) {
            (Some(_), None) => Err("has cell_after but no cell; give the layer a cell".into()),
            (Some(after), Some(_)) if !(1..=count).contains(&after) => {
                Err(format!("cell_after is {after}, expected 1 to {count} (the layer's convolutions)"))
            }
            (Some(_) | None, _) => Ok(()),
        }
    }
}

fn extent(name: &str, value: usize) -> Result<(), String> {
    match EXTENT.contains(&value) {
        true => Ok(()),
        false => Err(format!("{name} is {value}, expected {} to {}", EXTENT.start(), EXTENT.end())),
    }
}
