//! Hyper-parameters by key: some of [`Settings`] replaced by what a study file says.

use crate::settings::Settings;
use toml::{Table, Value};

/// `settings` with the given keys replaced. Tables are merged key by key, except those with a `kind`, which
/// are replaced whole.
///
/// # Errors
/// An unknown key (with the nearest known one), a value of the wrong type.
pub fn replace(settings: &Settings, changes: &Table) -> Result<Settings, String> {
    let mut table = to_table(settings);
    merge(&mut table, changes);
    let text = toml::to_string(&table).map_err(|error| error.to_string())?;
    convrnn_models::toml_file::parse(&text).map_err(|message| without_line(&message))
}

/// The value of a setting by its path, for instance `optimizer.clip`.
pub fn value_at(settings: &Settings, path: &str) -> Option<Value> {
    let mut value = Value::Table(to_table(settings));
    for key in path.split('.') {
        value = value.get(key)?.clone();
    }
    Some(value)
}

/// Where a study file has what an option of `convrnn-train train` sets: option and key. What trials hold out is another thing,
/// `tuning.hold_out`.
const KEYS: [(&str, &str); 31] = [
    ("accumulate", "settings.accumulate"),
    ("batch", "settings.batch"),
    ("classes", "classes"),
    ("clip", "settings.optimizer.clip"),
    ("colour-jitter", "settings.augmentation.colours"),
    ("data", "data"),
    ("device", "settings.device"),
    ("ema-decay", "settings.ema_decay"),
    ("epochs", "settings.epochs"),
    ("flip", "settings.augmentation.flip"),
    ("hold-out", "settings.selection"),
    ("image-steps", "image_steps"),
    ("label-smoothing", "settings.loss.label_smoothing"),
    ("learning-rate", "settings.learning_rate"),
    ("limit", "settings.limit"),
    ("loss-steps", "settings.loss.steps"),
    ("momentum", "settings.optimizer.momentum"),
    ("precision", "settings.precision"),
    ("save-every", "settings.save_every"),
    ("schedule", "settings.schedule"),
    ("seed", "seeds"),
    ("select-on", "settings.selection"),
    ("sequence", "settings.sequence"),
    ("shift", "settings.augmentation.pad"),
    ("short-side", "settings.augmentation.short_side"),
    ("steps", "steps"),
    ("threads", "settings.threads"),
    ("unroll", "unroll"),
    ("warm-up", "settings.warm_up"),
    ("weight-decay", "settings.optimizer.weight_decay"),
    ("weight-decay-of", "settings.optimizer.weight_decay"),
];

/// The key of a study file that says what an option of `convrnn-train train` does.
pub fn key_of(option: &str) -> Option<&'static str> {
    KEYS.iter().find(|(name, _)| *name == option).map(|(_, key)| *key)
}

/// A table with one value at a path.
pub fn table_of(path: &str, value: Value) -> Table {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let value = rest.map_or(value.clone(), |rest| Value::Table(table_of(rest, value)));
    Table::from_iter([(first.to_owned(), value)])
}

fn to_table(settings: &Settings) -> Table {
    Table::try_from(settings).expect("every hyper-parameter has a TOML form")
}

/// Puts `changes` over `table`.
pub fn merge(table: &mut Table, changes: &Table) {
    for (key, change) in changes {
        match (table.get_mut(key), change) {
            (Some(Value::Table(inner)), Value::Table(changes)) if !changes.contains_key("kind") => {
                merge(inner, changes);
            }
            (Some(Value::Float(value)), Value::Integer(whole)) => *value = *whole as f64,
            _ => {
                table.insert(key.clone(), change.clone());
            }
        }
    }
}

/// The line is that of the merged text, which nobody has seen.
fn without_line(message: &str) -> String {
    match message.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((_, rest)) => rest.to_owned(),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Schedule;

    fn changed(text: &str) -> Result<Settings, String> {
        replace(&Settings::default(), &toml::from_str(text).unwrap())
    }

    #[test]
    fn keys_are_replaced_and_the_rest_stays() {
        let settings = changed("learning_rate = 1\noptimizer.clip = 0.25\nschedule = { kind = \"cosine\" }").unwrap();
        let mut expected = Settings { learning_rate: 1.0, schedule: Schedule::Cosine, ..Settings::default() };
        expected.optimizer.clip = 0.25;
        assert_eq!(settings, expected);
        assert_eq!(value_at(&settings, "optimizer.clip"), Some(Value::Float(0.25)));
        assert_eq!(value_at(&settings, "optimizer.clap"), None);
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_nearest() {
        let error = changed("learning_rat = 1.0").unwrap_err();
        assert!(error.starts_with("unknown key \"learning_rat\"; did you mean \"learning_rate\"?"), "{error}");
        let error = changed("optimizer.clop = 1.0").unwrap_err();
        assert!(error.contains("did you mean \"clip\"?"), "{error}");
        assert!(changed("epochs = \"many\"").is_err());
    }

    #[test]
    fn the_keys_of_options_are_those_of_the_settings() {
        for (option, key) in KEYS {
            let Some(path) = key.strip_prefix("settings.") else { continue };
            // A value of the wrong type is refused, but not as an unknown key.
            let error = replace(&Settings::default(), &table_of(path, Value::Array(vec![Value::Boolean(true)])));
            let error = error.unwrap_err();
            assert!(!error.contains("unknown key"), "--{option}: {error}");
        }
    }

    #[test]
    fn a_path_becomes_nested_tables() {
        assert_eq!(table_of("a.b.c", Value::Integer(3)), toml::from_str("a.b.c = 3").unwrap());
    }
}
