//! IDX files, the format of MNIST and its many relatives.
//!
//! Layout (big-endian): bytes 0 and 0, a type code (8 = unsigned byte), the number of dimensions,
//! one u32 a dimension, then the values. Files may be gzipped; that is seen from their first two
//! bytes, not from the name. Source: the description at the end of LeCun's MNIST page.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::dataset::{ImageShape, MemoryDataset, Split};
use super::error::{DataError, Result};

/// Unsigned bytes in three dimensions: image, row, column.
const IMAGES: [u8; 4] = [0, 0, 8, 3];
/// Unsigned bytes in four dimensions: image, row, column, channel.
const COLOUR_IMAGES: [u8; 4] = [0, 0, 8, 4];
/// Unsigned bytes in one dimension.
const LABELS: [u8; 4] = [0, 0, 8, 1];
/// More than this in one file is a damaged header rather than a set that fits in memory.
const LARGEST: u64 = 1 << 34;

/// Loads one split of an IDX folder: `{train,t10k,test}-{images-idx3,labels-idx1}-ubyte`, with
/// `.gz` or without, `-idx` or `.idx`.
///
/// Class names come from `classes.txt` in the folder (one a line) or else are the numbers up to
/// the largest label of either split. There is no validation split in this format.
///
/// # Errors
/// [`DataError::Split`] for the validation split; [`DataError::Missing`], [`DataError::Io`] and, for wrong magic numbers, sizes, counts or
/// labels, [`DataError::Format`].
pub fn load(folder: &Path, split: Split) -> Result<MemoryDataset> {
    if !folder.is_dir() {
        return Err(DataError::Missing {
            what: "folder",
            path: folder.to_path_buf(),
            hint: "give the folder that holds `train-images-idx3-ubyte.gz` and its three companions".into(),
        });
    }
    let images_path = find(folder, split, "images", &["idx3", "idx4"])?;
    let labels_path = find(folder, split, "labels", &["idx1"])?;
    let (shape, count, pixels) = read_images(&images_path)?;
    let labels = read_labels(&labels_path)?;
    if labels.len() != count {
        return Err(DataError::Format {
            path: labels_path,
            what: "number of labels",
            expected: format!("{count}, as many as images in {}", images_path.display()),
            found: labels.len().to_string(),
            hint: "take images and labels of the same split",
        });
    }
    let class_names = class_names(folder, &labels_path, &labels, split)?;
    MemoryDataset::new(shape, class_names, pixels, labels.into_iter().map(u32::from).collect())
}

/// Which splits a folder has the labels of.
pub fn has(folder: &Path, split: Split) -> bool {
    find(folder, split, "labels", &["idx1"]).is_ok()
}

fn no_validation(folder: &Path) -> DataError {
    DataError::Split {
        path: folder.to_path_buf(),
        wanted: Split::Validation.name(),
        expected: "a form of data set that has one: folder:PATH with a folder `val`".into(),
        found: "IDX files, which are a training and a test split".into(),
        hint: "choose another split; training holds out training images instead",
    }
}

/// Finds the file of one split and kind under one of its usual names.
fn find(folder: &Path, split: Split, kind: &str, dimensions: &[&str]) -> Result<PathBuf> {
    let prefixes: &[&str] = match split {
        Split::Train => &["train"],
        Split::Validation => return Err(no_validation(folder)),
        Split::Test => &["t10k", "test"],
    };
    for prefix in prefixes {
        for dimension in dimensions {
            for separator in ["-", "."] {
                for suffix in ["", ".gz"] {
                    let path = folder.join(format!("{prefix}-{kind}{separator}{dimension}-ubyte{suffix}"));
                    if path.is_file() {
                        return Ok(path);
                    }
                }
            }
        }
    }
    Err(DataError::Missing {
        what: "file",
        path: folder.join(format!("{}-{kind}-{}-ubyte[.gz]", prefixes[0], dimensions[0])),
        hint: "put the four IDX files of the data set into this folder under their usual names".into(),
    })
}

/// Opens a file, gzipped or not.
fn open(path: &Path) -> Result<Box<dyn Read>> {
    let mut start = [0u8; 2];
    let mut file = File::open(path).map_err(|error| DataError::io("open", path, error))?;
    let compressed = file.read_exact(&mut start).is_ok() && start == [0x1f, 0x8b];
    let file = File::open(path).map_err(|error| DataError::io("open", path, error))?;
    let buffered = BufReader::with_capacity(1 << 16, file);
    Ok(if compressed { Box::new(MultiGzDecoder::new(buffered)) } else { Box::new(buffered) })
}

/// Reads until the buffer is full or the data ends; how much came.
fn fill(reader: &mut dyn Read, buffer: &mut [u8], path: &Path) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // A gzip stream cut short reports this instead of an early end.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(DataError::io("read or decompress", path, error)),
        }
    }
    Ok(filled)
}

/// Reads an IDX file whose magic number is one of `magics`: its dimensions and values.
fn read(path: &Path, magics: &[[u8; 4]], kind: &'static str) -> Result<(Vec<usize>, Vec<u8>)> {
    const HINT: &str = "the file is damaged or not an IDX file: fetch it again";
    let mut reader = open(path)?;
    let mut magic = [0u8; 4];
    let truncated = |what, expected: usize, found: usize| DataError::Format {
        path: path.to_path_buf(),
        what,
        expected: format!("{expected} bytes"),
        found: format!("{found} bytes before the end of the file"),
        hint: HINT,
    };
    let got = fill(&mut *reader, &mut magic, path)?;
    if got < magic.len() {
        return Err(truncated("magic number", magic.len(), got));
    }
    if !magics.contains(&magic) {
        let known: Vec<String> = magics.iter().map(|magic| format!("{:#010x}", u32::from_be_bytes(*magic))).collect();
        return Err(DataError::Format {
            path: path.to_path_buf(),
            what: kind,
            expected: known.join(" or "),
            found: format!("{:#010x}", u32::from_be_bytes(magic)),
            hint: HINT,
        });
    }
    let mut header = vec![0u8; 4 * usize::from(magic[3])];
    let got = fill(&mut *reader, &mut header, path)?;
    if got < header.len() {
        return Err(truncated("dimensions", header.len(), got));
    }
    let dimensions: Vec<u32> =
        header.chunks_exact(4).map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]])).collect();
    let total = dimensions.iter().try_fold(1u64, |total, &extent| total.checked_mul(u64::from(extent)));
    let total = match total {
        Some(total) if total > 0 && total <= LARGEST => total as usize,
        _ => {
            return Err(DataError::Format {
                path: path.to_path_buf(),
                what: "dimensions",
                expected: format!("1 to {LARGEST} values in all"),
                found: format!("{dimensions:?}"),
                hint: HINT,
            });
        }
    };
    // Grow with what really comes, so that a damaged header cannot ask for memory that no data backs.
    let mut values = Vec::new();
    while values.len() < total {
        let before = values.len();
        values.resize((before + (1 << 24)).min(total), 0);
        let got = fill(&mut *reader, &mut values[before..], path)?;
        if before + got < values.len() {
            return Err(truncated("values", total, before + got));
        }
    }
    if fill(&mut *reader, &mut [0u8; 1], path)? != 0 {
        return Err(DataError::Format {
            path: path.to_path_buf(),
            what: "values",
            expected: format!("{total} bytes, as dimensions {dimensions:?} say"),
            found: "more".into(),
            hint: HINT,
        });
    }
    Ok((dimensions.into_iter().map(|extent| extent as usize).collect(), values))
}

/// Reads an image file: the shape of an image, their number, and pixels `[n, height, width, channels]`.
fn read_images(path: &Path) -> Result<(ImageShape, usize, Vec<u8>)> {
    let (dimensions, pixels) = read(path, &[IMAGES, COLOUR_IMAGES], "magic number of an image file")?;
    let channels = dimensions.get(3).copied().unwrap_or(1);
    if channels != 1 && channels != 3 {
        return Err(DataError::Format {
            path: path.to_path_buf(),
            what: "channels (fourth dimension)",
            expected: "1 or 3".into(),
            found: channels.to_string(),
            hint: "write colour images as [image, row, column, channel]",
        });
    }
    Ok((ImageShape { channels, height: dimensions[1], width: dimensions[2] }, dimensions[0], pixels))
}

fn read_labels(path: &Path) -> Result<Vec<u8>> {
    Ok(read(path, &[LABELS], "magic number of a label file")?.1)
}

/// Names from `classes.txt`, or numbers up to the largest label of both splits, so that both
/// agree on the number of classes even if one lacks the last.
fn class_names(folder: &Path, labels_path: &Path, labels: &[u8], split: Split) -> Result<Vec<String>> {
    let largest = labels.iter().copied().max().unwrap_or(0);
    let list = folder.join("classes.txt");
    if list.is_file() {
        let text = std::fs::read_to_string(&list).map_err(|error| DataError::io("read", &list, error))?;
        let names: Vec<String> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect();
        if names.len() <= usize::from(largest) {
            return Err(DataError::Format {
                path: list,
                what: "number of class names",
                expected: format!(
                    "at least {}, since {} holds label {largest}",
                    usize::from(largest) + 1,
                    labels_path.display()
                ),
                found: names.len().to_string(),
                hint: "write one name a line, in the order of the labels",
            });
        }
        return Ok(names);
    }
    let other = match split {
        Split::Train | Split::Validation => Split::Test,
        Split::Test => Split::Train,
    };
    let other_largest = match find(folder, other, "labels", &["idx1"]) {
        Ok(path) => read_labels(&path)?.into_iter().max().unwrap_or(0),
        Err(_) => 0,
    };
    Ok((0..=largest.max(other_largest)).map(|label| label.to_string()).collect())
}

#[cfg(test)]
#[path = "idx_tests.rs"]
mod tests;
