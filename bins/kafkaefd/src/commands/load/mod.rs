//! `kafkaefd load`: puts an observatory's load on the cluster, see [`operator::load`], and shows what it measured.

mod table;

use std::cell::RefCell;
use std::time::Duration;

use clap::Args;
use operator::cluster::REQUEST_TIMEOUT;
use operator::failure::Failure;
use operator::load::{self, MIN_MESSAGE_SIZE, Outcome, Plan, Step};
use stage::config::{KafkaArgs, seconds};
use stage::service::Shutdown;

use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, bars, note, plural, spinner, warn};

/// Put an observatory's load on the cluster and measure it: rates, latency, losses
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Makes topics of its own and deletes them at the end. Ctrl-C ends it early, with the report. Latency is from \
                  the moment a message was due until a consumer had it.\n\n\
                  Example: kafkaefd load --topics 1000 --rate 1 --size 512 --producers 3 --seconds 30"
)]
pub struct LoadArgs {
    /// Topics, shared out among the producers
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    topics: u32,
    /// Messages a second in each topic
    #[arg(long, default_value_t = 1.0, value_name = "HZ", value_parser = rate)]
    rate: f64,
    /// Bytes of a message
    #[arg(long, default_value_t = 512, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(MIN_MESSAGE_SIZE as i64..=1_000_000))]
    size: u32,
    /// Producers, each with a consumer of its own
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    producers: u32,
    /// How long to send
    #[arg(long, default_value = "30", value_name = "S", value_parser = seconds)]
    seconds: Duration,
    /// What the topics' names begin with; the run's own number and the topic's follow
    #[arg(long, default_value = "kafkaefd-load", value_name = "TEXT")]
    prefix: String,
    /// Partitions of each topic
    #[arg(long, short, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=1_000))]
    partitions: i32,
    /// Copies of each partition; -1 leaves it to the broker
    #[arg(long, short, default_value_t = -1, value_name = "N", allow_negative_numbers = true)]
    replication: i32,
    /// Leave the topics there at the end
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=1_000_000.0).contains(&rate) => Ok(rate),
        _ => Err("expected messages a second between 0.001 and 1000000, for example 0.5".to_owned()),
    }
}

impl LoadArgs {
    /// Runs the load and shows its report.
    pub async fn run(self) -> Result<Done, Failure> {
        let plan = Plan {
            topics: self.topics,
            rate: self.rate,
            size: self.size,
            producers: self.producers,
            duration: self.seconds,
            prefix: self.prefix,
            partitions: self.partitions,
            replication: self.replication,
            keep: self.keep,
        };
        let Outcome { report, topics, left } = ask(&self.kafka, move |cluster| {
            let stop = Shutdown::new(REQUEST_TIMEOUT);
            stop.ask_on_signals();
            load::run(cluster, &plan, &|| stop.is_set(), &steps())
        })
        .await?;
        self.answer.print(&report, || table::table(&report))?;
        if left > 0 {
            note(&warn(format!(
                "{} could not be deleted: {topics}.*",
                plural(left, "topic")
            )));
        }
        Ok(if report.is_whole() && left == 0 {
            Done::All
        } else {
            Done::Partly
        })
    }
}

/// Shows what the load is doing.
fn steps() -> impl Fn(Step<'_>) {
    let (current, bars) = (RefCell::new(None), bars());
    move |step| {
        let spin = |text: String| {
            // The line of the previous step is cleared before the next one begins.
            current.take();
            current.replace(Some(spinner(text)));
        };
        match step {
            Step::Creating(topics) => spin(format!("making {}", plural(topics, "topic"))),
            Step::Connecting => spin("opening connections".to_owned()),
            Step::Sending(progress) => {
                current.take();
                bars(progress);
            }
            Step::Deleting(topics) => spin(format!("deleting {}", plural(topics, "topic"))),
            Step::Keeping(topics) => {
                current.take();
                note(&format!("the topics {topics}.* stay"));
            }
        }
    }
}
