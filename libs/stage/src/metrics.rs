//! The metrics of the process, the Kafka clients and logging, and the helpers by which each binary registers its own in
//! its `metrics.rs`. A test holds these files and the table of docs/metrics.md together.
//!
//! Each binary has one struct of handles, registered on a registry that it owns, so that the demo and tests can run
//! several stages in one process. Counters end in `_total`; durations are histograms in seconds, whose `_sum` and
//! `_count` serve `rate()` and whose buckets give quantiles.
//!
//! Every counter exists from the start, with 0 for each value that its labels can have (`labels.rs` of the crate), because
//! `increase()` does not see the first event of a series that starts with it.
//!
//! The counts add up at every stage: consumed = produced (or written) + dead-lettered + skipped + in flight.
//!
//! Labels that come from outside (topics, subsystems) have a limited number of values; the rest is one series,
//! [`OTHER`]. No label is part of a message.

mod consumer_lag;
mod process;
mod register;
mod subsystems;
mod topic_counters;

use std::sync::LazyLock;

use prometheus::{IntCounter, IntCounterVec, IntGauge, Registry};

pub use self::consumer_lag::{ConsumerLag, MAX_LAG_SERIES};
use self::register::sampled_counter;
pub use self::register::{
    Sample, counter, counters, gauge, gauges, histogram, sampled_gauges, transit_buckets, work_buckets,
};
pub(crate) use self::subsystems::Unfinished;
pub use self::subsystems::{Subsystem, Subsystems};
pub use self::topic_counters::TopicCounters;
use crate::labels;

/// The value of a label that stands for all values without a series of their own. Kafka allows no topic of this name.
pub const OTHER: &str = "(other)";

/// A metric cannot be registered. A test checks the names, so the only cause is a second registration, which is a
/// programming error.
pub type MetricsError = prometheus::Error;

/// Log lines that stderr did not take. The counter is process-wide, because logging starts before any registry exists;
/// every registry shows it.
pub(crate) fn log_lines_dropped() -> Option<&'static IntCounter> {
    static DROPPED: LazyLock<Option<IntCounter>> = LazyLock::new(|| {
        let r = &Registry::new();
        let help = "log lines that stderr did not take: it is closed, full, or a pipe that nobody reads";
        counter(r, "log_lines_dropped_total", help).ok()
    });
    DROPPED.as_ref()
}

/// Registers whether each dependency that `ready` returns is available.
pub(crate) fn register_readiness(
    r: &Registry,
    ready: impl Fn() -> Vec<(&'static str, bool)> + Send + Sync + 'static,
) -> Result<(), MetricsError> {
    let ready = move || {
        let of_one = |(name, is_up): (&str, bool)| (vec![name.to_owned()], f64::from(u8::from(is_up)));
        ready().into_iter().map(of_one).collect()
    };
    sampled_gauges(
        r,
        "kafka_efd_ready",
        "1 if a dependency, as named by /ready, is available",
        &["dependency"],
        ready,
    )
}

/// Registers what every process shows of itself. `ready` returns its dependencies, each with whether it is available.
pub(crate) fn register_process(
    r: &Registry,
    ready: impl Fn() -> Vec<(&'static str, bool)> + Send + Sync + 'static,
) -> Result<(), MetricsError> {
    gauges(
        r,
        "kafka_efd_build_info",
        "1, with the version and the revision of the binary",
        &["version", "revision"],
    )?
    .with_label_values(&[env!("CARGO_PKG_VERSION"), env!("KAFKA_EFD_REVISION")])
    .set(1);
    register_readiness(r, ready)?;
    sampled_counter(r, "process_cpu_seconds_total", "user and system CPU time", || {
        Some(process::stat()?.cpu_seconds)
    })?;
    let unlabelled = |value: Option<f64>| value.map(|value| (Vec::new(), value)).into_iter().collect();
    sampled_gauges(
        r,
        "process_resident_memory_bytes",
        "resident memory",
        &[],
        move || unlabelled(process::stat().map(|stat| stat.resident_bytes)),
    )?;
    sampled_gauges(
        r,
        "process_virtual_memory_bytes",
        "virtual memory",
        &[],
        move || unlabelled(process::stat().map(|stat| stat.virtual_bytes)),
    )?;
    sampled_gauges(r, "process_threads", "threads", &[], move || {
        unlabelled(process::stat().map(|stat| stat.threads))
    })?;
    sampled_gauges(r, "process_open_fds", "open file descriptors", &[], move || {
        unlabelled(process::open_fds())
    })?;
    sampled_gauges(
        r,
        "process_max_fds",
        "file descriptors that may be open",
        &[],
        move || unlabelled(process::max_fds()),
    )?;
    sampled_gauges(
        r,
        "process_start_time_seconds",
        "Unix time of the start",
        &[],
        move || unlabelled(process::start_time_seconds()),
    )
}

/// Metrics of the Kafka clients, the same in every binary.
#[derive(Debug, Clone)]
pub struct KafkaMetrics {
    /// Messages behind the end of each partition.
    pub lag: ConsumerLag,
    /// Partitions that the group has assigned to this process.
    pub assigned: IntGauge,
    /// Rebalances seen, by kind: assign, revoke, error.
    pub rebalances: IntCounterVec,
    /// Errors of the clients, by code.
    pub errors: IntCounterVec,
    /// Messages consumed and not yet finished.
    pub in_flight: IntGauge,
    /// Their bytes.
    pub in_flight_bytes: IntGauge,
    /// 1 while the consumer is paused because downstream does not keep up.
    pub paused: IntGauge,
    /// Messages released unfinished because their partition was revoked or the drain ended; they are read again.
    pub released: IntCounter,
    /// Offset commits, by result: ok, failed.
    pub commits: IntCounterVec,
    /// Partitions blocked by a batch that cannot be decoded.
    pub blocked: IntGauge,
    /// Batches skipped with --skip-undecodable-batches.
    pub skipped_batches: IntCounter,
    /// Their offsets.
    pub skipped_offsets: IntCounter,
    /// Stuck clients of a working cluster, by client and remedy: bootstrap, given_up, remade.
    pub stuck: IntCounterVec,
    /// Dead letters that their topic does not accept whole, by what was omitted: headers, value.
    pub shortened: IntCounterVec,
    /// Messages that the brokers deleted before they were read, by topic.
    pub lost_to_retention: TopicCounters,
    /// Partitions whose topic was deleted and recreated, by topic.
    pub recreated: TopicCounters,
}

impl KafkaMetrics {
    /// Registers them.
    pub fn register(r: &Registry) -> Result<Self, MetricsError> {
        let lag = ConsumerLag::default();
        let lags = lag.clone();
        sampled_gauges(
            r,
            "kafka_consumer_lag",
            "messages behind the end of a partition",
            &["topic", "partition"],
            move || lags.sample(),
        )?;
        Ok(Self {
            lag,
            assigned: gauge(
                r,
                "kafka_assigned_partitions",
                "partitions that the group has assigned to this process",
            )?,
            rebalances: counters(
                r,
                "kafka_rebalances_total",
                "rebalances by kind",
                &["kind"],
                labels::REBALANCES,
            )?,
            errors: counters(
                r,
                "kafka_errors_total",
                "errors of the Kafka clients by code",
                &["code"],
                labels::KAFKA_ERRORS,
            )?,
            in_flight: gauge(
                r,
                "kafka_in_flight_messages",
                "messages taken and not yet finished",
            )?,
            in_flight_bytes: gauge(
                r,
                "kafka_in_flight_bytes",
                "memory of the messages in flight, in bytes",
            )?,
            paused: gauge(
                r,
                "kafka_consumer_paused",
                "1 while paused because downstream does not keep up",
            )?,
            released: counter(
                r,
                "kafka_released_total",
                "messages given back unfinished, read again by another",
            )?,
            commits: counters(
                r,
                "kafka_commits_total",
                "offset commits by result",
                &["result"],
                labels::COMMITS,
            )?,
            blocked: gauge(
                r,
                "kafka_blocked_partitions",
                "partitions that stand still in front of a batch which cannot be decoded",
            )?,
            skipped_batches: counter(
                r,
                "kafka_skipped_batches_total",
                "batches passed over that cannot be decoded",
            )?,
            skipped_offsets: counter(
                r,
                "kafka_skipped_offsets_total",
                "offsets of batches passed over that cannot be decoded",
            )?,
            stuck: counters(
                r,
                "kafka_stuck_clients_total",
                "clients that stood still though the cluster worked, by what was done about it",
                &["client", "remedy"],
                // The watch adds the series of each client.
                &[],
            )?,
            // The series of a topic start with 0 when it is assigned.
            lost_to_retention: TopicCounters::new(counters(
                r,
                "kafka_messages_lost_to_retention_total",
                "messages that the brokers deleted before they were read",
                &["topic"],
                &[],
            )?),
            recreated: TopicCounters::new(counters(
                r,
                "kafka_topics_recreated_total",
                "partitions whose topic was deleted and made anew",
                &["topic"],
                &[],
            )?),
            shortened: counters(
                r,
                "kafka_dead_letters_shortened_total",
                "dead letters without what does not fit into their topic, by what that is",
                &["omitted"],
                labels::SHORTENED,
            )?,
        })
    }
}
