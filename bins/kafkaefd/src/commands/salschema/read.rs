//! Reads interface files and converts them to schemas.

use std::collections::BTreeSet;

use sal::avro::{self, Options, TopicSchema};
use sal::interface::{InterfaceError, Interfaces};

use super::source::Source;
use operator::failure::Failure;

/// The schemas of the interface files, and the errors.
pub(super) struct Converted {
    pub(super) schemas: Vec<TopicSchema>,
    /// Why files or topics were left out, in the order of the files.
    pub(super) errors: Vec<InterfaceError>,
    /// Requested subsystems that do not exist.
    unknown: Vec<String>,
    /// All subsystems that exist.
    available: BTreeSet<String>,
}

/// Reads the files and maps the subsystems that `options` select.
pub(super) fn read(source: &Source, options: &Options) -> Converted {
    let interfaces = Interfaces::read(&source.files);
    let is_unknown = |wanted: &&String| {
        // A subsystem whose files could not be read exists; the errors are reported at the end.
        let unread = interfaces
            .errors
            .iter()
            .any(|error| error.place.file.rsplit('/').nth(1) == Some(wanted.as_str()));
        interfaces.component(wanted).is_none() && !unread
    };
    let unknown = options.subsystems.iter().filter(is_unknown).cloned().collect();
    let available = interfaces
        .components
        .iter()
        .map(|component| component.name.clone());
    let available = available.collect();
    let mapping = avro::map(&interfaces, options);
    let errors = interfaces.errors.into_iter().chain(mapping.errors);
    Converted {
        schemas: mapping.schemas,
        errors: errors
            .filter(|error| concerns(error, &options.subsystems))
            .collect(),
        unknown,
        available,
    }
}

impl Converted {
    /// Fails if a requested subsystem does not exist.
    pub(super) fn check_subsystems(&self, source: &Source) -> Result<(), Failure> {
        let Some(wanted) = self.unknown.first() else {
            return Ok(());
        };
        let available: Vec<&str> = self.available.iter().map(String::as_str).collect();
        Err(Failure::Usage(format!(
            "--subsystem {wanted}: no such subsystem in {}; it has {}",
            source.name,
            available.join(" ")
        )))
    }

    /// The same for a comparison, where it is enough if one of the two has the subsystem.
    pub(super) fn check_subsystems_with(&self, other: &Self) -> Result<(), Failure> {
        match self.unknown.iter().find(|wanted| other.unknown.contains(wanted)) {
            None => Ok(()),
            Some(wanted) => {
                let available: Vec<&str> = self
                    .available
                    .union(&other.available)
                    .map(String::as_str)
                    .collect();
                Err(Failure::Usage(format!(
                    "--subsystem {wanted}: no such subsystem in either; they have {}",
                    available.join(" ")
                )))
            }
        }
    }
}

/// Whether an error is about one of the selected subsystems or about a file that all of them share.
fn concerns(error: &InterfaceError, wanted: &[String]) -> bool {
    let folder = error.place.file.rsplit('/').nth(1).unwrap_or_default();
    wanted.is_empty() || folder == "sal_interfaces" || wanted.iter().any(|name| name == folder)
}
