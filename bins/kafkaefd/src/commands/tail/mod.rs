//! `kafkaefd tail`: messages of a topic as they arrive, decoded, filtered and written to one or several outputs.
//!
//! ```text
//!  reader ─▶ decode ─┬▶ filter ─▶ sample ─▶ format ─▶ a file, a pipe, stdout       (each a table [[output]] of --config)
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
use operator::messages::decode::{Decoded, Decoder, Form};
use operator::messages::filter::{Filter, filter};
use operator::messages::reader::{Met, Reader, Start, Stop};
use operator::messages::sample::Sample;
use stage::config::{KafkaArgs, RegistryArgs};
use stage::service::Shutdown;

use crate::commands::reach;
use crate::exit::Done;
use crate::terminal::{count, note, plural};
use format::Layout;
use output::{Output, Taken};

/// How long the reader waits for a message before commands that ended are noticed.
const POLL_TIMEOUT: Duration = Duration::from_millis(200);

/// Show a topic's messages, decoded: Avro by the registry's schemas, SAL text, JSON, text, or bytes
#[derive(Args, Debug, Clone)]
#[command(
    after_help = r#"A filter compares fields of the decoded value, and key, topic, partition, offset, timestamp and headers of the message, with == != < <= > >= or =~ (a regular expression), joined by and, or, not and parentheses: temperature[0] > 30 and not (state =~ '^Fault' or key == 'M1'). Fields within others: a.b, a[0], a['any name'], headers['any-name']; value.key is a field of the value. What is not there is null. Against timestamp a text is a moment: timestamp >= '-5m'. CEL's spelling, as in Kafbat's filters, works as well: record.value.state.startsWith('Fault') && !(record.key == 'M1'), with matches, startsWith, endsWith and contains.

A file for --config:

  [[output]]
  to = "faults.jsonl"             # a file that is appended to, "|command", or "-" for stdout
  format = "json"                 # as --format; without it, text
  filter = "summaryState == 3"
  [[output]]
  to = "|gzip > sampled.gz"
  sample = "1/100"

Examples:

  kafkaefd tail lsst.sal.Test_scalars -o -10 -e
  kafkaefd tail lsst.sal.Test_scalars -o -5m --filter 'float0 > 0.5' --format '%T %k %s\n'"#
)]
pub struct TailArgs {
    /// Name of the topic
    topic: String,
    /// Where to begin in each partition: beginning, end, an offset, -N for the last N, or a moment (2026-11-21T10:00:00Z, -5m)
    #[arg(
        long,
        short,
        default_value = "end",
        value_name = "WHERE",
        allow_hyphen_values = true
    )]
    offset: Start,
    /// End where the partitions end now, instead of waiting for more
    #[arg(long, short)]
    exit: bool,
    /// End after so many messages were written
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Only this partition
    #[arg(long, short, value_name = "NUMBER")]
    partition: Option<i32>,
    /// Only messages with this key
    #[arg(long, short, value_name = "KEY")]
    key: Option<String>,
    /// json (one object a line), text, raw (the value's bytes and a line end), or a form with kcat's letters, such as '%t %p %o %k %s\n'
    #[arg(long, short, default_value = "text", value_name = "FORMAT")]
    format: Layout,
    /// Only messages for which this holds, see below
    #[arg(long, value_name = "EXPR", value_parser = filter)]
    filter: Option<Filter>,
    /// Of those that pass the filter, the first of every N
    #[arg(long, default_value = "1/1", value_name = "1/N")]
    sample: Sample,
    /// File that is appended to, '|command' for a pipe through sh, or - for stdout
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
    /// Runs the command.
    pub async fn run(&self) -> Result<Done, Failure> {
        let plans = match &self.config {
            Some(path) => config::read(path)?,
            None => vec![config::Plan {
                to: self.output.clone(),
                filter: self.filter.clone(),
                sample: self.sample,
                format: self.format.clone(),
            }],
        };
        let mut decoder = Decoder::new(&self.registry)?;
        let cluster = reach(&self.kafka)?;
        let topic = cluster.topic(&self.topic)?;
        let stop = if self.exit { Stop::AtEnd } else { Stop::Never };
        let mut reader = Reader::open(&cluster, topic, self.partition, self.offset, stop)?;
        let mut outputs = plans
            .into_iter()
            .map(Output::open)
            .collect::<Result<Vec<_>, _>>()?;
        let shutdown = Shutdown::new(Duration::ZERO);
        shutdown.ask_on_signals();

        let (mut read, mut written) = (0_usize, 0_u64);
        let mut wait = Duration::ZERO;
        while !shutdown.is_set()
            && self.count.is_none_or(|count| written < count)
            && outputs.iter().any(Output::is_open)
        {
            match reader.next(wait)? {
                Met::End => break,
                // No message is ready: what is buffered is written before the next one is waited for.
                Met::Nothing if wait.is_zero() => {
                    outputs.iter_mut().for_each(Output::flush);
                    wait = POLL_TIMEOUT;
                }
                Met::Nothing => outputs.iter_mut().for_each(Output::look),
                Met::Message(message) => {
                    wait = Duration::ZERO;
                    read += 1;
                    if self
                        .key
                        .as_ref()
                        .is_some_and(|key| message.key.as_deref() != Some(key.as_bytes()))
                    {
                        continue;
                    }
                    let decoded = if outputs.iter().any(Output::needs_decoded) {
                        decoder.decode(message.value.as_deref(), message.timestamp).await
                    } else {
                        Decoded {
                            form: Form::Nothing,
                            value: serde_json::Value::Null,
                            problem: None,
                        }
                    };
                    let mut taken = false;
                    for output in &mut outputs {
                        taken |= output.offer(&message, &decoded) == Taken::Yes;
                    }
                    written += u64::from(taken);
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
        Ok(done)
    }
}
