//! `kafkaefd inject`: sends bursts of messages to a topic at an interval, as observatories do: ten thousand alerts each
//! time the shutter closes.

mod source;

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{ArgGroup, Args};
use serde::Serialize;
use stage::Printable;
use stage::config::{KafkaArgs, seconds};
use stage::service::Shutdown;

use crate::commands::reach;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, bad, count, good, note, plural, span, warn};
use operator::failure::Failure;
use operator::messages::sender::{Outgoing, Sender};
use source::{Files, Framing, FromTopic, Source};

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

#[derive(Serialize, Default)]
struct Answer {
    topic: String,
    chunks: usize,
    delivered: u64,
    lost: usize,
    /// How often the input was started.
    rounds: usize,
    /// Messages sent without their headers because a header's name is not UTF-8.
    without_headers: usize,
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
        let cluster = reach(&self.kafka)?;
        cluster.topic(&self.topic)?;
        let mut source: Box<dyn Source + Send + '_> = match &self.from_topic {
            Some(from) if *from == self.topic => {
                return Err(Failure::Usage(format!(
                    "--from-topic {from} is the topic to send to: it would double in each round"
                )));
            }
            Some(from) => Box::new(FromTopic::new(&cluster, cluster.topic(from)?)?),
            None if self.framed => Box::new(Files::new(self.file.clone(), Framing::Lengths)?),
            None => Box::new(Files::new(self.file.clone(), Framing::Lines)?),
        };
        let mut config = cluster.producer_config();
        config.set("linger.ms", "5").set("compression.type", "lz4");
        let sender = Sender::new(config)?;
        // The current chunk is always finished.
        let shutdown = Shutdown::new(Duration::MAX);
        shutdown.ask_on_signals();

        let mut answer = Answer {
            topic: self.topic.clone(),
            rounds: 1,
            ..Answer::default()
        };
        let mut sent = 0;
        loop {
            let left = self.count.map_or(self.chunk, |count| count - sent);
            let size = left.min(self.chunk);
            let start = Instant::now();
            stage::stderr_text!(
                "injecting {} … ",
                plural(usize::try_from(size).unwrap_or(usize::MAX), "message")
            );
            let _ = std::io::stderr().flush();
            self.chunk(source.as_mut(), &sender, size, sent, &mut answer)
                .inspect_err(|_| stage::stderr_line!(""))?;
            sent += size;
            answer.chunks += 1;
            stage::stderr_line!("done ({})", span(start.elapsed().as_secs_f64()));
            let lost = sender.take_lost();
            answer.lost += lost.len();
            if let Some(first) = lost.first() {
                note(&bad(Printable(format!(
                    "{} not delivered; the first error: {}",
                    plural(lost.len(), "message"),
                    stage::chain(&first.error)
                ))));
            }
            if self.count.is_some_and(|count| sent >= count) {
                break;
            }
            let pause = self.every.saturating_sub(start.elapsed());
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.wait() => {}
            }
            if shutdown.is_set() {
                break;
            }
        }
        answer.delivered = sender.delivered();
        self.answer.print(&answer, || summary(&answer))?;
        Ok(if answer.lost == 0 { Done::All } else { Done::Partly })
    }

    /// Sends `size` messages and waits until each is acknowledged or lost.
    fn chunk(
        &self,
        source: &mut dyn Source,
        sender: &Sender,
        size: u64,
        sent: u64,
        answer: &mut Answer,
    ) -> Result<(), Failure> {
        let mut number = sent;
        let mut at_start = false;
        while number < sent + size {
            let Some(message) = source.next()? else {
                if at_start {
                    return Err(Failure::Usage("the input contains no messages".to_owned()));
                }
                source.restart()?;
                (at_start, answer.rounds) = (true, answer.rounds + 1);
                continue;
            };
            at_start = false;
            number += 1;
            answer.without_headers += usize::from(message.headers.is_none());
            let outgoing = Outgoing {
                topic: &self.topic,
                partition: None,
                key: message.key.as_deref(),
                value: message.value.as_deref(),
                headers: message.headers.as_deref().unwrap_or_default(),
            };
            sender.send(&outgoing, number);
        }
        sender.settle();
        Ok(())
    }
}

fn summary(answer: &Answer) -> String {
    let delivered = good(format!("{} delivered", count(answer.delivered)));
    let lost = match answer.lost {
        0 => String::new(),
        lost => format!(", {}", bad(format!("{} lost", count(lost as i128)))),
    };
    let without_headers = match answer.without_headers {
        0 => String::new(),
        messages => format!(
            ", {}",
            warn(format!(
                "{} without headers, which were unreadable",
                count(messages as i128)
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
