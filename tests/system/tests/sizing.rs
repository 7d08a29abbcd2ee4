//! docs/sizing.md and docs/performance.md: the costs that the one computes with follow from what the other has measured.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

use std::fs;

use system_tests::root;

/// How far a cost may be from what a new measurement gives before the page has to be computed again.
const MAX_DEVIATION: f64 = 0.25;

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// The cells of the only row that begins with these.
fn cells(page: &str, begin: &[&str]) -> Vec<String> {
    let begin = format!("| {} |", begin.join(" | "));
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with(&begin)).collect();
    assert_eq!(rows.len(), 1, "{begin}: {rows:?}");
    rows[0]
        .trim_matches('|')
        .split('|')
        .map(|cell| cell.trim().to_owned())
        .collect()
}

fn number(text: &str) -> f64 {
    let digits: String = text
        .chars()
        .take_while(|letter| letter.is_ascii_digit() || matches!(letter, '.' | ','))
        .filter(|letter| *letter != ',')
        .collect();
    digits.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// The cost on the page, in its own unit.
fn cost(sizing: &str, part: &str) -> f64 {
    number(&cells(sizing, &[part])[1])
}

fn holds(what: &str, written: f64, measured: f64) {
    let deviation = (written - measured).abs() / measured;
    assert!(
        deviation <= MAX_DEVIATION,
        "docs/sizing.md computes with {written} for {what}; docs/performance.md gives {measured:.3}"
    );
}

/// The constant and the slope of a line through two points.
fn line((x, y): (f64, f64), (other_x, other_y): (f64, f64)) -> (f64, f64) {
    let slope = (other_y - y) / (other_x - x);
    (y - slope * x, slope)
}

#[test]
fn the_costs_of_saltransform_are_measured() {
    let (sizing, performance) = (page("sizing.md"), page("performance.md"));
    let row = |message: &str| {
        let cells = cells(&performance, &[message, "saltransform"]);
        let (rate, megabytes, micros) = (number(&cells[2]), number(&cells[3]), number(&cells[4]));
        (megabytes * 1e3 / rate, micros)
    };
    let (message, kilobyte) = line(row("mountEncoders, 20 fields"), row("thermalData, 381 numbers"));
    holds("a message", cost(&sizing, "saltransform, each message"), message);
    // Microseconds for a kilobyte are milliseconds for a megabyte.
    holds("a MB", cost(&sizing, "saltransform, each MB of text"), kilobyte);
    let cells = cells(&performance, &["thermalData, 381 numbers", "saltransform"]);
    let broker = number(&cells[6]) / number(&cells[3]) * 1e3;
    holds(
        "a MB in a broker",
        cost(&sizing, "brokers, each MB of text, with its records"),
        broker,
    );
}

#[test]
fn the_costs_of_influxsink_and_of_the_database_are_measured() {
    let (sizing, performance) = (page("sizing.md"), page("performance.md"));
    let row = |records: &str, fields: f64| {
        let cells = cells(&performance, &[records, "influxsink", "InfluxDB"]);
        let (rate, micros, influx) = (number(&cells[3]), number(&cells[4]), number(&cells[6]));
        ((fields, micros), influx / rate / fields * 1e6)
    };
    let (small, influx_small) = row("azimuth, 23 fields", 23.0);
    let (large, influx_large) = row("forceActuatorData, 820 fields", 820.0);
    let (record, field) = line(small, large);
    holds("a record", cost(&sizing, "influxsink, each record"), record);
    holds("a field", cost(&sizing, "influxsink, each field"), field);
    let written = cost(&sizing, "InfluxDB, each field");
    holds("a small point's field in InfluxDB", written, influx_small);
    holds("a large point's field in InfluxDB", written, influx_large);
}
