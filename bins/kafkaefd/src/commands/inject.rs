//! `kafkaefd inject`: bursts of messages into a topic at an interval, as observatories have them: ten thousand alerts each
//! time that the shutter closes.

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

/// Send messages of files, or of another topic, in chunks at an interval
#[derive(Args, Debug, Clone)]
#[command(
    group = ArgGroup::new("source").required(true).args(["file", "from_topic"]),
    after_help = "The input is begun again at its end. Ctrl-C finishes the chunk that is under way; pressed twice, it ends \
                  at once.\n\nExample: kafkaefd inject alerts --file night.txt --every 40s --chunk 10000"
)]
pub struct InjectArgs {
    /// Name of the topic
    topic: String,
    /// File with a message a line, as often as needed; empty lines are left out
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// In the files, each message stands behind its length in bytes: four bytes, big-endian
    #[arg(long, requires = "file")]
    framed: bool,
    /// Topic whose messages are sent, with their keys and headers, from its oldest to its newest
    #[arg(long, value_name = "TOPIC")]
    from_topic: Option<String>,
    /// From the start of a chunk to the start of the next, such as 40s, 500ms or 2m; a chunk that takes longer is followed at once
    #[arg(long, default_value = "40s", value_name = "TIME", value_parser = interval)]
    every: Duration,
    /// Messages of a chunk
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    chunk: u64,
    /// End after so many messages; without it, at Ctrl-C
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

/// A span of time with its unit; a number alone counts seconds.
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
    /// Runs the command.
    pub async fn run(&self) -> Result<Done, Failure> {
        let plan = Plan {
            topic: self.topic.clone(),
            input: self.input(),
            every: self.every,
            chunk: self.chunk,
            count: self.count,
        };
        let answer = ask(&self.kafka, move |cluster| {
            // A chunk that is under way is finished.
            let shutdown = Shutdown::new(Duration::MAX);
            shutdown.ask_on_signals();
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
            stage::stderr_text!(
                "injecting {} … ",
                plural(usize::try_from(size).unwrap_or(usize::MAX), "message")
            );
            let _ = std::io::stderr().flush();
        }
        Step::Sent { took, lost } => {
            stage::stderr_line!("done ({})", span(took.as_secs_f64()));
            if let Some(first) = lost.first() {
                note(&bad(Printable(format!(
                    "{} not delivered, the first as {}",
                    plural(lost.len(), "message"),
                    stage::chain(&first.error)
                ))));
            }
        }
    }
}

fn summary(answer: &Report) -> String {
    let delivered = good(format!("{} delivered", count(answer.delivered)));
    let lost = match answer.lost {
        0 => String::new(),
        lost => format!(", {}", bad(format!("{} lost", count(lost as i128)))),
    };
    let bare = match answer.without_headers {
        0 => String::new(),
        bare => format!(
            ", {}",
            warn(format!(
                "{} without their unreadable headers",
                count(bare as i128)
            ))
        ),
    };
    format!(
        "{delivered}{lost}{bare} to {} in {}",
        Printable(&answer.topic),
        plural(answer.chunks, "chunk")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read() {
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
