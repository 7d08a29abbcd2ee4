//! `kafkaefd load`: as many messages through as many topics as an observatory has, to see whether a cluster carries them.
//!
//! ```text
//!  sender 0 ─▶ its topics ─▶ receiver 0        (each a thread with a client of its own)
//!  sender 1 ─▶ its topics ─▶ receiver 1
//! ```
//! Every message carries its number and the moment it was due (`stamp`), so that what is lost is counted and what is late
//! is seen, also where the producers themselves fall behind.

mod receiver;
mod report;
mod sender;
mod stamp;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use clap::Args;
use rdkafka::consumer::Consumer;
use rdkafka::producer::BaseProducer;
use rdkafka::{Offset, TopicPartitionList};
use stage::config::{KafkaArgs, seconds};
use stage::kafka::OneShotContext;
use stage::service::Shutdown;
use stage::topics::{Created, Shape, create};
use stage::unix_micros;

use crate::commands::reach;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, bar, note, plural, spinner, warn};
use operator::cluster::{Cluster, PATIENCE, Place};
use operator::failure::Failure;
use receiver::{Received, Receiver};
use report::{Latency, Report};
use sender::{Sender, Tally};
use stamp::STAMP;

/// How many topics one request makes or deletes.
const AT_ONCE: usize = 500;
/// How often the progress moves.
const TICK: Duration = Duration::from_millis(100);

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
    #[arg(long, default_value_t = 512, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(STAMP as i64..=1_000_000))]
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
    /// Makes the topics, runs the load, deletes the topics whatever came of it.
    pub async fn run(self) -> Result<Done, Failure> {
        let cluster = reach(&self.kafka)?;
        let stop = Shutdown::new(PATIENCE);
        stop.ask_on_signals();
        let run = unix_micros().unsigned_abs();
        let names: Vec<String> = (0..self.topics)
            .map(|number| format!("{}.{run:x}.{number:05}", self.prefix))
            .collect();
        let made = self.make(&cluster, &names).await;
        let report = match made {
            Ok(()) => tokio::task::block_in_place(|| self.measure(&names, run, &stop)),
            Err(failure) => Err(failure),
        };
        let left = if self.keep {
            note(&format!("the topics {}.{run:x}.* stay", self.prefix));
            0
        } else {
            delete(&cluster, &names).await?
        };
        let report = report?;
        self.answer.print(&report, || report.table())?;
        if left > 0 {
            note(&warn(format!(
                "{} could not be deleted: {}.{run:x}.*",
                plural(left, "topic"),
                self.prefix
            )));
        }
        Ok(if report.is_whole() && left == 0 {
            Done::All
        } else {
            Done::Partly
        })
    }

    async fn make(&self, cluster: &Cluster, names: &[String]) -> Result<(), Failure> {
        let spinner = spinner(format!("making {}", plural(names.len(), "topic")));
        let shape = Shape {
            partitions: self.partitions,
            replication: self.replication,
        };
        let mut result = Ok(());
        for some in names.chunks(AT_ONCE) {
            let some: Vec<&str> = some.iter().map(String::as_str).collect();
            let created = create(&cluster.config(), &some, shape, &[], PATIENCE)
                .await
                .map_err(Failure::kafka("making topics"))?;
            let refused = created.into_iter().find_map(|created| match created {
                Created::Refused(code) => Some(code),
                Created::New | Created::Existing => None,
            });
            if let Some(code) = refused {
                result = Err(Failure::Refused {
                    what: "making topics".to_owned(),
                    reason: code.to_string(),
                    hint: "another --prefix or --replication, or a user that may make topics".to_owned(),
                });
                break;
            }
        }
        spinner.finish_and_clear();
        result
    }

    /// The load itself, from the first message to the report. Blocks.
    fn measure(&self, names: &[String], run: u64, stop: &Shutdown) -> Result<Report, Failure> {
        let cluster = self.until_led(names)?;
        let pairs = self.pairs(&cluster, names, run)?;
        let progress = AtomicU64::new(0);
        let total: u64 = pairs.iter().map(|(sender, _)| sender.messages).sum();
        let (started, start) = mpsc::channel::<()>();
        let outcome = std::thread::scope(|scope| {
            let spinner = spinner("opening connections");
            let warm: Vec<ScopedJoinHandle<'_, Result<BaseProducer<Tally>, Failure>>> = pairs
                .iter()
                .map(|(sender, receiver)| {
                    scope.spawn(move || {
                        let client = sender.warm_up()?;
                        receiver.warm_up(sender.topics.len(), stop)?;
                        Ok(client)
                    })
                })
                .collect();
            let clients = warm.into_iter().map(join).collect::<Result<Vec<_>, _>>();
            spinner.finish_and_clear();
            let clients = clients?;
            let begun = Instant::now();
            let (mut senders, mut receivers) = (Vec::new(), Vec::new());
            for ((sender, receiver), client) in pairs.iter().zip(clients) {
                let (say, said) = mpsc::channel();
                let done = started.clone();
                senders.push(scope.spawn(move || {
                    let sent = sender.run(&client, stop);
                    let seconds = begun.elapsed().as_secs_f64();
                    // The last message's period belongs to the run, or a short run's rate would be above what was asked.
                    let due = |sent: u64| sent as f64 / sender.rate;
                    // A sender that failed is waited for no longer than its messages come.
                    let _ = say.send(sender.tally.acknowledged());
                    drop(done);
                    sent.map(|sent| (sent, seconds.max(due(sent))))
                }));
                let progress = &progress;
                receivers.push(scope.spawn(move || {
                    let known = std::cell::Cell::new(None);
                    let sent = || {
                        known.set(known.get().or_else(|| said.try_recv().ok()));
                        known.get()
                    };
                    receiver.run(sent, progress)
                }));
            }
            drop(started);
            let bar = bar(total, "messages");
            // All senders are done once nobody holds the channel's other end.
            while matches!(start.recv_timeout(TICK), Err(mpsc::RecvTimeoutError::Timeout)) {
                bar.set_position(progress.load(Ordering::Relaxed));
            }
            let sent = senders.into_iter().map(join).collect::<Result<Vec<_>, _>>();
            let received = receivers.into_iter().map(join).collect::<Result<Vec<_>, _>>();
            bar.finish_and_clear();
            Ok::<_, Failure>((sent?, received?))
        });
        let (sent, received) = outcome?;
        self.report(&pairs, &sent, &received, stop)
    }

    /// Waits until every topic has a leader: brokers answer first and make them after.
    fn until_led(&self, names: &[String]) -> Result<Cluster, Failure> {
        let begun = Instant::now();
        loop {
            let cluster = reach(&self.kafka)?;
            let led = |name: &&String| {
                cluster.topic(name).is_ok_and(|topic| {
                    !topic.partitions.is_empty()
                        && topic.partitions.iter().all(|partition| partition.leader >= 0)
                })
            };
            let missing = names.len() - names.iter().filter(led).count();
            if missing == 0 {
                return Ok(cluster);
            }
            if begun.elapsed() > PATIENCE {
                return Err(Failure::Refused {
                    what: "the load's start".to_owned(),
                    reason: format!("{} have no leader", plural(missing, "topic")),
                    hint: "`kafkaefd admin brokers` shows which brokers are there".to_owned(),
                });
            }
            std::thread::sleep(TICK);
        }
    }

    /// The producers, each with its consumer.
    fn pairs(
        &self,
        cluster: &Cluster,
        names: &[String],
        run: u64,
    ) -> Result<Vec<(Sender, Receiver<OneShotContext>)>, Failure> {
        let count = self.producers.min(self.topics) as usize;
        (0..count)
            .map(|number| {
                let topics: Vec<String> = names.iter().skip(number).step_by(count).cloned().collect();
                let rate = self.rate * topics.len() as f64;
                let messages = (rate * self.seconds.as_secs_f64()).ceil() as u64;
                let places: BTreeSet<Place> = topics
                    .iter()
                    .flat_map(|topic| (0..self.partitions).map(|partition| (topic.clone(), partition)))
                    .collect();
                let client = cluster.consumer(&[("fetch.wait.max.ms", "100")])?;
                let mut assignment = TopicPartitionList::new();
                for (topic, partition) in &places {
                    assignment
                        .add_partition_offset(topic, *partition, Offset::Beginning)
                        .map_err(Failure::kafka("assigning partitions"))?;
                }
                client
                    .assign(&assignment)
                    .map_err(Failure::kafka("assigning partitions"))?;
                let producer = u32::try_from(number).unwrap_or_default();
                let sender = Sender {
                    config: cluster.producer_config(),
                    run,
                    producer,
                    topics,
                    rate,
                    size: self.size as usize,
                    messages,
                    tally: Tally::default(),
                };
                let limit = sender.messages;
                Ok((
                    sender,
                    Receiver {
                        client,
                        run,
                        producer,
                        limit,
                    },
                ))
            })
            .collect()
    }

    fn report(
        &self,
        pairs: &[(Sender, Receiver<OneShotContext>)],
        sent: &[(u64, f64)],
        received: &[Received],
        stop: &Shutdown,
    ) -> Result<Report, Failure> {
        let mut latency = report::histogram()?;
        for one in received {
            latency
                .add(&one.latency)
                .map_err(|error| Failure::Usage(error.to_string()))?;
        }
        let seconds = sent
            .iter()
            .map(|(_, seconds)| *seconds)
            .fold(f64::MIN_POSITIVE, f64::max);
        let total: u64 = sent.iter().map(|(sent, _)| sent).sum();
        let acknowledged: u64 = pairs.iter().map(|(sender, _)| sender.tally.acknowledged()).sum();
        let arrived: u64 = received.iter().map(|one| one.messages).sum();
        Ok(Report {
            topics: self.topics as usize,
            producers: pairs.len(),
            size: self.size as usize,
            seconds,
            ended_early: stop.is_set(),
            wanted_per_second: self.rate * f64::from(self.topics),
            acknowledged_per_second: acknowledged as f64 / seconds,
            received_per_second: arrived as f64 / seconds,
            sent: total,
            acknowledged,
            failed: total.saturating_sub(acknowledged),
            received: arrived,
            repeated: received.iter().map(|one| one.repeated).sum(),
            lost: acknowledged.saturating_sub(arrived),
            latency: Latency::of(&latency),
        })
    }
}

/// Deletes the run's own topics; answers how many stay.
async fn delete(cluster: &Cluster, names: &[String]) -> Result<usize, Failure> {
    let spinner = spinner(format!("deleting {}", plural(names.len(), "topic")));
    let admin = cluster.admin()?;
    let mut left = 0;
    for some in names.chunks(AT_ONCE) {
        let names: Vec<&str> = some.iter().map(String::as_str).collect();
        left += match admin.delete_topics(&names, &Cluster::admin_options()).await {
            Ok(answers) => answers
                .iter()
                .filter(|answer| {
                    // Of those that were never made, nothing stays.
                    !matches!(
                        answer,
                        Ok(_) | Err((_, rdkafka::error::RDKafkaErrorCode::UnknownTopicOrPartition))
                    )
                })
                .count(),
            Err(_) => names.len(),
        };
    }
    spinner.finish_and_clear();
    Ok(left)
}

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    match thread.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
