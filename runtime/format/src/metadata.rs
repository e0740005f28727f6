//! What people and hosts want to know of a program; execution needs none of it.

use serde::{Deserialize, Serialize};

/// Stored in postcard, read in place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata<'a> {
    /// Name of the architecture.
    pub name: &'a str,
    /// Names of the classes, one a line.
    pub class_names: &'a str,
    /// Preprocessing as JSON, as in checkpoints and traces.
    pub preprocessing: &'a str,
    /// Steps of a presentation.
    pub steps: u32,
    /// Steps with the image on show.
    pub image_steps: u32,
    /// What wrote the program.
    pub producer: &'a str,
}

impl<'a> Metadata<'a> {
    /// Reads metadata.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes)
    }

    /// Writes metadata to the start of `bytes` and gives the part that was used.
    pub fn encode<'b>(&self, bytes: &'b mut [u8]) -> Result<&'b mut [u8], postcard::Error> {
        postcard::to_slice(self, bytes)
    }

    /// The names of the classes in order.
    pub fn classes(&self) -> impl Iterator<Item = &'a str> {
        self.class_names.lines()
    }
}
