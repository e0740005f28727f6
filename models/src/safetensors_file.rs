//! Named tensors in one safetensors file.

use crate::error::FileError;
use crate::files;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;
use std::path::Path;

/// A tensor to be written or as read: element type, dimensions, little-endian bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Path of the tensor.
    pub name: String,
    /// Element type.
    pub dtype: Dtype,
    /// Dimensions, row major.
    pub shape: Vec<usize>,
    /// Values, little endian.
    pub bytes: Vec<u8>,
}

impl NamedTensor {
    /// A tensor of f32.
    pub fn from_f32(name: &str, shape: &[usize], values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { name: name.into(), dtype: Dtype::F32, shape: shape.to_vec(), bytes }
    }

    /// A tensor of i64.
    pub fn from_i64(name: &str, shape: &[usize], values: &[i64]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { name: name.into(), dtype: Dtype::I64, shape: shape.to_vec(), bytes }
    }

    /// A tensor of u8.
    pub fn from_u8(name: &str, shape: &[usize], values: Vec<u8>) -> Self {
        Self { name: name.into(), dtype: Dtype::U8, shape: shape.to_vec(), bytes: values }
    }

    /// The values, if they are f32.
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        (self.dtype == Dtype::F32)
            .then(|| self.bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    /// The values, if they are i64.
    pub fn to_i64(&self) -> Option<Vec<i64>> {
        let value = |b: &[u8]| i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
        (self.dtype == Dtype::I64).then(|| self.bytes.chunks_exact(8).map(value).collect())
    }
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorFile {
    /// Tensors in no particular order.
    pub tensors: Vec<NamedTensor>,
    /// Text by key.
    pub metadata: HashMap<String, String>,
}

impl TensorFile {
    /// Reads a whole file.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let bytes = files::read(path, files::LARGEST_TENSORS)?;
        let content = |error: safetensors::SafeTensorError| FileError::Content {
            path: path.into(),
            message: format!("is not a whole safetensors file ({error}); it is truncated or damaged"),
        };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(content)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let file = SafeTensors::deserialize(&bytes).map_err(content)?;
        let tensors = file
            .iter()
            .map(|(name, view)| NamedTensor {
                name: name.into(),
                dtype: view.dtype(),
                shape: view.shape().to_vec(),
                bytes: view.data().to_vec(),
            })
            .collect();
        Ok(Self { tensors, metadata })
    }

    /// Writes under a temporary name, then renames.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        let content = |error: safetensors::SafeTensorError| FileError::Content {
            path: path.into(),
            message: format!("cannot be written as safetensors: {error}"),
        };
        let views = self
            .tensors
            .iter()
            .map(|tensor| {
                TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes).map(|view| (&tensor.name, view))
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(content)?;
        let bytes = safetensors::serialize(views, Some(self.metadata.clone())).map_err(content)?;
        files::write_whole(path, &bytes)
    }

    /// One tensor.
    pub fn get(&self, name: &str) -> Option<&NamedTensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }
}
