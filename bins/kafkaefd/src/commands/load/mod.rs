//! `kafkaefd load`: puts an observatory's load on the cluster with [`operator::load`] and shows the measurements.

mod table;

use std::cell::RefCell;
use std::time::Duration;

use clap::Args;
use operator::failure::Failure;
use operator::load::{self, MIN_MESSAGE_SIZE, Outcome, Plan, Step};
use stage::config::{KafkaArgs, seconds};
use stage::service::Shutdown;

use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, bars, note, plural, spinner, warn};

/// The time for the deletion of up to 20,000 topics.
const STOP_TIMEOUT: Duration = Duration::from_secs(300);

/// Put an observatory's load on the cluster and measure rates, latency and losses
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "The command creates its own topics and deletes them at the end. Ctrl-C ends it early and still prints the \
                  report. Latency is measured from the time at which a message is due until a consumer receives it.\n\n\
                  Example: kafkaefd load --topics 1000 --rate 1 --size 512 --producers 3 --seconds 30"
)]
pub struct LoadArgs {
    /// Number of topics, which are distributed among the producers
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    topics: u32,
    /// Messages per second in each topic
    #[arg(long, default_value_t = 1.0, value_name = "HZ", value_parser = rate)]
    rate: f64,
    /// Size of a message in bytes
    #[arg(long, default_value_t = 512, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(MIN_MESSAGE_SIZE as i64..=1_000_000))]
    size: u32,
    /// Number of producers, each with its own consumer
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    producers: u32,
    /// How long to send messages
    #[arg(long, default_value = "30", value_name = "S", value_parser = seconds)]
    seconds: Duration,
    /// Start of the topics' names; the run's number and the topic's number follow
    #[arg(long, default_value = "kafkaefd-load", value_name = "TEXT")]
    prefix: String,
    /// Partitions of each topic
    #[arg(long, short, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=1_000))]
    partitions: i32,
    /// Replicas of each partition; -1 means the brokers' setting
    #[arg(long, short, default_value_t = -1, value_name = "N", allow_negative_numbers = true)]
    replication: i32,
    /// Do not delete the topics at the end
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
        _ => Err("expected messages per second between 0.001 and 1000000, for example 0.5".to_owned()),
    }
}

impl LoadArgs {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
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
            let stop = Shutdown::of_command(STOP_TIMEOUT);
            load::run(cluster, &plan, &|| stop.is_set(), &step_reporter())
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

/// Shows the current step and its progress.
fn step_reporter() -> impl Fn(Step<'_>) {
    let (current, bars) = (RefCell::new(None), bars());
    move |step| {
        let spin = |text: String| {
            // Clear the previous step's line before the next step begins.
            current.take();
            current.replace(Some(spinner(text)));
        };
        match step {
            Step::Creating(topics) => spin(format!("creating {}", plural(topics, "topic"))),
            Step::Connecting => spin("opening connections".to_owned()),
            Step::Sending(progress) => {
                current.take();
                bars(progress);
            }
            Step::Deleting(topics) => spin(format!("deleting {}", plural(topics, "topic"))),
            Step::Keeping(topics) => {
                current.take();
                note(&format!("the topics {topics}.* were kept"));
            }
        }
    }
}
