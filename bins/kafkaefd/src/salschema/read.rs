//! The XML directory to schemas.

use std::collections::BTreeSet;
use std::path::PathBuf;

use pipeline::schema_dir::{SchemaDir, SchemaDirError};
use sal::avro::{self, Options, TopicSchema};
use sal::interface::{InterfaceError, Interfaces};

use super::args::ConvertArgs;

/// What the directory gave.
pub(super) struct Converted {
    pub(super) schemas: Vec<TopicSchema>,
    /// What was left out, in the order of the files.
    pub(super) errors: Vec<InterfaceError>,
}

/// The flags ask for what the directory does not have.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("cannot use --xml-dir")]
    Dir(#[from] SchemaDirError),
    #[error("--xml-dir {} holds Avro schemas already; expected SAL's interface files", dir.display())]
    Schemas { dir: PathBuf },
    #[error("--subsystem {wanted}: no such subsystem in --xml-dir; it has {there}")]
    Subsystem { wanted: String, there: String },
}

/// Reads and maps everything that the flags ask for.
pub(super) fn read(args: &ConvertArgs) -> Result<Converted, ReadError> {
    let SchemaDir::Interfaces(files) = SchemaDir::read(&args.xml_dir)? else {
        return Err(ReadError::Schemas {
            dir: args.xml_dir.clone(),
        });
    };
    let interfaces = Interfaces::read(&files);
    for wanted in &args.subsystem {
        // A subsystem whose files could not be read is there; what is wrong with them is told at the end.
        let unread = interfaces
            .errors
            .iter()
            .any(|error| error.place.file.rsplit('/').nth(1) == Some(wanted.as_str()));
        if interfaces.component(wanted).is_none() && !unread {
            let there: BTreeSet<&str> = interfaces.components.iter().map(|c| c.name.as_str()).collect();
            let there = there.into_iter().collect::<Vec<_>>().join(" ");
            return Err(ReadError::Subsystem {
                wanted: wanted.clone(),
                there,
            });
        }
    }
    let options = Options {
        dialect: args.dialect,
        subname: args.subname.clone(),
        wire_extras: args.wire_extras,
        subsystems: args.subsystem.clone(),
    };
    let mapping = avro::map(&interfaces, &options);
    let errors = interfaces.errors.into_iter().chain(mapping.errors);
    Ok(Converted {
        schemas: mapping.schemas,
        errors: errors.filter(|error| concerns(error, &args.subsystem)).collect(),
    })
}

/// Whether an error is about one of the wanted subsystems, or about a file that all of them share.
fn concerns(error: &InterfaceError, wanted: &[String]) -> bool {
    let folder = error.place.file.rsplit('/').nth(1).unwrap_or_default();
    wanted.is_empty() || folder == "sal_interfaces" || wanted.iter().any(|name| name == folder)
}
