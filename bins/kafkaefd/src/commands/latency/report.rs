//! What the window came to, for people and for programs.

use serde::Serialize;

use super::read::Window;
use super::spans::{Quantiles, Spans, Step};
use crate::terminal::{Cell, Table, count, plural, span, strong, warn};
use operator::histogram::Times;

/// The answer.
#[derive(Serialize)]
pub(super) struct Report {
    /// RFC 3339, in UTC.
    pub(super) from: String,
    /// The same.
    pub(super) to: String,
    records: u64,
    /// Messages that are none of SAL's records.
    others: u64,
    /// Partitions that were not read to their end.
    unread_partitions: usize,
    all: Steps,
    /// Null without --metrics, and where nothing was written.
    database: Option<Age>,
    topics: Vec<TopicRow>,
}

/// How old points were when the database had them, as influxsink counts them: all since it started, in seconds.
#[derive(Serialize)]
struct Age {
    p50: f64,
    p90: f64,
    p99: f64,
}

/// Quantiles in seconds; null where no record has both moments.
#[derive(Serialize)]
struct Steps {
    sal: Option<Quantiles>,
    text: Option<Quantiles>,
    transform: Option<Quantiles>,
    avro: Option<Quantiles>,
    total: Option<Quantiles>,
}

#[derive(Serialize)]
struct TopicRow {
    topic: String,
    records: u64,
    #[serde(flatten)]
    steps: Steps,
}

impl Age {
    fn of(age: &Times) -> Option<Self> {
        Some(Self {
            p50: age.quantile(0.5)?,
            p90: age.quantile(0.9)?,
            p99: age.quantile(0.99)?,
        })
    }
}

impl Steps {
    fn of(spans: &Spans) -> Self {
        Self {
            sal: spans.quantiles(Step::Sal),
            text: spans.quantiles(Step::Text),
            transform: spans.quantiles(Step::Transform),
            avro: spans.quantiles(Step::Avro),
            total: spans.quantiles(Step::Total),
        }
    }

    fn get(&self, step: Step) -> Option<&Quantiles> {
        match step {
            Step::Sal => self.sal.as_ref(),
            Step::Text => self.text.as_ref(),
            Step::Transform => self.transform.as_ref(),
            Step::Avro => self.avro.as_ref(),
            Step::Total => self.total.as_ref(),
        }
    }
}

impl Report {
    pub(super) fn new(window: &Window, from: String, to: String, age: &Times) -> Self {
        let mut all = Spans::default();
        window.topics.values().for_each(|spans| all.merge(spans));
        Self {
            from,
            to,
            records: all.records,
            others: window.others,
            unread_partitions: window.unread,
            all: Steps::of(&all),
            database: Age::of(age),
            topics: window
                .topics
                .iter()
                .map(|(topic, spans)| TopicRow {
                    topic: topic.clone(),
                    records: spans.records,
                    steps: Steps::of(spans),
                })
                .collect(),
        }
    }

    /// For people: the steps of all, then the whole way of each topic.
    pub(super) fn table(&self) -> String {
        let head = format!(
            "{} in {}, {} to {}",
            strong(format!("{} records", count(self.records))),
            plural(self.topics.len(), "topic"),
            self.from,
            self.to
        );
        if self.records == 0 {
            return head;
        }
        let mut parts = vec![head, self.steps().to_string(), self.whole_way().to_string()];
        let backwards = Step::ALL
            .iter()
            .filter_map(|step| self.all.get(*step))
            .map(|found| found.backwards)
            .max()
            .unwrap_or_default();
        if backwards > 0 {
            parts.push(warn(format!(
                "{} went back in time: the clocks of two machines differ",
                plural(usize::try_from(backwards).unwrap_or(usize::MAX), "message")
            )));
        }
        parts.join("\n\n")
    }

    fn steps(&self) -> Table {
        let mut table = Table::new(["ALL TOPICS", "P50", "P90", "P99", "MAX"]);
        for step in Step::ALL {
            let [p50, p90, p99, max] = cells(self.all.get(step));
            table.row([Cell::text(step.words()), p50, p90, p99, max]);
        }
        if let Some(Age { p50, p90, p99 }) = self.database {
            let [p50, p90, p99] = [p50, p90, p99].map(|seconds| Cell::right(shown(seconds)));
            let words = "created to database (since influxsink started)";
            table.row([Cell::text(words), p50, p90, p99, Cell::right("-")]);
        }
        table
    }

    fn whole_way(&self) -> Table {
        let mut table = Table::new(["CREATED TO AVRO TOPIC", "RECORDS", "P50", "P90", "P99", "MAX"]);
        for row in &self.topics {
            let [p50, p90, p99, max] = cells(row.steps.total.as_ref());
            table.row([
                Cell::text(&row.topic),
                Cell::count(row.records),
                p50,
                p90,
                p99,
                max,
            ]);
        }
        table
    }
}

fn cells(found: Option<&Quantiles>) -> [Cell; 4] {
    match found {
        None => [(); 4].map(|()| Cell::right("-")),
        Some(found) => {
            [found.p50, found.p90, found.p99, found.max].map(|seconds| Cell::right(shown(seconds)))
        }
    }
}

/// Most stamps are of whole milliseconds: below one, nothing is known.
fn shown(seconds: f64) -> String {
    if seconds < 1e-3 {
        return "< 1 ms".to_owned();
    }
    span(seconds)
}
