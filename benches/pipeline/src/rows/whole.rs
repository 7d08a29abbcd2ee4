//! The whole pipeline of salmock's topics, as an operator starts it: for the rows that measure from one end to the other.
//! A run has topics of its own, by the second part of their names.

use std::time::Duration;

use sal::avro::Options;
use schema_dir::SchemaDir;

use crate::bench::Bench;
use crate::endpoint::Endpoint;
use crate::failure::{Doing, Failure, Outcome};
use crate::process::Process;

/// The topics that salmock sends.
pub(super) const TOPICS: usize = 100;
const INIT_TIMEOUT: Duration = Duration::from_secs(60);

/// The stages of one run.
pub(super) struct Whole<'b> {
    bench: &'b Bench,
    /// The second part of the topics' names.
    pub(super) subname: String,
    schemas: String,
}

impl<'b> Whole<'b> {
    /// Registers the schemas and creates the topics.
    pub(super) async fn init(bench: &'b Bench, name: &str) -> Outcome<Self> {
        let whole = Self {
            bench,
            subname: bench.fresh(name),
            schemas: bench.args.schemas.display().to_string(),
        };
        let arguments = [
            "init",
            "--interfaces",
            &whole.schemas,
            "--wire-extras",
            "--replication",
            "1",
            "--subname",
            &whole.subname,
        ];
        let mut init = bench.command("saltransform", &arguments)?;
        match init.wait(INIT_TIMEOUT).await?.success() {
            true => Ok(whole),
            false => Err(Failure::Unexpected(format!("{} failed", init.name()))),
        }
    }

    /// A replica of influxsink that reads all topics.
    pub(super) fn sink(&self, into: &Endpoint, group: &str, more: &[&str]) -> Outcome<Process> {
        let (url, regex) = (into.url(), format!(r"^lsst\.{}\.", self.subname));
        let arguments = ["run", "--topic-regex", &regex, "--group", group, "--into", &url];
        self.bench.stage("influxsink", &[&arguments[..], more].concat())
    }

    /// A replica of saltransform.
    pub(super) fn transform(&self, more: &[&str]) -> Outcome<Process> {
        let (subsystems, group) = (
            self.subsystems()?.join(","),
            format!("{}-transform", self.subname),
        );
        let arguments = [
            "run",
            "--subsystem",
            &subsystems,
            "--group",
            &group,
            "--subname",
            &self.subname,
        ];
        self.bench.stage("saltransform", &[&arguments[..], more].concat())
    }

    /// salmock, which sends a message of each topic every `period` seconds.
    pub(super) fn salmock(&self, period: &str, more: &[&str]) -> Outcome<Process> {
        let most = TOPICS.to_string();
        let arguments = [
            "produce",
            "--interfaces",
            &self.schemas,
            "--max-topics",
            &most,
            "--period",
            period,
            "--subname",
            &self.subname,
        ];
        self.bench.stage("salmock", &[&arguments[..], more].concat())
    }

    /// The components of the topics that salmock sends, which are the first ones in alphabetical order.
    fn subsystems(&self) -> Outcome<Vec<String>> {
        let dir = SchemaDir::read(&self.bench.args.schemas).doing("read the schemas")?;
        let found = dir.schemas(&Options::default());
        let topics = found.schemas.iter().take(TOPICS);
        let mut names: Vec<String> = topics.map(|schema| schema.topic.component().to_owned()).collect();
        names.dedup();
        Ok(names)
    }
}
