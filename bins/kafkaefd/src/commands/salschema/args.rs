//! The command line of `kafkaefd salschema`. What `saltransform init` reads from the environment, too, has the same
//! variable here.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use sal::avro::Options;
use sal::name::{Dialect, check_subname};
use stage::config::RegistryArgs;
use stage::registry::PublishRules;

use super::diff::DiffArgs;
use super::github::GithubArgs;

/// SAL interface files to Avro schemas
#[derive(Args, Debug, Clone)]
pub struct SalschemaCommand {
    /// What to do.
    #[command(subcommand)]
    pub(super) action: Action,
}

#[derive(Subcommand, Debug, Clone)]
pub(super) enum Action {
    /// Convert SAL XML (and the cameras' .avsc files) to Avro schemas, and write, upload or print them
    #[command(
        after_help = "Exit code: 0 if all was read and delivered, 1 if something was left out (listed at the end, on \
                      stderr), 64 if the flags cannot be used, 69 if GitHub or the registry refuses access.\n\n\
                      From GitHub: kafkaefd salschema convert --xml-repo lsst-ts/ts_xml --dialect ts_xml --upload\n\n\
                      Example: kafkaefd salschema convert --xml-dir schemas --subsystem MTM1M3TS --write avro"
    )]
    Convert(ConvertArgs),
    Diff(DiffArgs),
}

/// Flags of `salschema convert`.
#[derive(Args, Debug, Clone)]
pub struct ConvertArgs {
    /// SAL XML repository (the directory that holds sal_interfaces), or its sal_interfaces itself; --xml-repo overrides it
    #[arg(long, env = "XML_DIR", value_name = "DIR")]
    pub xml_dir: Option<PathBuf>,

    /// Branch, tag or commit of --xml-repo; its default branch without one
    #[arg(long, value_name = "REF", requires = "xml_repo")]
    pub xml_repo_ref: Option<String>,

    /// Form of schemas and topics: efd (lsst.sal.Test_scalars) or ts_xml (lsst.sal.Test.scalars)
    #[arg(long, env = "DIALECT", default_value_t = Dialect::Efd, value_name = "efd|ts_xml")]
    pub dialect: Dialect,

    /// Second part of the Kafka topics' names
    #[arg(long, env = "SUBNAME", default_value = "sal", value_name = "NAME", value_parser = check_subname)]
    pub subname: String,

    /// Also keep what only the text wire carries (index, priority, SAL types): nothing is left to inference then
    #[arg(long, env = "WIRE_EXTRAS")]
    pub wire_extras: bool,

    /// Subsystems to convert, by name; all without it
    #[arg(long, short, env = "SUBSYSTEM", value_name = "S", num_args = 1.., value_delimiter = ',')]
    pub subsystem: Vec<String>,

    /// Write each schema to DIR/<SAL topic>.json, exactly as its owners publish it (efd: indent of 2, keys in
    /// alphabetical order; ts_xml: indent of 4, and the file's MD5 starts with the topic's revCode)
    #[arg(long, env = "WRITE_DIR", value_name = "DIR", group = "target")]
    pub write: Option<PathBuf>,

    /// Register each schema under <Kafka topic>-value; what is registered already counts as unchanged
    #[arg(long, group = "target")]
    pub upload: bool,

    /// With --upload: schemas without wire extras replace latest ones that have them
    #[arg(long, requires = "upload", conflicts_with = "wire_extras")]
    pub drop_wire_extras: bool,

    /// Print each schema to stdout, and the summary to stderr
    #[arg(long, group = "target")]
    pub print: bool,

    /// Give the summary as one JSON object (with --print: the schemas in it)
    #[arg(long)]
    pub json: bool,

    /// Where to read from instead of a directory.
    #[command(flatten)]
    pub github: GithubArgs,

    /// Where to upload to.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// Where the schemas go.
#[derive(Debug)]
pub(super) enum Target<'a> {
    /// Nowhere: the summary is all.
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
