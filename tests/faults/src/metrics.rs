//! Reads a stage's `/metrics` and checks whether its counts add up.

use std::time::Duration;

use testkit::prometheus::sum;

use crate::failure::{Failure, Outcome};
use crate::ledger::Stage;

/// Counters and gauges of one process, each summed over its labels.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Counts(String);

impl Counts {
    /// Queries a process on a local port.
    pub(crate) async fn of(http: &reqwest::Client, port: u16) -> Outcome<Self> {
        let doing = || format!("ask port {port} for metrics");
        let request = http
            .get(format!("http://127.0.0.1:{port}/metrics"))
            .timeout(Duration::from_secs(3));
        let answer = request.send().await.map_err(Failure::http(doing()))?;
        Ok(Self(answer.text().await.map_err(Failure::http(doing()))?))
    }

    /// A counter or gauge; 0 if it does not exist yet.
    pub(crate) fn get(&self, name: &str) -> i64 {
        sum(&self.0, name).map_or(0, |value| value as i64)
    }

    /// consumed = produced (or written) + dead-lettered + skipped + in flight, since the process started.
    /// Messages that a rebalance took away unfinished (`released`) may or may not have been consumed, which
    /// turns the equation into a range.
    pub(crate) fn add_up(&self, stage: Stage) -> Result<(), String> {
        let prefix = prefix(stage);
        let done = match stage {
            Stage::Transform => "produced",
            Stage::Sink => "written",
        };
        let part = |name: &str| self.get(&format!("{prefix}_{name}_total"));
        let (out, dead, skipped) = (part(done), part("dead_letters"), part("skipped"));
        let (in_flight, released) = (
            self.get("kafka_in_flight_messages"),
            self.get("kafka_released_total"),
        );
        let (consumed, known) = (part("consumed"), out + dead + skipped + in_flight);
        if (known..=known + released).contains(&consumed) {
            return Ok(());
        }
        Err(format!(
            "consumed {consumed}, {done} {out} + dead {dead} + skipped {skipped} + in flight {in_flight} = {known}, released {released}"
        ))
    }
}

/// The prefix of a stage's own metrics.
pub(crate) fn prefix(stage: Stage) -> &'static str {
    match stage {
        Stage::Transform => "saltransform",
        Stage::Sink => "influxsink",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_summed_and_the_equation_is_checked() {
        let text = "# HELP x y\nsaltransform_consumed_total 10\nsaltransform_produced_total 6\n\
                    saltransform_skipped_total{reason=\"empty\"} 1\nsaltransform_skipped_total{reason=\"tombstone\"} 2\n\
                    kafka_in_flight_messages 1\n";
        let counts = Counts(text.to_owned());
        assert_eq!(counts.get("saltransform_skipped_total"), 3);
        assert_eq!(counts.add_up(Stage::Transform), Ok(()));
        let lost = Counts(text.replace("produced_total 6", "produced_total 5"));
        assert!(lost.add_up(Stage::Transform).unwrap_err().contains("= 9"));
    }
}
