//! The latency report as tables.

use operator::latency::{Age, Quantiles, Report, Step};

use crate::terminal::{Cell, Table, plural, span, strong, warn};

/// The steps over all topics, followed by the total of each topic.
pub(super) fn table(report: &Report) -> String {
    let head = format!(
        "{} in {}, {} to {}",
        strong(plural(report.records, "record")),
        plural(report.topics.len(), "topic"),
        report.from,
        report.to
    );
    if report.records == 0 {
        return head;
    }
    let mut parts = vec![head, steps(report).to_string(), totals(report).to_string()];
    let backwards = Step::ALL
        .iter()
        .filter_map(|step| report.all.get(*step))
        .map(|found| found.backwards)
        .max()
        .unwrap_or_default();
    if backwards > 0 {
        parts.push(warn(format!(
            "{} with a negative latency: the clocks of two machines differ",
            plural(backwards, "message")
        )));
    }
    parts.join("\n\n")
}

fn steps(report: &Report) -> Table {
    let mut table = Table::new(["ALL TOPICS", "P50", "P90", "P99", "MAX"]);
    for step in Step::ALL {
        let [p50, p90, p99, max] = cells(report.all.get(step));
        table.row([Cell::text(step.description()), p50, p90, p99, max]);
    }
    if let Some(Age { p50, p90, p99 }) = report.database {
        let [p50, p90, p99] = [p50, p90, p99].map(|seconds| Cell::right(shown(seconds)));
        let words = "created to database (since influxsink started)";
        table.row([Cell::text(words), p50, p90, p99, Cell::right("-")]);
    }
    table
}

fn totals(report: &Report) -> Table {
    let mut table = Table::new(["CREATED TO AVRO TOPIC", "RECORDS", "P50", "P90", "P99", "MAX"]);
    for row in &report.topics {
        let [p50, p90, p99, max] = cells(row.steps.get(Step::Total));
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

fn cells(found: Option<&Quantiles>) -> [Cell; 4] {
    match found {
        None => [(); 4].map(|()| Cell::right("-")),
        Some(found) => {
            [found.p50, found.p90, found.p99, found.max].map(|seconds| Cell::right(shown(seconds)))
        }
    }
}

/// Most timestamps have millisecond resolution, so shorter times are unknown.
fn shown(seconds: f64) -> String {
    if seconds < 1e-3 {
        return "< 1 ms".to_owned();
    }
    span(seconds)
}
