//! What was measured, under names that say on which images.

use crate::selection::MeasuredSplit;
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;

/// Figures of a network on a set of images. In `metrics.jsonl`, of held-out images: `held_out_loss`,
/// `held_out_accuracy` and `held_out_accuracy_by_step`; `validation_loss` or `test_loss` and so on of the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// Which images these are.
    pub split: MeasuredSplit,
    /// Mean cross-entropy at the last time step, in nats.
    pub loss: f64,
    /// Share of the images answered right at the last time step.
    pub accuracy: f64,
    /// The same by time step, from step 1.
    pub accuracy_by_step: Vec<f64>,
}

/// As fields of a record.
pub(crate) fn serialize<S: Serializer>(measured: &Option<Measurement>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    if let Some(Measurement { split, loss, accuracy, accuracy_by_step }) = measured {
        let key = split.key();
        map.serialize_entry(&format!("{key}_loss"), loss)?;
        map.serialize_entry(&format!("{key}_accuracy"), accuracy)?;
        map.serialize_entry(&format!("{key}_accuracy_by_step"), accuracy_by_step)?;
    }
    map.end()
}

/// The inverse, from all fields of a record that have no other meaning.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Measurement>, D::Error> {
    let fields = BTreeMap::<String, Value>::deserialize(deserializer)?;
    let Some(split) =
        MeasuredSplit::ALL.into_iter().find(|split| fields.contains_key(&format!("{}_accuracy", split.key())))
    else {
        return Ok(None);
    };
    let value = |name: &str| {
        let key = format!("{}_{name}", split.key());
        fields.get(&key).cloned().ok_or_else(|| D::Error::custom(format!("missing field `{key}`")))
    };
    let number = |name| serde_json::from_value(value(name)?).map_err(D::Error::custom);
    Ok(Some(Measurement {
        split,
        loss: number("loss")?,
        accuracy: number("accuracy")?,
        // Outcomes of runs of earlier studies have none.
        accuracy_by_step: match fields.get(&format!("{}_accuracy_by_step", split.key())) {
            Some(values) => serde_json::from_value(values.clone()).map_err(D::Error::custom)?,
            None => Vec::new(),
        },
    }))
}
