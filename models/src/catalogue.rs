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
pub const ENTRIES: &[(&str, &str)] = entries![
    "ff-6",
    "ff-6-wider",
    "ff-11",
    "basenet-18",
    "resnet-18",
    "resnet-34",
    "rgc-6",
    "rgc-shallow",
    "vanilla-shallow",
    "time-decay-shallow",
    "gru-shallow",
    "lstm-shallow",
    "ugrnn-shallow",
    "intersection-shallow",
    "rgc-median",
    "rgc-median-local",
    "vanilla-intermediate",
    "time-decay-intermediate",
    "gru-intermediate",
    "lstm-intermediate",
    "ugrnn-intermediate",
    "intersection-intermediate",
    "ff-28",
    "vanilla-28",
    "time-decay-28",
    "gru-28",
    "lstm-28",
    "lstm-peephole-28",
    "ugrnn-28",
    "intersection-28",
    "rgc-28",
    "rgc-28-m4",
    "rgc-shallow-28",
    "rgc-median-28",
    "intermediate-28",
    "search-28",
    "resnet-28",
    "ff-32",
    "vanilla-32",
    "time-decay-32",
    "gru-32",
    "lstm-32",
    "ugrnn-32",
    "intersection-32",
    "rgc-32",
    "rgc-shallow-32",
    "rgc-median-32",
    "intermediate-32",
    "resnet-32",
];

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
    fn parameters_are_those_of_the_paper_and_of_the_released_models() {
        let published = [
            ("ff-6", 4_197_736),
            ("ff-6-wider", 14_145_512),
            ("ff-11", 7_602_792),
            ("basenet-18", 16_403_432),
            ("resnet-18", 11_689_512),
            ("resnet-34", 21_797_672),
            ("rgc-shallow", 23_956_840),
            ("rgc-median", 15_445_800),
        ];
        for (name, parameters) in published {
            assert_eq!(Report::new(&find(name).unwrap()).unwrap().parameters, parameters, "{name}");
        }
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
