//! `kafkaefd inject`: sends bursts of messages to a topic at an interval, as observatories do: ten thousand alerts each
//! time the shutter closes.

use std::cell::Cell;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use operator::failure::Failure;
use operator::inject::{self, Framing, Input, Plan, Report, Step};
use stage::Printable;
use stage::config::{KafkaArgs, seconds};
use stage::service::Shutdown;

use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, bad, count, good, note, plural, span, warn};

/// How long the chunk that is under way may take to end after a signal.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(60);

/// Send messages from files or from another topic in chunks at an interval
#[derive(Args, Debug, Clone)]
#[command(
    group = ArgGroup::new("source").required(true).args(["file", "from_topic"]),
    after_help = "The input is repeated from its beginning when it ends. Ctrl-C stops after the current chunk; a second \
                  Ctrl-C stops at once.\n\nExample: kafkaefd inject alerts --file night.txt --every 40s --chunk 10000"
)]
pub struct InjectArgs {
    /// Topic to send to
    topic: String,
    /// File with one message per line; may be repeated; empty lines are skipped
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// The files hold each message after its length in bytes, which is four bytes, big-endian
    #[arg(long, requires = "file")]
    framed: bool,
    /// Topic whose messages are sent with their keys and headers, from the oldest to the newest
    #[arg(long, value_name = "TOPIC")]
    from_topic: Option<String>,
    /// Interval between the starts of chunks, such as 40s, 500ms or 2m; after a chunk that takes longer the next one
    /// starts at once
    #[arg(long, default_value = "40s", value_name = "TIME", value_parser = interval)]
    every: Duration,
    /// Messages per chunk
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    chunk: u64,
    /// Stop after N messages [default: at Ctrl-C]
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

/// Parses a duration with a unit; a number alone is in seconds.
fn interval(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let in_seconds = |factor: f64| {
        let number = digits.parse::<f64>().map_err(|error| error.to_string())?;
        seconds(&(number * factor).to_string())
    };
    match unit {
        "ms" => in_seconds(0.001),
        "" | "s" => in_seconds(1.0),
        "m" | "min" => in_seconds(60.0),
        "h" => in_seconds(3_600.0),
        _ => Err("unknown unit".to_owned()),
    }
    .map_err(|_| "expected 1ms to 24h, such as 500ms, 40s or 2m".to_owned())
}

impl InjectArgs {
    pub(crate) async fn run(&self) -> Result<Done, Failure> {
        let plan = Plan {
            topic: self.topic.clone(),
            input: self.input(),
            every: self.every,
            chunk: self.chunk,
            count: self.count,
        };
        inject::check(&plan.input)?;
        let answer = ask(&self.kafka, move |cluster| {
            // A chunk that is under way is finished.
            let shutdown = Shutdown::of_command(CHUNK_TIMEOUT);
            let is_line_open = Cell::new(false);
            let report = |step: Step<'_>| {
                is_line_open.set(matches!(step, Step::Sending(_)));
                show(step);
            };
            inject::run(cluster, &plan, &|| shutdown.is_set(), &report).inspect_err(|_| {
                if is_line_open.get() {
                    stage::stderr_line!("");
                }
            })
        })
        .await?;
        self.answer.print(&answer, || summary(&answer))?;
        Ok(if answer.lost == 0 { Done::All } else { Done::Partly })
    }

    fn input(&self) -> Input {
        match &self.from_topic {
            Some(from) => Input::Topic(from.clone()),
            None if self.framed => Input::Files(self.file.clone(), Framing::Lengths),
            None => Input::Files(self.file.clone(), Framing::Lines),
        }
    }
}

fn show(step: Step<'_>) {
    match step {
        Step::Sending(size) => {
            stage::stderr_text!("injecting {} … ", plural(size, "message"));
            let _ = std::io::stderr().flush();
        }
        Step::Sent { took, lost } => {
            stage::stderr_line!("done ({})", span(took.as_secs_f64()));
            if let Some(first) = lost.first() {
                note(&bad(Printable(format!(
                    "{} not delivered; the first error: {}",
                    plural(lost.len(), "message"),
                    first.reason
                ))));
            }
        }
    }
}

fn summary(answer: &Report) -> String {
    let delivered = good(format!("{} delivered", count(answer.delivered)));
    let lost = match answer.lost {
        0 => String::new(),
        lost => format!(", {}", bad(format!("{} lost", count(lost)))),
    };
    let without_headers = match answer.without_headers {
        0 => String::new(),
        messages => format!(
            ", {}",
            warn(format!(
                "{} without headers, which were unreadable",
                count(messages)
            ))
        ),
    };
    format!(
        "{delivered}{lost}{without_headers} to {} in {}",
        Printable(&answer.topic),
        plural(answer.chunks, "chunk")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_units() {
        assert_eq!(interval("40s"), Ok(Duration::from_secs(40)));
        assert_eq!(interval("40"), Ok(Duration::from_secs(40)));
        assert_eq!(interval("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(interval("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(interval("2h"), Ok(Duration::from_secs(7_200)));
        for wrong in ["", "s", "-1s", "4 s", "1d", "0", "nan", "inf"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
