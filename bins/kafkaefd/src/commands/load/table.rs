//! The load report as a table.

use operator::load::Report;

use crate::terminal::{Cell, Table, bad, count, good, span};

pub(super) fn table(report: &Report) -> String {
    let mut rates = Table::new(["", "MESSAGES", "PER SECOND", "MB/S"]);
    let mut row = |name: &str, messages: u64, rate: f64| {
        rates.row([
            Cell::text(name),
            Cell::count(messages),
            Cell::right(format!("{rate:.1}")),
            Cell::right(format!("{:.2}", rate * report.size as f64 / 1e6)),
        ]);
    };
    row("wanted", report.sent, report.wanted_per_second);
    row(
        "acknowledged",
        report.acknowledged,
        report.acknowledged_per_second,
    );
    row("received", report.received, report.received_per_second);
    let mut latency = Table::new(["LATENCY", "P50", "P90", "P99", "MAX"]);
    let cell = |seconds: Option<f64>| Cell::right(seconds.map_or_else(|| "-".to_owned(), span));
    latency.row([
        Cell::text("due to received"),
        cell(report.latency.p50),
        cell(report.latency.p90),
        cell(report.latency.p99),
        cell(report.latency.max),
    ]);
    format!("{rates}\n\n{latency}\n\n{}", verdict(report))
}

fn verdict(report: &Report) -> String {
    let mut parts = Vec::new();
    if report.failed > 0 {
        parts.push(bad(format!(
            "{} not accepted by the brokers",
            count(report.failed)
        )));
    }
    if report.lost > 0 {
        parts.push(bad(format!("{} lost", count(report.lost))));
    }
    if report.repeated > 0 {
        parts.push(format!("{} received more than once", count(report.repeated)));
    }
    if parts.is_empty() {
        parts.push(good("nothing was lost"));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_reports_lost_messages() {
        let mut report = Report::default();
        assert!(table(&report).contains("nothing was lost"));
        report.lost = 1_234;
        assert!(table(&report).contains("1,234 lost"));
    }
}
