//! Interface files to schemas.

use std::collections::BTreeSet;

use sal::avro::{self, Options, TopicSchema};
use sal::interface::{InterfaceError, Interfaces};

use super::source::Source;
use operator::failure::Failure;

/// What the files gave.
pub(super) struct Converted {
    pub(super) schemas: Vec<TopicSchema>,
    /// What was left out, in the order of the files.
    pub(super) errors: Vec<InterfaceError>,
    /// Names that were asked for and are nowhere, and those that are there.
    unknown: Vec<String>,
    there: BTreeSet<String>,
}

/// Reads and maps everything that `options` ask for.
pub(super) fn read(source: &Source, options: &Options) -> Converted {
    let interfaces = Interfaces::read(&source.files);
    let is_unknown = |wanted: &&String| {
        // A subsystem whose files could not be read is there; what is wrong with them is told at the end.
        let unread = interfaces
            .errors
            .iter()
            .any(|error| error.place.file.rsplit('/').nth(1) == Some(wanted.as_str()));
        interfaces.component(wanted).is_none() && !unread
    };
    let unknown = options.subsystems.iter().filter(is_unknown).cloned().collect();
    let there = interfaces
        .components
        .iter()
        .map(|component| component.name.clone());
    let there = there.collect();
    let mapping = avro::map(&interfaces, options);
    let errors = interfaces.errors.into_iter().chain(mapping.errors);
    Converted {
        schemas: mapping.schemas,
        errors: errors
            .filter(|error| concerns(error, &options.subsystems))
            .collect(),
        unknown,
        there,
    }
}

impl Converted {
    /// Fails if a subsystem was asked for that is not there.
    pub(super) fn check_subsystems(&self, source: &Source) -> Result<(), Failure> {
        let Some(wanted) = self.unknown.first() else {
            return Ok(());
        };
        let there: Vec<&str> = self.there.iter().map(String::as_str).collect();
        Err(Failure::Usage(format!(
            "--subsystem {wanted}: no such subsystem in {}; it has {}",
            source.name,
            there.join(" ")
        )))
    }

    /// The same for a comparison, where one of both is enough.
    pub(super) fn check_subsystems_with(&self, other: &Self) -> Result<(), Failure> {
        match self.unknown.iter().find(|wanted| other.unknown.contains(wanted)) {
            None => Ok(()),
            Some(wanted) => {
                let there: Vec<&str> = self.there.union(&other.there).map(String::as_str).collect();
                Err(Failure::Usage(format!(
                    "--subsystem {wanted}: no such subsystem in either; they have {}",
                    there.join(" ")
                )))
            }
        }
    }
}

/// Whether an error is about one of the wanted subsystems, or about a file that all of them share.
fn concerns(error: &InterfaceError, wanted: &[String]) -> bool {
    let folder = error.place.file.rsplit('/').nth(1).unwrap_or_default();
    wanted.is_empty() || folder == "sal_interfaces" || wanted.iter().any(|name| name == folder)
}
