//! The load itself, from the first message to the report.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::producer::BaseProducer;
use rdkafka::{Offset, TopicPartitionList};

use super::receiver::{Received, Receiver};
use super::report::{self, Latency, Report};
use super::sender::{Sender, Tally};
use super::{Plan, Step};
use crate::cluster::{Cluster, Place};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::text::plural;

const REPORT_INTERVAL: Duration = Duration::from_millis(100);

type Pair = (Sender, Receiver);

/// Sends and receives; blocks until everything has arrived or is lost.
pub(super) fn measure(
    cluster: &Cluster,
    plan: &Plan,
    names: &[String],
    run: u64,
    is_stopped: &(dyn Fn() -> bool + Sync),
    report: &dyn Fn(Step<'_>),
) -> Result<Report, Failure> {
    let (cluster, lacking) = cluster.wait_for_leaders(names)?;
    if lacking > 0 {
        return Err(Failure::Refused {
            what: "the load's start".to_owned(),
            reason: format!("{} have no leader", plural(lacking, "topic")),
            hint: "`kafkaefd admin brokers` shows which brokers are there".to_owned(),
        });
    }
    let pairs = pairs(&cluster, plan, names, run)?;
    let received = AtomicU64::new(0);
    let total: u64 = pairs.iter().map(|(sender, _)| sender.messages).sum();
    let (running, all_ended) = mpsc::channel::<()>();
    let (sent, received) = std::thread::scope(|scope| {
        report(Step::Connecting);
        let warm: Vec<ScopedJoinHandle<'_, Result<BaseProducer<Tally>, Failure>>> = pairs
            .iter()
            .map(|(sender, receiver)| {
                scope.spawn(move || {
                    let client = sender.warm_up()?;
                    receiver.warm_up(sender.topics.len(), is_stopped)?;
                    Ok(client)
                })
            })
            .collect();
        let clients = warm.into_iter().map(join).collect::<Result<Vec<_>, _>>()?;
        let begun = Instant::now();
        let (mut senders, mut receivers) = (Vec::new(), Vec::new());
        for ((sender, receiver), client) in pairs.iter().zip(clients) {
            let (say, said) = mpsc::channel();
            let done = running.clone();
            senders.push(scope.spawn(move || {
                let sent = sender.run(&client, is_stopped);
                let seconds = begun.elapsed().as_secs_f64();
                // The last message's period belongs to the run, or a short run's rate would exceed the requested one.
                let due = |sent: u64| sent as f64 / sender.rate;
                // A receiver waits for a failed sender no longer than its messages arrive.
                let _ = say.send(sender.tally.acknowledged());
                drop(done);
                sent.map(|sent| (sent, seconds.max(due(sent))))
            }));
            let count = &received;
            receivers.push(scope.spawn(move || {
                let known = Cell::new(None);
                let sent = || {
                    known.set(known.get().or_else(|| said.try_recv().ok()));
                    known.get()
                };
                receiver.run(sent, count)
            }));
        }
        drop(running);
        let sending = |done| {
            report(Step::Sending(Progress {
                unit: "messages",
                done,
                total,
            }));
        };
        sending(0);
        // The channel is disconnected once all senders have ended.
        while matches!(
            all_ended.recv_timeout(REPORT_INTERVAL),
            Err(RecvTimeoutError::Timeout)
        ) {
            sending(received.load(Ordering::Relaxed).min(total.saturating_sub(1)));
        }
        let sent = senders.into_iter().map(join).collect::<Result<Vec<_>, _>>();
        let received = receivers.into_iter().map(join).collect::<Result<Vec<_>, _>>();
        sending(total);
        Ok::<_, Failure>((sent?, received?))
    })?;
    summarize(plan, &pairs, &sent, &received, is_stopped())
}

/// The producers, each with its consumer.
fn pairs(cluster: &Cluster, plan: &Plan, names: &[String], run: u64) -> Result<Vec<Pair>, Failure> {
    let count = plan.producers.min(plan.topics) as usize;
    (0..count)
        .map(|number| {
            let topics: Vec<String> = names.iter().skip(number).step_by(count).cloned().collect();
            let rate = plan.rate * topics.len() as f64;
            let messages = (rate * plan.duration.as_secs_f64()).ceil() as u64;
            let places: BTreeSet<Place> = topics
                .iter()
                .flat_map(|topic| (0..plan.partitions).map(|partition| (topic.clone(), partition)))
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
                size: plan.size as usize,
                messages,
                tally: Tally::default(),
            };
            let receiver = Receiver {
                client,
                run,
                producer,
                limit: messages,
            };
            Ok((sender, receiver))
        })
        .collect()
}

fn summarize(
    plan: &Plan,
    pairs: &[Pair],
    sent: &[(u64, f64)],
    received: &[Received],
    ended_early: bool,
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
        topics: plan.topics as usize,
        producers: pairs.len(),
        size: plan.size as usize,
        seconds,
        ended_early,
        wanted_per_second: plan.rate * f64::from(plan.topics),
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

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    match thread.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
