//! Compatibility levels and their checks.
//!
//! "Backward" means that the new schema can read data written with the old one. apache-avro checks each pair;
//! if it finds that only *some* data could be read (an enum lost a symbol, a union lost a branch), the result
//! is "incompatible", as in Confluent's registry.

use std::fmt;
use std::str::FromStr;

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};

use super::problem::Problem;

/// A compatibility level, global or of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level {
    /// The new schema must be able to read old data.
    backward: bool,
    /// Old schemas must be able to read new data.
    forward: bool,
    /// Checks all earlier versions instead of the latest only.
    transitive: bool,
}

impl Level {
    /// Confluent's default.
    pub(crate) const BACKWARD: Level = Level {
        backward: true,
        forward: false,
        transitive: false,
    };

    /// Whether all earlier versions are checked, or only the latest.
    pub(crate) fn is_transitive(self) -> bool {
        self.transitive
    }

    /// Why `new` is not allowed after `old`, one sentence per direction; empty if it is allowed.
    pub(crate) fn objections(self, old: &Schema, new: &Schema) -> Vec<String> {
        let backward = self.backward.then(|| objection("BACKWARD", old, new));
        let forward = self.forward.then(|| objection("FORWARD", new, old));
        backward.into_iter().chain(forward).flatten().collect()
    }
}

fn objection(direction: &str, writer: &Schema, reader: &Schema) -> Option<String> {
    match SchemaCompatibility::can_read(writer, reader) {
        Ok(Compatibility::Full) => None,
        Ok(Compatibility::Partial) => Some(format!(
            "{direction} compatibility: only some of the values could be read (enum symbols or union branches)"
        )),
        Err(error) => Some(format!("{direction} compatibility: {error}")),
    }
}

const NAMES: [(&str, Level); 7] = [
    (
        "NONE",
        Level {
            backward: false,
            forward: false,
            transitive: false,
        },
    ),
    ("BACKWARD", Level::BACKWARD),
    (
        "BACKWARD_TRANSITIVE",
        Level {
            backward: true,
            forward: false,
            transitive: true,
        },
    ),
    (
        "FORWARD",
        Level {
            backward: false,
            forward: true,
            transitive: false,
        },
    ),
    (
        "FORWARD_TRANSITIVE",
        Level {
            backward: false,
            forward: true,
            transitive: true,
        },
    ),
    (
        "FULL",
        Level {
            backward: true,
            forward: true,
            transitive: false,
        },
    ),
    (
        "FULL_TRANSITIVE",
        Level {
            backward: true,
            forward: true,
            transitive: true,
        },
    ),
];

impl FromStr for Level {
    type Err = Problem;

    fn from_str(name: &str) -> Result<Level, Problem> {
        let known = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known
            .map(|(_, level)| *level)
            .ok_or_else(|| Problem::InvalidCompatibility(name.to_owned()))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = NAMES.iter().find(|(_, level)| level == self);
        f.write_str(known.map_or("NONE", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: &str) -> Schema {
        Schema::parse_str(&format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#)).unwrap()
    }

    fn allows(level: &str, old: &Schema, new: &Schema) -> bool {
        level.parse::<Level>().unwrap().objections(old, new).is_empty()
    }

    #[test]
    fn every_level_reads_and_prints_its_name() {
        for (name, level) in NAMES {
            assert_eq!(name.to_lowercase().parse::<Level>(), Ok(level));
            assert_eq!(level.to_string(), name);
        }
        let problem = "SOME".parse::<Level>().unwrap_err();
        assert_eq!(problem.code(), 42203);
    }

    #[test]
    fn each_direction_is_checked_only_for_its_level() {
        let old = record(r#"{"name":"a","type":"int"}"#);
        let with_default = record(r#"{"name":"a","type":"int"},{"name":"b","type":"int","default":0}"#);
        let without_default = record(r#"{"name":"a","type":"int"},{"name":"b","type":"int"}"#);
        // (level, b added with a default, b added without one, b without a default removed)
        for (level, with, without, removed) in [
            ("NONE", true, true, true),
            ("BACKWARD", true, false, true),
            ("FORWARD", true, true, false),
            ("FULL", true, false, false),
        ] {
            for level in [level.to_owned(), format!("{level}_TRANSITIVE")] {
                if level == "NONE_TRANSITIVE" {
                    continue;
                }
                assert_eq!(allows(&level, &old, &with_default), with, "{level}");
                assert_eq!(allows(&level, &old, &without_default), without, "{level}");
                assert_eq!(allows(&level, &without_default, &old), removed, "{level}");
            }
        }
    }

    #[test]
    fn a_removed_enum_symbol_is_incompatible() {
        let old = Schema::parse_str(r#"{"type":"enum","name":"E","symbols":["A","B"]}"#).unwrap();
        let new = Schema::parse_str(r#"{"type":"enum","name":"E","symbols":["A"]}"#).unwrap();
        assert!(!allows("BACKWARD", &old, &new));
        assert!(allows("FORWARD", &old, &new));
    }
}
