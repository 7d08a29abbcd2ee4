//! `kafkaefd produce`: sends lines of standard input to a topic, unchanged or as Avro. Each line is delivered or
//! reported.

mod lines;

use std::time::Duration;

use clap::Args;
use operator::cluster::REQUEST_TIMEOUT;
use operator::failure::Failure;
use operator::messages::json_to_avro::RecordWriter;
use operator::messages::message::Header;
use operator::messages::sender::{Outgoing, Sender};
use serde::Serialize;
use stage::Printable;
use stage::config::{KafkaArgs, RegistryArgs};
use stage::registry::Registry;
use stage::service::Shutdown;

use crate::commands::reach;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, bad, count, good, note};
use lines::{Lines, Polled};

const POLL_TIMEOUT: Duration = Duration::from_millis(100);

/// Send each line of standard input to a topic as one message; empty lines are skipped
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "With --avro each line is a JSON object with the fields of the subject's newest schema, in the form that \
                  tail prints. A missing field takes the schema's default. Bytes are strings of the code points 0 to 255; \
                  times, decimals and durations are strings, or the numbers that Avro stores; a union's branch can be \
                  named, as in {\"long\": 5}, Avro's own JSON. What tail prints is written back byte for byte.\n\nExamples:\n\n  \
                  printf 'M1M3:hello\\n' | kafkaefd produce mytopic -K :\n  \
                  printf 'M1M3:\\n' | kafkaefd produce mytopic -K : --tombstones\n  \
                  kafkaefd tail lsst.sal.Test_scalars -o -1 -e --format '%s\\n' | kafkaefd produce lsst.sal.Test_scalars --avro"
)]
pub struct ProduceArgs {
    /// Topic to send to
    topic: String,
    /// Separator between key and value in each line
    #[arg(long, short = 'K', value_name = "SEP")]
    key_separator: Option<String>,
    /// Send a line with nothing behind its key as a tombstone: a message without a value, which deletes its key from a
    /// compacted topic
    #[arg(long, short = 'Z', requires = "key_separator")]
    tombstones: bool,
    /// Encode each line, a JSON object, as Avro with the newest schema in the registry, in Confluent's framing
    #[arg(long)]
    avro: bool,
    /// Subject of that schema [default: <topic>-value]
    #[arg(long, value_name = "NAME", requires = "avro")]
    subject: Option<String>,
    /// Header to add to each message; may be repeated
    #[arg(long, short = 'H', value_name = "NAME=VALUE", value_parser = header)]
    header: Vec<Header>,
    /// Partition to send to [default: chosen by the key, or any]
    #[arg(long, short, value_name = "NUMBER")]
    partition: Option<i32>,
    /// Continue after a line that cannot be sent instead of stopping
    #[arg(long)]
    keep_going: bool,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

#[derive(Serialize, Default)]
struct Answer {
    topic: String,
    delivered: u64,
    refused: Vec<Refused>,
}

#[derive(Serialize)]
struct Refused {
    /// Counted from 1.
    line: u64,
    reason: String,
}

fn header(text: &str) -> Result<Header, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), Some(value.as_bytes().to_vec()))),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

impl ProduceArgs {
    pub(crate) async fn run(&self) -> Result<Done, Failure> {
        if self.key_separator.as_deref() == Some("") {
            return Err(Failure::Usage("--key-separator is empty".to_owned()));
        }
        let cluster = reach(&self.kafka)?;
        let topic = cluster.topic(&self.topic)?;
        if let Some(partition) = self.partition {
            topic.check_partition(partition)?;
        }
        let writer = if self.avro {
            Some(self.writer().await?)
        } else {
            None
        };
        let mut config = cluster.producer_config();
        config.set("linger.ms", "5");
        let sender = Sender::new(config)?;
        let shutdown = Shutdown::of_command(REQUEST_TIMEOUT);

        let mut answer = Answer {
            topic: self.topic.clone(),
            ..Answer::default()
        };
        let lines = Lines::of_stdin();
        let mut number = 0;
        while !shutdown.is_set() {
            let line = match lines
                .poll(POLL_TIMEOUT)
                .map_err(Failure::io("reading standard input"))?
            {
                Polled::Line(line) => line,
                Polled::Timeout => {
                    sender.poll(Duration::ZERO);
                    continue;
                }
                Polled::End => break,
            };
            number += 1;
            if line.is_empty() {
                continue;
            }
            if let Err(reason) = self.send(&line, number, writer.as_ref(), &sender) {
                self.refuse(&mut answer, number, reason);
            }
            for lost in sender.take_lost() {
                self.refuse(&mut answer, lost.number, lost.reason);
            }
            if !self.keep_going && !answer.refused.is_empty() {
                break;
            }
        }
        sender.settle();
        for lost in sender.take_lost() {
            self.refuse(&mut answer, lost.number, lost.reason);
        }
        answer.delivered = sender.delivered();
        answer.refused.sort_by_key(|refused| refused.line);
        if self.answer.json {
            crate::terminal::json(&answer)?;
        } else {
            // On stderr: the command has no output of its own.
            note(&self.summary(&answer, number));
        }
        Ok(if answer.refused.is_empty() {
            Done::All
        } else {
            Done::Partly
        })
    }

    async fn writer(&self) -> Result<RecordWriter, Failure> {
        let registry = Registry::new(&self.registry)?;
        let subject = self
            .subject
            .clone()
            .unwrap_or_else(|| format!("{}-value", self.topic));
        RecordWriter::of_subject(&registry, &subject).await
    }

    fn send(
        &self,
        line: &[u8],
        number: u64,
        writer: Option<&RecordWriter>,
        sender: &Sender,
    ) -> Result<(), String> {
        let (key, value) = match &self.key_separator {
            None => (None, line),
            Some(separator) => match split(line, separator.as_bytes()) {
                Some((key, value)) => (Some(key), value),
                None => return Err(format!("expected {separator:?} between key and value")),
            },
        };
        let is_tombstone = self.tombstones && value.is_empty();
        let framed = match writer {
            _ if is_tombstone => None,
            None => None,
            Some(writer) => {
                let json = serde_json::from_slice(value).map_err(|error| not_json(&error))?;
                Some(writer.write(&json).map_err(|misfit| misfit.to_string())?)
            }
        };
        let message = Outgoing {
            topic: &self.topic,
            partition: self.partition,
            key,
            value: (!is_tombstone).then(|| framed.as_deref().unwrap_or(value)),
            headers: &self.header,
        };
        sender.send(&message, number);
        Ok(())
    }

    fn refuse(&self, answer: &mut Answer, line: u64, reason: String) {
        if !self.answer.json {
            note(&format!("kafkaefd: line {line}: {}", Printable(&reason)));
        }
        answer.refused.push(Refused { line, reason });
    }

    fn summary(&self, answer: &Answer, read: u64) -> String {
        let delivered = good(format!("{} delivered", count(answer.delivered)));
        match answer.refused.len() {
            0 => delivered,
            refused if self.keep_going => format!("{delivered}, {}", bad(format!("{refused} refused"))),
            refused => format!(
                "{delivered}, {}; stopped after line {} (use --keep-going to continue)",
                bad(format!("{refused} refused")),
                count(read)
            ),
        }
    }
}

/// serde's message without its line number, which is always 1.
fn not_json(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    format!("expected JSON: {what} at column {}", error.column())
}

/// The parts before and after the first separator.
fn split<'l>(line: &'l [u8], separator: &[u8]) -> Option<(&'l [u8], &'l [u8])> {
    let at = line
        .windows(separator.len().max(1))
        .position(|window| window == separator)?;
    Some((line.get(..at)?, line.get(at + separator.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_end_at_the_first_separator() {
        assert_eq!(split(b"k:v:w", b":"), Some((&b"k"[..], &b"v:w"[..])));
        assert_eq!(split(b"k::v", b"::"), Some((&b"k"[..], &b"v"[..])));
        assert_eq!(split(b":v", b":"), Some((&b""[..], &b"v"[..])));
        assert_eq!(split(b"v", b":"), None);
        assert_eq!(split(b"", b"::"), None);
        assert_eq!(header("a=b=c"), Ok(("a".to_owned(), Some(b"b=c".to_vec()))));
        assert!(header("=b").is_err() && header("b").is_err());
    }
}
