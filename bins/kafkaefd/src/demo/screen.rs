//! The output of the demo, as text or as JSON. On a terminal the live line is rewritten every second; elsewhere a line
//! is printed every five seconds.

use std::io::{IsTerminal, Write};

use ratatui::crossterm::terminal;
use stage::sanitize::{self, Printable};
use stage::stdout::{self, StdoutError};

use super::DemoArgs;
use super::metrics::Sample;
use super::reconciliation::{Reconciliation, Stage};
use super::store::Store;
use crate::terminal::plural;

/// Writes to stdout, with `--json` only the object at the end.
pub(super) struct Screen {
    json: bool,
    terminal: bool,
    ticks: u64,
    /// The first failed write. The demo continues, because its messages are counted all the same.
    printed: Result<(), StdoutError>,
}

impl Screen {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            terminal: std::io::stdout().is_terminal(),
            ticks: 0,
            printed: Ok(()),
        }
    }

    /// Prints the address of a service that the stages use.
    pub(super) fn service(&mut self, name: &str, place: &str, embedded: bool) {
        self.line(&format!(
            "  {name:<16} {place}{}",
            if embedded { "  (embedded)" } else { "" }
        ));
    }

    /// Prints the address of the web page, which is what a person wants first.
    pub(super) fn page(&mut self, address: &str) {
        self.line(&format!("  {:<16} {address}", "open in a browser"));
    }

    /// Prints the command that shows the stages live, on another terminal.
    pub(super) fn watch(&mut self, command: &str) {
        self.line(&format!("  {:<16} {command}", "to watch"));
    }

    /// Prints the number of schemas and topics that are ready.
    pub(super) fn prepared(&mut self, schemas: usize, topics: usize) {
        self.line(&format!(
            "  {:<16} {schemas} registered, {} created",
            "schemas",
            plural(topics, "topic")
        ));
    }

    /// Prints why a stage is not ready yet: on a terminal, once a second.
    pub(super) fn waiting(&mut self, stage: &str, missing: &[(&'static str, String)]) {
        self.ticks += 1;
        if self.terminal && !self.json && self.ticks % 50 == 1 {
            let why: Vec<String> = missing
                .iter()
                .map(|(part, why)| format!("{part}: {}", Printable(why)))
                .collect();
            let columns = terminal::size().map_or(80, |(columns, _)| usize::from(columns));
            let text = fitting(
                columns,
                std::iter::once(format!("  {stage} is waiting for {}", why.join(", "))),
            );
            self.rewrite(&format!("\r\x1b[K{text}"));
        }
    }

    /// Prints that a stage is running.
    pub(super) fn stage(&mut self, name: &str) {
        if self.terminal && !self.json {
            self.rewrite("\r\x1b[K");
        }
        self.line(&format!("  {name:<16} running"));
    }

    /// Prints that all stages are running.
    pub(super) fn started(&mut self, args: &DemoArgs) {
        self.ticks = 0;
        let rate = f64::from(args.topics) / args.period.as_secs_f64();
        let until = match args.seconds {
            Some(limit) => format!("{} s", limit.as_secs_f64()),
            None => "until Ctrl-C".to_owned(),
        };
        self.line(&format!(
            "\n{} of SAL text, {rate:.0} messages/s, {until}\n",
            plural(usize::from(args.topics), "topic")
        ));
    }

    /// Prints or rewrites the live line.
    pub(super) fn live(&mut self, last: &Sample, now: &Sample) {
        if self.json {
            return;
        }
        let rate = |name: &str| now.rate(name, last);
        let transform = now.histogram_since("saltransform_transform_seconds", last);
        let age = now.histogram_since("influxsink_point_age_seconds", last);
        let dead = now.count("saltransform_dead_letters_total") + now.count("influxsink_dead_letters_total");
        let (mock, written) = (rate("salmock_produced_total"), rate("influxsink_written_total"));
        let (consumed, produced) = (
            rate("saltransform_consumed_total"),
            rate("saltransform_produced_total"),
        );
        let read = rate("influxsink_consumed_total");
        let (work, age, oldest) = (
            time(transform.quantile(0.5)),
            time(age.quantile(0.5)),
            time(age.quantile(0.99)),
        );
        let text = format!(
            "salmock {mock:.0}/s ▶ saltransform {consumed:.0}▸{produced:.0}/s {work} ▶ influxsink {read:.0}▸{written:.0}/s  \
             age p50 {age} p99 {oldest}  dead {dead}"
        );
        if self.terminal {
            let shorter = [
                format!(
                    "salmock {mock:.0}/s ▶ saltransform {produced:.0}/s ▶ influxsink {written:.0}/s  age p99 {oldest}  \
                     dead {dead}"
                ),
                format!("{mock:.0}/s ▶ {produced:.0}/s ▶ {written:.0}/s  age p99 {oldest}  dead {dead}"),
            ];
            let columns = terminal::size().map_or(80, |(columns, _)| usize::from(columns));
            let text = fitting(columns, std::iter::once(text).chain(shorter));
            self.rewrite(&format!("\r\x1b[K{text}"));
        } else if self.ticks.is_multiple_of(5) {
            self.out(&text);
        }
        self.ticks += 1;
    }

    /// Prints that the producer stops.
    pub(super) fn stopping(&mut self) {
        if self.terminal && !self.json {
            self.out("");
        }
        self.line("\nstopping: waiting for the remaining messages");
    }

    /// Prints the result as a table or as a JSON object.
    pub(super) fn finished(
        mut self,
        reconciliation: &Reconciliation,
        store: &Store,
    ) -> Result<(), StdoutError> {
        if self.json {
            match serde_json::to_string_pretty(reconciliation) {
                Ok(text) => self.out(&sanitize::json(&text)),
                Err(error) => stage::stderr_line!("kafkaefd demo: {}", stage::chain(&error)),
            }
            return self.end();
        }
        self.out(&format!(
            "\n  {:<14}{:>10}{:>10}{:>14}{:>10}",
            "stage", "in", "out", "dead letters", "skipped"
        ));
        self.out(&format!(
            "  {:<14}{:>10}{:>10}{:>14}{:>10}",
            "salmock", "", reconciliation.salmock_produced, "", ""
        ));
        for (name, stage) in [
            ("saltransform", &reconciliation.saltransform),
            ("influxsink", &reconciliation.influxsink),
        ] {
            let Stage {
                consumed,
                produced,
                dead_letters,
                skipped,
            } = stage;
            self.out(&format!(
                "  {name:<14}{consumed:>10}{produced:>10}{dead_letters:>14}{skipped:>10}"
            ));
        }
        self.out(&format!("  {:<14}{:>10}", "database", reconciliation.in_database));
        self.out(&format!(
            "\n  transform p50 {}, p99 {};  age at the database p50 {}, p99 {}\n",
            time(reconciliation.transform_p50_us.map(|us| us / 1e6)),
            time(reconciliation.transform_p99_us.map(|us| us / 1e6)),
            time(reconciliation.age_p50_ms.map(|ms| ms / 1e3)),
            time(reconciliation.age_p99_ms.map(|ms| ms / 1e3)),
        ));
        for last in &reconciliation.last_values {
            let name = Printable(format!("{}.{}", last.measurement, last.field)).to_string();
            let unit = Printable(last.unit.as_deref().unwrap_or_default());
            self.out(&format!("  {name:<52} {:>14.6} {unit}", last.value));
        }
        self.out(&format!("\n  {}\n", store.how_to_query()));
        if reconciliation.adds_up() {
            self.out(&format!(
                "the counts add up: {} in, {} in the database",
                plural(reconciliation.salmock_produced, "message"),
                plural(reconciliation.in_database, "record")
            ));
        }
        for fault in &reconciliation.faults {
            self.out(&format!("DOES NOT ADD UP: {}", Printable(fault)));
        }
        self.end()
    }

    fn line(&mut self, text: &str) {
        if !self.json {
            self.out(text);
        }
    }

    fn out(&mut self, text: &str) {
        self.remember(stdout::line(text));
    }

    /// Writes without a line feed, for lines that change.
    fn rewrite(&mut self, text: &str) {
        let mut out = std::io::stdout();
        self.remember(stdout::written(
            out.write_all(text.as_bytes()).and_then(|()| out.flush()),
        ));
    }

    fn remember(&mut self, printed: Result<(), StdoutError>) {
        if self.printed.is_ok() {
            self.printed = printed;
        }
    }

    /// Fails if not everything could be written.
    fn end(self) -> Result<(), StdoutError> {
        self.printed.and_then(|()| stdout::flush())
    }
}

/// The first text that fits into a line, or as much of the last as does. A line that wraps cannot be rewritten.
fn fitting(columns: usize, texts: impl Iterator<Item = String>) -> String {
    // In the last column, some terminals go on to the next line.
    let room = columns.saturating_sub(1);
    let mut last = String::new();
    for text in texts {
        if text.chars().count() <= room {
            return text;
        }
        last = text;
    }
    last.chars().take(room).collect()
}

/// A duration with its unit; `–` if there is none.
fn time(seconds: Option<f64>) -> String {
    match seconds {
        None => "–".to_owned(),
        Some(s) if s < 1e-3 => format!("{:.1} µs", s * 1e6),
        Some(s) if s < 1.0 => format!("{:.1} ms", s * 1e3),
        Some(s) => format!("{s:.2} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_live_line_fits_the_terminal() {
        let texts = || ["a longer text", "short", "▶▶▶▶"].map(str::to_owned).into_iter();
        assert_eq!(fitting(14, texts()), "a longer text");
        assert_eq!(fitting(13, texts()), "short");
        assert_eq!(fitting(5, texts()), "▶▶▶▶");
        assert_eq!(fitting(3, texts()), "▶▶");
        assert_eq!(fitting(0, texts()), "");
    }

    #[test]
    fn times_are_short_and_have_units() {
        assert_eq!(time(Some(0.000_012_3)), "12.3 µs");
        assert_eq!(time(Some(0.0154)), "15.4 ms");
        assert_eq!(time(Some(2.0)), "2.00 s");
        assert_eq!(time(None), "–");
    }
}
