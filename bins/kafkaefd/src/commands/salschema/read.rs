//! Reads interface files and converts them to schemas.

use std::collections::BTreeSet;

use sal::avro::{self, Options, TopicSchema};
use sal::interface::{Component, InterfaceError, Interfaces};
use sal::name::Dialect;

use super::source::Source;
use crate::terminal::plural;
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
    /// Those that are only listed in `SALSubsystems.xml`, and not converted unless they are named.
    listed_only: Vec<String>,
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
    let name = |component: &Component| component.name.clone();
    let available = interfaces.components.iter().map(name).collect();
    let listed_only = interfaces.listed_only.iter().map(name).collect();
    let mapping = avro::map(&interfaces, options);
    let errors = interfaces.errors.into_iter().chain(mapping.errors);
    Converted {
        schemas: mapping.schemas,
        errors: errors
            .filter(|error| concerns(error, &options.subsystems))
            .collect(),
        unknown,
        available,
        listed_only,
    }
}

impl Converted {
    /// What to say of subsystems that were not converted because their folders are absent; `None` if there are none.
    pub(super) fn left_aside(&self, options: &Options) -> Option<String> {
        let first = self.listed_only.first()?;
        let is_meant = options.dialect == Dialect::TsXml && options.subsystems.is_empty();
        is_meant.then(|| {
            format!(
                "SALSubsystems.xml also lists {} without a folder here ({first}{}); --subsystem {first} converts the \
                 generic topics of one",
                plural(self.listed_only.len(), "subsystem"),
                if self.listed_only.len() > 1 { ", …" } else { "" },
            )
        })
    }

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
