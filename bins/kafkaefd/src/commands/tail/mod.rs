//! `kafkaefd tail`: reads topics, decodes and filters its messages and writes them to one or several outputs.
//!
//! ```text
//!  reader ─▶ decode ─┬▶ filter ─▶ sample ─▶ format ─▶ file, pipe or stdout      (one table [[output]] of --config)
//!                    └▶ …
//! ```

mod config;
mod format;
mod output;
mod sink;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use operator::failure::Failure;
use operator::messages::decode::{Decoder, Form, Needs};
use operator::messages::filter::{Filter, filter};
use operator::messages::reader::{Met, Reader, Start, Stop};
use operator::messages::sample::Sample;
use operator::topics::chosen;
use regex::Regex;
use stage::Printable;
use stage::config::{KafkaArgs, RegistryArgs};
use stage::service::Shutdown;

use crate::commands::reach;
use crate::exit::Done;
use crate::terminal::{count, faint, note, plural, warn};
use format::Format;
use output::{Output, Written};

/// How long the reader waits for a message before it checks whether piped commands have ended.
const POLL_TIMEOUT: Duration = Duration::from_millis(200);
/// How long the commands that it pipes to may take to read what they were sent.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Show the messages of topics, keys and values decoded: Avro with the registry's schemas, SAL text, JSON, text or bytes
#[derive(Args, Debug, Clone)]
#[command(
    visible_alias = "consume",
    after_help = r#"A filter compares fields of the decoded value, and key, topic, partition, offset, timestamp and headers of the message, with == != < <= > >= or =~ (a regular expression). Comparisons are combined with and, or, not and parentheses: temperature[0] > 30 and not (state =~ '^Fault' or key == 'M1'). Nested fields are written a.b, a[0], a['any name'] and headers['any-name']; value.key is a field of the value. A missing field is null. A string that is compared with timestamp is a time: timestamp >= '-5m'. The spelling of CEL, as in Kafbat's filters, is accepted too: record.value.state.startsWith('Fault') && !(record.key == 'M1'), with matches, startsWith, endsWith and contains.

A file for --config:

  [[output]]
  to = "faults.jsonl"             # a file to append to, "|command", or "-" for stdout
  format = "json"                 # as --format; the default is text
  filter = "summaryState == 3"
  [[output]]
  to = "|gzip > sampled.gz"
  sample = "1/100"

Examples:

  kafkaefd tail lsst.sal.Test_scalars -o -10 -e
  kafkaefd tail 'lsst.sal.MTM1M3_logevent_.*' --filter 'summaryState == 3'
  kafkaefd tail lsst.sal.Test_scalars -o -5m --filter 'float0 > 0.5' --format '%T %k %s\n'"#
)]
pub struct TailArgs {
    /// Names of topics; one with other characters than a name can have is a regular expression for whole names, such as
    /// 'lsst.sal.MTM1M3.*'
    #[arg(id = "topic", value_name = "TOPIC", required_unless_present = "topic_regex")]
    topics: Vec<String>,
    /// Also the topics whose name matches this regular expression anywhere; those that exist when reading starts
    #[arg(long, value_name = "REGEX")]
    topic_regex: Option<Regex>,
    /// Where to start in each partition: beginning, end, an offset, -N for the last N messages, or a time
    /// (2026-11-21T10:00:00Z, -5m)
    #[arg(
        long,
        short,
        default_value = "end",
        value_name = "WHERE",
        allow_hyphen_values = true
    )]
    offset: Start,
    /// The same as --offset beginning
    #[arg(long, conflicts_with = "offset")]
    from_beginning: bool,
    /// Stop at the current end of the partitions instead of waiting for more messages
    #[arg(long, short)]
    exit: bool,
    /// Stop after writing N messages
    #[arg(long, short = 'n', visible_short_alias = 'c', visible_alias = "num", alias = "max-messages", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Only this partition
    #[arg(long, short, value_name = "NUMBER")]
    partition: Option<i32>,
    /// Only messages with this key; of an Avro key its text, or its JSON as it is shown
    #[arg(long, short, value_name = "KEY")]
    key: Option<String>,
    /// json (one object per line), text, raw (the value's bytes and a line feed), or a format with kcat's placeholders,
    /// such as '%t %p %o %k %s\n'
    #[arg(long, short, default_value = "text", value_name = "FORMAT")]
    format: Format,
    /// Name the branch of every union, as Avro's own JSON does: {"long": 5}
    #[arg(long)]
    typed_unions: bool,
    /// Only messages that match this filter, see below
    #[arg(long, value_name = "EXPR", value_parser = filter)]
    filter: Option<Filter>,
    /// Only the first of every N messages that match the filter
    #[arg(long, default_value = "1/1", value_name = "1/N")]
    sample: Sample,
    /// File to append to, '|command' to pipe to a shell command, or - for stdout
    #[arg(long, default_value = "-", value_name = "FILE")]
    output: String,
    /// TOML file of several outputs, each with its own filter, sample and format, see below
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "filter", "sample", "output"])]
    config: Option<PathBuf>,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl TailArgs {
    pub(crate) async fn run(&self) -> Result<Done, Failure> {
        let configs = match &self.config {
            Some(path) => config::read(path)?,
            None => vec![config::OutputConfig {
                to: self.output.clone(),
                filter: self.filter.clone(),
                sample: self.sample,
                format: self.format.clone(),
            }],
        };
        let mut decoder = Decoder::new(&self.registry)?.typed(self.typed_unions);
        let cluster = reach(&self.kafka)?;
        let topics = chosen(&cluster, &self.topics, self.topic_regex.as_ref())?;
        if topics.len() > 1 {
            note(&faint(format!("reading {}", plural(topics.len(), "topic"))));
        }
        let stop = if self.exit { Stop::AtEnd } else { Stop::Never };
        let start = if self.from_beginning {
            Start::Beginning
        } else {
            self.offset
        };
        let mut reader = Reader::open_all(&cluster, &topics, self.partition, start, stop)?;
        let mut outputs = configs
            .into_iter()
            .map(Output::open)
            .collect::<Result<Vec<_>, _>>()?;
        let shutdown = Shutdown::of_command(STOP_TIMEOUT);

        let (mut read, mut written) = (0_usize, 0_u64);
        let (mut undecoded, mut why) = (0_usize, None);
        let mut wait = Duration::ZERO;
        while !shutdown.is_set()
            && self.count.is_none_or(|count| written < count)
            && outputs.iter().any(Output::is_open)
        {
            match reader.next(wait)? {
                Met::End => break,
                // No message is ready: flush the buffers before waiting for the next one.
                Met::Nothing if wait.is_zero() => {
                    outputs.iter_mut().for_each(Output::flush);
                    wait = POLL_TIMEOUT;
                }
                Met::Nothing => outputs.iter_mut().for_each(Output::check_command),
                Met::Message(message) => {
                    wait = Duration::ZERO;
                    read += 1;
                    let needs = Needs {
                        key: self.key.is_some() || outputs.iter().any(|output| output.needs().key),
                        value: outputs.iter().any(|output| output.needs().value),
                    };
                    let decoded = decoder.decode_message(&message, needs).await;
                    let is_wanted = |key: &str| {
                        message.key.as_deref() == Some(key.as_bytes())
                            || decoded.key.is_some() && decoded.key_text(&message) == key
                    };
                    if self.key.as_deref().is_some_and(|key| !is_wanted(key)) {
                        continue;
                    }
                    if let (Form::Hex, Some(problem)) = (decoded.form, &decoded.problem) {
                        undecoded += 1;
                        why.get_or_insert_with(|| problem.clone());
                    }
                    let mut any_written = false;
                    for output in &mut outputs {
                        any_written |= output.offer(&message, &decoded) == Written::Yes;
                    }
                    written += u64::from(any_written);
                }
            }
        }
        if shutdown.is_set() && io::stderr().is_terminal() {
            // Ends the line on which the terminal shows ^C.
            note(&"");
        }
        let mut done = Done::All;
        let several = outputs.len() > 1 || self.config.is_some();
        for output in outputs {
            if let Done::Partly = output.close(several) {
                done = Done::Partly;
            }
        }
        note(&format!(
            "{} read, {} written",
            plural(read, "message"),
            count(written)
        ));
        if let Some(why) = why {
            note(&warn(Printable(format!(
                "kafkaefd: {} could not be decoded: {why}",
                plural(undecoded, "message")
            ))));
            done = Done::Partly;
        }
        match decoder.unanswered() {
            Some(error) => Err(error.clone().into()),
            None => Ok(done),
        }
    }
}
