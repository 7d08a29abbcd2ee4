//! How long messages took from SAL to the Avro topics, by the timestamps that each record carries.
//!
//! ```text
//!  created ─▶ ingested ─▶ text topic ─▶ transformed ─▶ Avro topic
//!     └─ sal ────┘└── text ────┘└─ transform ─┘└── avro ───┘
//!     └──────────────────────── total ─────────────────────┘
//! ```
//! `timestamps` reads a record's timestamps, `texts` finds when its text was written to Kafka, `spans` collects the
//! differences, `read` reads the topics, `report` summarizes them. No record can hold when the database stored it: that is
//! influxsink's metric `influxsink_point_age_seconds` ([`crate::stages::point_age`]).

mod read;
mod report;
mod spans;
mod texts;
mod timestamps;

use std::collections::BTreeSet;

use regex::Regex;
use stage::config::Timestamp;
use stage::registry::Registry;

use crate::cluster::{Cluster, Topic};
use crate::failure::Failure;
use crate::progress::Progress;

pub use read::Window;
pub use report::{Age, Report, Steps, TopicRow};
pub use spans::{Quantiles, Spans, Step};
pub use timestamps::Timestamps;

/// What to read.
#[derive(Debug, Clone)]
pub struct Query {
    /// Avro topics whose names match; if there is none, those of `lsst.*`.
    pub filter: Option<Regex>,
    /// Records from this time on.
    pub from: Timestamp,
    /// Records before this time.
    pub to: Timestamp,
    /// Whether to read the text topics as well; without them, the steps from and to the text topic stay unknown.
    pub texts: bool,
}

/// Reads the records of a time window. To be called on a thread for blocking work.
pub fn measure(
    cluster: &Cluster,
    registry: &Registry,
    query: &Query,
    report: &dyn Fn(Progress),
) -> Result<Window, Failure> {
    let found = cluster.topics.iter();
    let topics: Vec<&Topic> = found.filter(|topic| query.includes(topic)).collect();
    let texts = if query.texts {
        text_topics(cluster, &topics)
    } else {
        Vec::new()
    };
    let reader = read::Reader {
        cluster,
        registry,
        from: query.from,
        to: query.to,
        report,
    };
    reader.read(&texts, &topics)
}

impl Query {
    fn includes(&self, topic: &Topic) -> bool {
        match &self.filter {
            Some(filter) => !topic.is_internal() && filter.is_match(&topic.name),
            None => topic.name.starts_with("lsst."),
        }
    }
}

/// The text topics of the components whose Avro topics these are.
fn text_topics<'c>(cluster: &'c Cluster, topics: &[&Topic]) -> Vec<&'c Topic> {
    let names: Vec<String> = topics
        .iter()
        .filter_map(|topic| texts::sal_topic(&topic.name))
        .collect();
    let components: BTreeSet<&str> = names
        .iter()
        .filter_map(|name| Some(name.split_once('_')?.0))
        .collect();
    cluster
        .topics
        .iter()
        .filter(|topic| texts::component(&topic.name).is_some_and(|name| components.contains(name)))
        .collect()
}
