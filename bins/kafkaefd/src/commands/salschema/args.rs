//! The flags of `kafkaefd salschema`. Those that `saltransform init` has too use the same environment variables.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use sal::avro::Options;
use sal::name::{DEFAULT_SUBNAME, Dialect, check_subname};
use schema_dir::InterfacesArgs;
use stage::config::RegistryArgs;
use stage::registry::PublishRules;

use super::diff::DiffArgs;
use super::github::GithubArgs;

/// Convert SAL interface files to Avro schemas, or compare two releases
#[derive(Args, Debug, Clone)]
pub struct SalschemaCommand {
    #[command(subcommand)]
    pub(super) action: Action,
}

#[derive(Subcommand, Debug, Clone)]
pub(super) enum Action {
    /// Convert SAL XML, and the cameras' .avsc files, to Avro schemas, and write, upload or print them
    #[command(
        after_help = "Exit codes: 0 everything was read and delivered; 1 something was left out or not uploaded, as listed at the end \
                      of stderr; 64 the flags cannot be used; 69 GitHub or the registry is unreachable or refuses access.\n\n\
                      From GitHub: kafkaefd salschema convert --xml-repo lsst-ts/ts_xml --dialect ts_xml --upload\n\n\
                      Example: kafkaefd salschema convert --interfaces schemas --subsystem MTM1M3TS --write avro"
    )]
    Convert(ConvertArgs),
    Diff(DiffArgs),
}

/// Flags of `salschema convert`.
#[derive(Args, Debug, Clone)]
#[command(mut_arg("interfaces", |arg| arg.help(
    "Folder of SAL interfaces: a SAL XML repository, which is the directory that contains sal_interfaces, or \
     sal_interfaces itself; --xml-repo overrides it"
)))]
pub struct ConvertArgs {
    /// Where the interfaces are.
    #[command(flatten)]
    pub interfaces: InterfacesArgs,

    /// Branch, tag or commit of --xml-repo [default: its default branch]
    #[arg(long, value_name = "REF", requires = "xml_repo")]
    pub xml_repo_ref: Option<String>,

    /// Dialect of schemas and topics: efd (lsst.sal.Test_scalars) or ts_xml (lsst.sal.Test.scalars)
    #[arg(long, env = "DIALECT", default_value_t, value_name = "efd|ts_xml")]
    pub dialect: Dialect,

    /// Second part of the names of Kafka topics
    #[arg(long, env = "SUBNAME", default_value = DEFAULT_SUBNAME, value_name = "NAME", value_parser = check_subname)]
    pub subname: String,

    /// Also keep what only the text format carries (index, priority, SAL types), so that nothing has to be inferred
    #[arg(long, env = "WIRE_EXTRAS")]
    pub wire_extras: bool,

    /// Names of subsystems to convert [default: all]
    #[arg(long, short, env = "SUBSYSTEM", value_name = "S", num_args = 1.., value_delimiter = ',')]
    pub subsystem: Vec<String>,

    /// Write each schema to DIR/<SAL topic>.json in the published form (efd: indented by 2, keys sorted; ts_xml:
    /// indented by 4, and the file's MD5 begins with the topic's revCode, except that of a topic from an .avsc file)
    #[arg(long, env = "WRITE_DIR", value_name = "DIR", group = "target")]
    pub write: Option<PathBuf>,

    /// Register each schema under <Kafka topic>-value; existing schemas are reported as unchanged
    #[arg(long, group = "target")]
    pub upload: bool,

    /// With --upload: allow schemas without wire extras to replace latest ones that have them
    #[arg(long, requires = "upload", conflicts_with = "wire_extras")]
    pub drop_wire_extras: bool,

    /// Print the schemas to stdout and the summary to stderr
    #[arg(long, group = "target")]
    pub print: bool,

    /// Print the summary as one JSON object, with --print including the schemas
    #[arg(long)]
    pub json: bool,

    /// The repository to read from instead of a directory.
    #[command(flatten)]
    pub github: GithubArgs,

    /// The registry to upload to.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// Where the schemas go.
#[derive(Debug)]
pub(super) enum Target<'a> {
    /// Nowhere: only the summary is printed.
    Summary,
    Print,
    Write(&'a Path),
    Upload(&'a RegistryArgs),
}

impl ConvertArgs {
    pub(super) fn options(&self) -> Options {
        Options {
            dialect: self.dialect,
            subname: self.subname.clone(),
            wire_extras: self.wire_extras,
            subsystems: self.subsystem.clone(),
        }
    }

    pub(super) fn rules(&self) -> PublishRules {
        PublishRules {
            objection: (!self.drop_wire_extras).then_some(sal::avro::lost_wire_extras),
            make_latest: false,
        }
    }

    pub(super) fn target(&self) -> Target<'_> {
        match &self.write {
            Some(dir) => Target::Write(dir),
            None if self.upload => Target::Upload(&self.registry),
            None if self.print => Target::Print,
            None => Target::Summary,
        }
    }
}
