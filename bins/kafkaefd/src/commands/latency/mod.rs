//! `kafkaefd latency`: shows how long messages took from SAL to the Avro topics, which [`operator::latency`] measures.

mod svg;
mod table;

use std::path::{Path, PathBuf};

use clap::Args;
use operator::failure::Failure;
use operator::latency::{Query, Report, Window, measure};
use operator::stages::point_age;
use regex::Regex;
use stage::config::{KafkaArgs, RegistryArgs, Timestamp, parse_timestamp};
use stage::registry::Registry;

use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, bars, note, plural, warn};

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
    #[arg(long, default_value = "-5m", value_name = "MOMENT", value_parser = parse_timestamp, allow_hyphen_values = true)]
    from: Timestamp,
    /// Records before this moment; now, if it is not given
    #[arg(long, value_name = "MOMENT", value_parser = parse_timestamp, allow_hyphen_values = true)]
    to: Option<Timestamp>,
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
        let query = Query {
            filter: self.filter.clone(),
            from: self.from,
            to: self.to.unwrap_or_else(Timestamp::now),
            texts: !self.no_text,
        };
        if query.to <= query.from {
            return Err(Failure::Usage(format!(
                "--from {} is not before --to {}",
                query.from, query.to
            )));
        }
        let registry = Registry::new(&self.registry)?;
        let (asked, bars) = (query.clone(), bars());
        let question = move |cluster: &_| measure(cluster, &registry, &asked, &bars);
        let window = ask(&self.kafka, question).await?;
        let age = point_age(&self.metrics).await?;
        let report = Report::new(&query, &window, &age);
        self.answer.print(&report, || table::table(&report))?;
        if window.topics.is_empty() {
            note(&warn(format!(
                "none of {} holds a record of SAL's in this window; --from -1h looks farther back",
                plural(window.read, "topic")
            )));
        }
        if let Some(path) = &self.svg {
            draw(path, &window, &report)?;
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
}

fn draw(path: &Path, window: &Window, report: &Report) -> Result<(), Failure> {
    let Some(svg) = svg::draw(window, &report.from, &report.to) else {
        note(&warn("nothing to draw"));
        return Ok(());
    };
    std::fs::write(path, svg).map_err(Failure::io(format!("writing {}", path.display())))?;
    note(&format!("drawn: {}", path.display()));
    Ok(())
}
