//! TensorBoard event files: scalars by training step, one file an epoch.
//!
//! Each file is a function of one epoch's metrics, written whole and then renamed, and named by its epoch. So a
//! run that is killed and resumed shows every epoch once: an epoch that is trained again replaces its file.
//! TensorBoard reads the files of a folder one after the other in the order of their names.
//!
//! A file is a sequence of records:
//!
//! ```text
//! length u64 | masked CRC-32C of the length u32 | bytes | masked CRC-32C of the bytes u32      (little endian)
//! masked(c) = rotate_right(c, 15) + 0xa282ead8
//! ```

use crate::error::{Result, TrainerError};
use crate::measurement::Measurement;
use crate::metrics::EpochMetrics;
use prost::Message;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// `tensorflow.Event`, the fields that scalars need.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
}

/// `tensorflow.Summary`
#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    values: Vec<Value>,
}

/// `tensorflow.Summary.Value`
#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, tag = "2")]
    simple_value: f32,
}

/// Makes the files of a folder those of `metrics`: writes the last epoch's and any that is missing, and removes
/// any of an epoch that has not been (a crash may leave both).
///
/// # Errors
/// Files that cannot be written or removed.
pub fn write(folder: &Path, metrics: &[EpochMetrics]) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(TrainerError::io("create", folder))?;
    for entry in std::fs::read_dir(folder).map_err(TrainerError::io("read", folder))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let epoch =
            name.strip_prefix(PREFIX).and_then(|rest| rest.split('.').next()).and_then(|epoch| epoch.parse().ok());
        if epoch.is_some_and(|epoch: usize| epoch > metrics.len()) {
            std::fs::remove_file(entry.path()).map_err(TrainerError::io("remove", &entry.path()))?;
        }
    }
    for (index, epoch) in metrics.iter().enumerate() {
        let path = folder.join(format!("{PREFIX}{:06}.convrnn", epoch.epoch));
        if index + 1 == metrics.len() || !path.exists() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
            // TensorBoard would read a temporary file whose name contains "tfevents".
            let partial = folder.join(format!(".epoch-{}.{}.partial", epoch.epoch, std::process::id()));
            std::fs::write(&partial, file(epoch, now)).map_err(TrainerError::io("write", &partial))?;
            std::fs::rename(&partial, &path).map_err(TrainerError::io("rename to", &path))?;
        }
    }
    Ok(())
}

const PREFIX: &str = "events.out.tfevents.";

fn file(epoch: &EpochMetrics, wall_time: f64) -> Vec<u8> {
    let version = What::FileVersion("brain.Event:2".into());
    let values = scalars(epoch).into_iter().map(|(tag, value)| Value { tag, simple_value: value as f32 }).collect();
    let mut bytes = record(&Event { wall_time, step: 0, what: Some(version) });
    bytes.extend(record(&Event { wall_time, step: epoch.step as i64, what: Some(What::Summary(Summary { values })) }));
    bytes
}

/// Name and value of everything shown.
fn scalars(epoch: &EpochMetrics) -> Vec<(String, f64)> {
    let mut scalars: Vec<(String, f64)> = [
        ("epoch", epoch.epoch as f64),
        ("loss/train", epoch.train_loss),
        ("accuracy/train", epoch.train_accuracy),
        ("learning_rate", epoch.learning_rate),
        ("images_per_second", epoch.images_per_second),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if let Some(Measurement { split, loss, accuracy, accuracy_by_step }) = &epoch.measured {
        let key = split.key();
        scalars.extend([(format!("loss/{key}"), *loss), (format!("accuracy/{key}"), *accuracy)]);
        let steps = accuracy_by_step.iter().enumerate();
        scalars.extend(steps.map(|(index, &value)| (format!("{key}_accuracy_by_step/{:02}", index + 1), value)));
    }
    let last = |norm: &crate::state_norms::LayerNorm| norm.by_step.last().copied().unwrap_or(0.0);
    scalars.extend(epoch.state_norms.iter().map(|norm| (format!("state_norm/{}", norm.layer), last(norm))));
    scalars
}

fn record(event: &Event) -> Vec<u8> {
    let body = event.encode_to_vec();
    let length = (body.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), &body, &masked(&body)].concat()
}

fn masked(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::MeasuredSplit;

    fn epoch(epoch: usize) -> EpochMetrics {
        EpochMetrics {
            epoch,
            step: 10 * epoch as u64,
            learning_rate: 0.5,
            train_loss: 2.0,
            train_accuracy: 0.25,
            measured: Some(Measurement {
                split: MeasuredSplit::HeldOut,
                loss: 1.5,
                accuracy: 0.5,
                accuracy_by_step: vec![0.125, 0.5],
            }),
            state_norms: Vec::new(),
            images_per_second: 64.0,
            seconds: 1.0,
        }
    }

    /// Reads a file as TensorBoard does, with its checksums.
    fn read(path: &Path) -> Vec<Event> {
        let bytes = std::fs::read(path).unwrap();
        let mut rest = &bytes[..];
        let mut events = Vec::new();
        while !rest.is_empty() {
            let (length, after) = rest.split_at(8);
            assert_eq!(after[..4], masked(length));
            let count = u64::from_le_bytes(length.try_into().unwrap()) as usize;
            let body = &after[4..4 + count];
            assert_eq!(after[4 + count..][..4], masked(body));
            events.push(Event::decode(body).unwrap());
            rest = &after[8 + count..];
        }
        events
    }

    #[test]
    fn the_checksum_is_that_of_the_format() {
        // CRC-32C of "123456789" is e3069283 by its definition; the mask is TensorFlow's.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(u32::from_le_bytes(masked(b"123456789")), 0x2507_c60d_u32.wrapping_add(0xa282_ead8));
    }

    #[test]
    fn every_epoch_is_there_once_also_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let files = || {
            let mut names: Vec<_> =
                std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
            names.sort();
            names
        };
        let all = [epoch(1), epoch(2), epoch(3)];
        write(folder.path(), &all[..1]).unwrap();
        // Epoch 2 was saved, but the process died before its file; then epoch 3 is done.
        write(folder.path(), &all).unwrap();
        assert_eq!(files().len(), 3);
        let steps: Vec<i64> = files().iter().map(|path| read(path)[1].step).collect();
        assert_eq!(steps, [10, 20, 30]);
        // Resumed from the checkpoint of epoch 1: what came after is forgotten, then written again.
        write(folder.path(), &all[..1]).unwrap();
        assert_eq!(files().len(), 1);
        write(folder.path(), &all[..2]).unwrap();
        assert_eq!(files().len(), 2);
        let events = read(&files()[1]);
        assert_eq!(events[0].what, Some(What::FileVersion("brain.Event:2".into())));
        let Some(What::Summary(summary)) = &events[1].what else { panic!("a summary") };
        let value = |tag: &str| summary.values.iter().find(|value| value.tag == tag).map(|value| value.simple_value);
        assert_eq!(
            (value("loss/train"), value("held_out_accuracy_by_step/02"), value("epoch")),
            (Some(2.0), Some(0.5), Some(2.0))
        );
        assert_eq!((value("loss/held_out"), value("accuracy/held_out")), (Some(1.5), Some(0.5)));
        assert_eq!((value("loss/test"), value("accuracy/test")), (None, None), "tags name the images");
    }
}
