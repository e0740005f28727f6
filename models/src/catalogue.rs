//! The architectures that come with the program.

use crate::architecture::Architecture;
use crate::error::ArchitectureError;
use crate::toml_file::nearest;
use std::path::Path;

macro_rules! entries {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../catalogue/", $name, ".toml")))),*]
    };
}

/// Name and text of every entry.
pub const ENTRIES: &[(&str, &str)] =
    entries!["ff-6", "rgc-6", "ff-28", "vanilla-28", "rgc-28", "rgc-28-m4", "ff-32", "rgc-32",];

/// An entry by name, or an architecture file by path (whatever has a separator or ends in `.toml`).
pub fn find(name: &str) -> Result<Architecture, ArchitectureError> {
    if let Some((_, text)) = ENTRIES.iter().find(|(entry, _)| *entry == name) {
        return Architecture::parse(text, name);
    }
    if name.ends_with(".toml") || name.contains(std::path::MAIN_SEPARATOR) {
        return Architecture::read(Path::new(name));
    }
    let names = || ENTRIES.iter().map(|(entry, _)| *entry);
    let hint = nearest(name, names()).map_or(String::new(), |near| format!("; did you mean \"{near}\"?"));
    Err(ArchitectureError::Unknown { name: name.into(), hint, known: names().collect::<Vec<_>>().join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    #[test]
    fn every_entry_is_valid_named_as_its_file_and_survives_a_round_trip() {
        for (name, _) in ENTRIES {
            let architecture = find(name).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(&architecture.name, name);
            assert!(!architecture.description.is_empty(), "{name}");
            let again = Architecture::parse(&architecture.to_toml(), name).unwrap();
            assert_eq!(again, architecture);
            let warnings = Report::new(&architecture).unwrap().warnings(&architecture.presentation);
            assert!(warnings.iter().all(|warning| warning.contains("blank")), "{name}: {warnings:?}");
        }
    }

    #[test]
    fn the_six_layer_net_has_the_papers_parameters() {
        assert_eq!(Report::new(&find("ff-6").unwrap()).unwrap().parameters, 4_197_736);
    }

    #[test]
    fn the_net_for_the_microcontroller_is_small_enough() {
        assert!(Report::new(&find("rgc-28-m4").unwrap()).unwrap().multiply_accumulates <= 1_200_000);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let error = find("vanila-28").unwrap_err().to_string();
        assert!(error.contains("did you mean \"vanilla-28\""), "{error}");
    }
}
