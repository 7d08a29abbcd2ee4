//! Counts of converted topics by subsystem, as a table and as a JSON object.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use sal::avro::TopicSchema;
use sal::name::{Dialect, Kind};
use serde_json::{Map, Value, json};

use super::read::Converted;
use super::upload::Uploaded;
use crate::terminal::plural;

/// Counts of one subsystem or of all.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    telemetry: usize,
    events: usize,
    commands: usize,
    ackcmd: usize,
    fields: usize,
}

/// The result of a conversion.
pub(super) struct Summary {
    dialect: Dialect,
    /// The repository and its commit; `None` for a directory.
    source: Option<String>,
    subsystems: BTreeMap<String, Counts>,
    total: Counts,
    errors: Vec<String>,
    wrote: Option<String>,
    uploaded: Option<(String, Uploaded)>,
    printed: Map<String, Value>,
}

impl Summary {
    pub(super) fn of(dialect: Dialect, converted: &Converted) -> Self {
        let mut subsystems: BTreeMap<String, Counts> = BTreeMap::new();
        let mut total = Counts::default();
        for schema in &converted.schemas {
            subsystems
                .entry(schema.topic.component().to_owned())
                .or_default()
                .add(schema);
            total.add(schema);
        }
        Self {
            dialect,
            source: None,
            subsystems,
            total,
            errors: converted.errors.iter().map(ToString::to_string).collect(),
            wrote: None,
            uploaded: None,
            printed: Map::new(),
        }
    }

    pub(super) fn read_from(&mut self, source: &str) {
        self.source = Some(source.to_owned());
    }

    pub(super) fn wrote(&mut self, dir: &Path) {
        self.wrote = Some(dir.display().to_string());
    }

    pub(super) fn uploaded(&mut self, registry: &str, uploaded: Uploaded) {
        self.uploaded = Some((registry.to_owned(), uploaded));
    }

    pub(super) fn print_schemas(&mut self, schemas: &[TopicSchema]) {
        self.printed = schemas
            .iter()
            .map(|schema| (schema.kafka_topic.clone(), schema.schema.clone()))
            .collect();
    }

    /// The registry's refusals.
    pub(super) fn refused(&self) -> &[String] {
        self.uploaded
            .as_ref()
            .map_or(&[], |(_, uploaded)| &uploaded.refused)
    }

    /// `{"dialect","subsystems":{NAME:{counts}},"total":{counts},"errors":[…]}` and, depending on the flags, `source`
    /// (for a repository), `written_to`, `uploaded`, `schemas`.
    pub(super) fn json(&self) -> Value {
        let subsystems: Map<String, Value> = self
            .subsystems
            .iter()
            .map(|(name, counts)| (name.clone(), counts.json()))
            .collect();
        let mut object = json!({
            "dialect": self.dialect.to_string(),
            "subsystems": subsystems,
            "total": self.total.json(),
            "errors": self.errors,
        });
        if let Some(source) = &self.source {
            object["source"] = json!(source);
        }
        if let Some(dir) = &self.wrote {
            object["written_to"] = json!(dir);
        }
        if let Some((registry, uploaded)) = &self.uploaded {
            object["uploaded"] = json!({
                "registry": registry,
                "new": uploaded.new,
                "changed": uploaded.changed,
                "unchanged": uploaded.unchanged,
                "refused": uploaded.refused,
            });
        }
        if !self.printed.is_empty() {
            object["schemas"] = self.printed.clone().into();
        }
        object
    }
}

impl Counts {
    fn add(&mut self, schema: &TopicSchema) {
        match schema.kind {
            Kind::Telemetry => self.telemetry += 1,
            Kind::Event => self.events += 1,
            Kind::Command => self.commands += 1,
            Kind::Ackcmd => self.ackcmd += 1,
        }
        self.fields += schema.field_names().count();
    }

    fn topics(&self) -> usize {
        self.telemetry + self.events + self.commands + self.ackcmd
    }

    fn json(&self) -> Value {
        json!({
            "telemetry": self.telemetry,
            "events": self.events,
            "commands": self.commands,
            "ackcmd": self.ackcmd,
            "fields": self.fields,
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only the current dialect has the topic ackcmd.
        let ackcmd = |text: String| {
            if self.dialect == Dialect::TsXml {
                text
            } else {
                String::new()
            }
        };
        let width = self
            .subsystems
            .keys()
            .map(String::len)
            .max()
            .unwrap_or_default()
            .max("subsystem".len());
        writeln!(
            f,
            "{:width$}  telemetry  events  commands{}  fields",
            "subsystem",
            ackcmd("  ackcmd".to_owned())
        )?;
        let total = std::iter::once(("total", &self.total));
        for (name, counts) in self
            .subsystems
            .iter()
            .map(|(name, counts)| (name.as_str(), counts))
            .chain(total)
        {
            let Counts {
                telemetry,
                events,
                commands,
                fields,
                ..
            } = counts;
            let ackcmd = ackcmd(format!("{:>8}", counts.ackcmd));
            writeln!(
                f,
                "{name:width$}{telemetry:>11}{events:>8}{commands:>10}{ackcmd}{fields:>8}"
            )?;
        }
        let topics = self.total.topics();
        write!(f, "{} in dialect {}", plural(topics, "schema"), self.dialect)?;
        if let Some(dir) = &self.wrote {
            write!(f, ", written to {dir}")?;
        }
        if let Some((registry, uploaded)) = &self.uploaded {
            let Uploaded {
                new,
                changed,
                unchanged,
                refused,
            } = uploaded;
            write!(
                f,
                ", at {registry}: {new} new, {changed} changed, {unchanged} unchanged"
            )?;
            if !refused.is_empty() {
                write!(f, ", {} refused", refused.len())?;
            }
        }
        if !self.errors.is_empty() {
            write!(f, "; {} left out", self.errors.len())?;
        }
        Ok(())
    }
}
