//! The flag of a folder of SAL interfaces: one name in all binaries, and its names of earlier releases.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

/// The flag and its names of earlier releases, each with its variable.
#[derive(Args, Debug)]
struct Names {
    /// Folder of SAL interfaces
    #[arg(long, env = "INTERFACES", value_name = "DIR")]
    interfaces: Option<PathBuf>,

    /// saltransform's and kafkaefd's name for it
    #[arg(long, env = "XML_DIR", value_name = "DIR", hide = true)]
    xml_dir: Option<PathBuf>,

    /// salmock's name for it
    #[arg(long, env = "SCHEMAS", value_name = "DIR", hide = true)]
    schemas: Option<PathBuf>,
}

/// The ids of the names, the newest first.
const NAMES: [&str; 3] = ["interfaces", "xml_dir", "schemas"];

/// The folder, under whichever name; a flag wins over any variable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfacesArgs {
    /// The folder.
    pub dir: Option<PathBuf>,
}

impl Args for InterfacesArgs {
    fn augment_args(command: Command) -> Command {
        Names::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Names::augment_args_for_update(command)
    }
}

impl FromArgMatches for InterfacesArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |source: ValueSource| {
            let of_source = move |name: &&str| matches.value_source(name) == Some(source);
            NAMES.into_iter().filter(of_source)
        };
        if given(ValueSource::CommandLine).count() > 1 {
            let text = "--interfaces is given twice: --xml-dir and --schemas are other names for it\n";
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, text));
        }
        let set = |name: &&str| {
            let value = matches
                .get_raw(name)
                .and_then(|mut values| values.next().map(OsString::from));
            value.filter(|value| !value.is_empty())
        };
        let flag = given(ValueSource::CommandLine).find_map(|name| set(&name));
        let dir = flag.or_else(|| given(ValueSource::EnvVariable).find_map(|name| set(&name)));
        Ok(Self {
            dir: dir.map(PathBuf::from),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser, Debug)]
    struct Cli {
        #[command(flatten)]
        interfaces: InterfacesArgs,
    }

    fn dir(arguments: &[&str]) -> Result<Option<PathBuf>, String> {
        let arguments = std::iter::once(&"stage").chain(arguments);
        match Cli::try_parse_from(arguments) {
            Ok(cli) => Ok(cli.interfaces.dir),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn every_name_gives_the_folder() {
        assert_eq!(dir(&[]), Ok(None));
        for name in ["--interfaces", "--xml-dir", "--schemas"] {
            assert_eq!(dir(&[name, "a"]), Ok(Some("a".into())), "{name}");
        }
        let twice = dir(&["--xml-dir", "a", "--interfaces", "b"]).unwrap_err();
        assert!(twice.contains("given twice"), "{twice}");
    }
}
