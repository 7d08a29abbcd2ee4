//! `kafkaefd latency`: shows the latency of messages from SAL to the Avro topics, which [`operator::latency`] measures.

mod picture;
mod svg;
mod table;

use std::path::PathBuf;

use clap::Args;
use operator::failure::Failure;
use operator::latency::{Query, Report, measure};
use operator::stages::point_age;
use regex::Regex;
use stage::config::{KafkaArgs, RegistryArgs, Timestamp, parse_timestamp};
use stage::registry::Registry;

use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, bars, note, plural, warn};
use picture::Picture;

/// Show how long messages took from SAL to the Avro topics
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "The steps are: sal_created (private_sndStamp) to sal_ingested (private_rcvStamp); to Kafka's timestamp of \
                  the text message; to kafka_timestamp (private_kafkaStamp), which saltransform sets; to Kafka's timestamp \
                  of the Avro record. Text messages are matched by topic and sequence number. Records do not contain the \
                  time at which they reach the database; --metrics reads it from influxsink.\n\n\
                  Example: kafkaefd latency --from -15m --filter MTMount --svg latency.svg"
)]
pub struct LatencyArgs {
    /// Only Avro topics whose names match this regular expression [default: lsst.*]
    #[arg(long, value_name = "REGEX")]
    filter: Option<Regex>,
    /// Start of the window: 2026-11-21T10:00:00Z, 2026-11-21, or -90m (90 minutes ago)
    #[arg(long, default_value = "-5m", value_name = "MOMENT", value_parser = parse_timestamp, allow_hyphen_values = true)]
    from: Timestamp,
    /// End of the window [default: now]
    #[arg(long, value_name = "MOMENT", value_parser = parse_timestamp, allow_hyphen_values = true)]
    to: Option<Timestamp>,
    /// Do not read the text topics, which is faster but leaves the steps before and after them unknown
    #[arg(long)]
    no_text: bool,
    /// Address of an influxsink's metrics, HOST:PORT or a URL: adds the age of points at the database; may be repeated
    #[arg(long, value_name = "URL")]
    metrics: Vec<String>,
    /// Draw each topic's distribution to this SVG file; - draws it on stdout, and the numbers go to stderr
    #[arg(long, value_name = "FILE|-")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl LatencyArgs {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
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
        // An output that cannot be written is reported before anything is measured.
        let picture = self.svg.as_deref().map(Picture::open).transpose()?;
        let registry = Registry::new(&self.registry)?;
        let (asked, bars) = (query.clone(), bars());
        let question = move |cluster: &_| measure(cluster, &registry, &asked, &bars);
        let window = ask(&self.kafka, question).await?;
        let age = point_age(&self.metrics).await?;
        let report = Report::new(&query, &window, &age);
        match &picture {
            Some(Picture::Stdout) => note(&self.answer.text(&report, || table::table(&report))?),
            _ => self.answer.print(&report, || table::table(&report))?,
        }
        if window.topics.is_empty() {
            note(&warn(match window.read {
                0 => "no Avro topic matches --filter: `kafkaefd admin topics list` lists all".to_owned(),
                read => format!(
                    "none of {} has SAL records in this window; --from -1h reads a longer one",
                    plural(read, "topic")
                ),
            }));
            if window.read == 0 {
                return Ok(Done::Partly);
            }
        }
        if let Some(picture) = picture {
            match svg::draw(&window, &report.from, &report.to) {
                Some(svg) => picture.write(&svg)?,
                None => note(&warn("nothing to draw: no record has the timestamps")),
            }
        }
        if window.unread > 0 {
            note(&warn(format!(
                "{} not read to the end: no more messages arrived",
                plural(window.unread, "partition")
            )));
            return Ok(Done::Partly);
        }
        Ok(Done::All)
    }
}
