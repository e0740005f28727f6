//! Whether two data sets are the same, wherever their files lie.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::dataset::Dataset;
use super::words::counted;

/// What tells a data set from another one: the names of its classes, and name and label of every image, in order.
/// Pixels are not read.
///
/// ```text
/// digest = SHA-256(classes, (length, bytes) of each class name, images, (length, bytes, label) of each image)
/// ```
///
/// with every number as 8 bytes, little-endian. Images without files are called by their place (`0`, `1`, ...).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Number of images.
    pub images: usize,
    /// 64 hexadecimal digits.
    pub digest: String,
}

impl Identity {
    /// That of a data set.
    pub fn of(dataset: &dyn Dataset) -> Self {
        let mut hash = Sha256::new();
        let number = |hash: &mut Sha256, value: usize| hash.update((value as u64).to_le_bytes());
        number(&mut hash, dataset.class_names().len());
        for name in dataset.class_names() {
            number(&mut hash, name.len());
            hash.update(name);
        }
        number(&mut hash, dataset.len());
        for index in 0..dataset.len() {
            let name = dataset.name(index);
            number(&mut hash, name.len());
            hash.update(&name);
            number(&mut hash, dataset.label(index));
        }
        let digest = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Identity { images: dataset.len(), digest }
    }

    /// For messages: `60000 images, digest 0123456789abcdef`.
    pub fn describe(&self) -> String {
        let digest = self.digest.get(..16).unwrap_or(&self.digest);
        format!("{}, digest {digest}", counted(self.images, "images"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::{ImageShape, MemoryDataset};
    use super::*;

    fn of(names: [&str; 2], labels: Vec<u32>, level: u8) -> Identity {
        let shape = ImageShape { channels: 1, height: 1, width: 1 };
        let pixels = vec![level; labels.len()];
        Identity::of(&MemoryDataset::new(shape, names.map(String::from).into(), pixels, labels).unwrap())
    }

    #[test]
    fn the_digest_is_that_of_its_definition() {
        let found = of(["cat", "dog"], vec![0, 1], 0);
        // Python: h = hashlib.sha256(); n = lambda v: v.to_bytes(8, "little"); h.update(n(2) + n(3) + b"cat" + n(3) +
        // b"dog" + n(2) + n(1) + b"0" + n(0) + n(1) + b"1" + n(1)); h.hexdigest()
        assert_eq!(found, Identity { images: 2, digest: DIGEST.into() });
        assert_eq!(found.describe(), format!("2 images, digest {}", &DIGEST[..16]));
    }

    #[test]
    fn names_and_labels_count_and_pixels_do_not() {
        let found = of(["cat", "dog"], vec![0, 1], 0);
        assert_eq!(found, of(["cat", "dog"], vec![0, 1], 9));
        assert_ne!(found, of(["cat", "cow"], vec![0, 1], 0));
        assert_ne!(found, of(["catd", "og"], vec![0, 1], 0));
        assert_ne!(found, of(["cat", "dog"], vec![1, 0], 0));
        assert_ne!(found, of(["cat", "dog"], vec![0, 1, 1], 0));
    }

    const DIGEST: &str = "9011f7f50084c6bdb85857de3554690f8eba6fdb220131f349320b07693514b8";
}
