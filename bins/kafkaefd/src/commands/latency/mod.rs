//! `kafkaefd latency`: how long messages took from SAL to the Avro topics, by the moments that each record carries.
//!
//! ```text
//!  created ─▶ ingested ─▶ text topic ─▶ transformed ─▶ Avro topic
//!     └─ sal ────┘└── text ────┘└─ transform ─┘└── avro ───┘
//!     └──────────────────────── total ─────────────────────┘
//! ```
//! `times` reads a record's moments, `text` finds when its text came to Kafka, `spans` keeps the distances, `read` goes
//! through the topics, `report` and `svg` show them. When the database had it no record can hold: that is a metric of
//! influxsink's, `influxsink_point_age_seconds`.

mod read;
mod report;
mod spans;
mod svg;
mod text;
mod times;

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use regex::Regex;
use stage::config::{KafkaArgs, Moment, RegistryArgs, moment};
use stage::registry::Registry;

use crate::commands::reach;
use crate::commands::top::point_age;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, note, plural, warn};
use operator::cluster::{Cluster, Topic};
use operator::failure::Failure;
use read::Reader;
use report::Report;

/// Show how long messages took from SAL to the Avro topics
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Steps: sal_created (private_sndStamp) to sal_ingested (private_rcvStamp); to Kafka's time \
                  stamp of the text; to kafka_timestamp (private_kafkaStamp), which saltransform sets; to Kafka's time stamp of \
                  the Avro record. Texts are found by topic and sequence number. No record can hold when the database had it: \
                  --metrics asks influxsink.\n\n\
                  Example: kafkaefd latency --from -15m --filter MTMount --svg latency.svg"
)]
pub struct LatencyArgs {
    /// Only Avro topics whose names match; without it, all of lsst.*
    #[arg(long, value_name = "REGEX")]
    filter: Option<Regex>,
    /// Records from this moment on: 2026-11-21T10:00:00Z, 2026-11-21, or -90m before now
    #[arg(long, default_value = "-5m", value_name = "MOMENT", value_parser = moment, allow_hyphen_values = true)]
    from: Moment,
    /// Records before this moment; now, if it is not given
    #[arg(long, value_name = "MOMENT", value_parser = moment, allow_hyphen_values = true)]
    to: Option<Moment>,
    /// Do not read the text topics: less to read, and the two steps beside them stay unknown
    #[arg(long)]
    no_text: bool,
    /// Where the metrics of an influxsink are, HOST:PORT or a URL, as often as needed: adds how old its points were when the
    /// database had them
    #[arg(long, value_name = "URL")]
    metrics: Vec<String>,
    /// Draw each topic's distribution into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl LatencyArgs {
    /// Reads the window and shows it.
    pub async fn run(self) -> Result<Done, Failure> {
        let to = self.to.unwrap_or_else(Moment::now);
        if to <= self.from {
            return Err(Failure::Usage(format!(
                "--from {} is not before --to {to}",
                self.from
            )));
        }
        let registry = Registry::new(&self.registry)?;
        let cluster = reach(&self.kafka)?;
        let topics: Vec<&Topic> = cluster
            .topics
            .iter()
            .filter(|topic| self.is_meant(topic))
            .collect();
        let reader = Reader {
            cluster: &cluster,
            registry: &registry,
            from: self.from,
            to,
        };
        let texts = self.texts(&cluster, &topics);
        let window = tokio::task::block_in_place(|| reader.read(&texts, &topics))?;
        let age = point_age(&self.metrics)
            .await
            .map_err(|(url, why)| Failure::Away {
                service: "influxsink",
                url,
                flag: "--metrics",
                source: why.into(),
            })?;
        let report = Report::new(&window, self.from.to_string(), to.to_string(), &age);
        self.answer.print(&report, || report.table())?;
        if window.topics.is_empty() {
            note(&warn(format!(
                "none of {} holds a record of SAL's in this window; --from -1h looks farther back",
                plural(topics.len(), "topic")
            )));
        }
        if let Some(path) = &self.svg {
            self.draw(path, &window, &report)?;
        }
        if window.unread > 0 {
            note(&warn(format!(
                "{} not read to the end: nothing came any more",
                plural(window.unread, "partition")
            )));
            return Ok(Done::Partly);
        }
        Ok(Done::All)
    }

    fn is_meant(&self, topic: &Topic) -> bool {
        match &self.filter {
            Some(filter) => !topic.is_internal() && filter.is_match(&topic.name),
            None => topic.name.starts_with("lsst."),
        }
    }

    /// The text topics of the components that the Avro topics are of.
    fn texts<'c>(&self, cluster: &'c Cluster, topics: &[&Topic]) -> Vec<&'c Topic> {
        if self.no_text {
            return Vec::new();
        }
        let names: Vec<String> = topics
            .iter()
            .filter_map(|topic| text::sal_topic(&topic.name))
            .collect();
        let components: BTreeSet<&str> = names
            .iter()
            .filter_map(|name| Some(name.split_once('_')?.0))
            .collect();
        cluster
            .topics
            .iter()
            .filter(|topic| text::component(&topic.name).is_some_and(|name| components.contains(name)))
            .collect()
    }

    fn draw(&self, path: &PathBuf, window: &read::Window, report: &Report) -> Result<(), Failure> {
        let Some(svg) = svg::draw(window, &report.from, &report.to) else {
            note(&warn("nothing to draw"));
            return Ok(());
        };
        std::fs::write(path, svg).map_err(Failure::io(format!("writing {}", path.display())))?;
        note(&format!("drawn: {}", path.display()));
        Ok(())
    }
}
