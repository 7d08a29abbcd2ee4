//! Every metric of the project, by name, in one file. A test holds this file and the README's table together.
//!
//! Each binary has one struct of handles, registered on a registry that it owns (so that the demo and tests can run
//! several stages in one process). Counters end in `_total`, times are histograms in seconds: their `_sum` and
//! `_count` serve `rate()` as the summaries of the 2019 transformer did, their buckets give quantiles.
//!
//! Every counter exists from the start, with 0 for each value that its labels can have ([`labels`]): `increase()` sees
//! the first event, too.
//!
//! The counts add up at every stage: consumed = produced (or written) + dead-lettered + skipped + in flight.

mod make;

use std::sync::LazyLock;

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use self::make::{counter, counters, gauge, gauges, histogram, way_buckets, work_buckets};
use crate::labels;

/// Names are checked by a test, so registering one can only fail if it is registered twice; that is a programming
/// error which the caller passes on.
pub type MetricsError = prometheus::Error;

/// Log lines that stderr did not take, of the whole process: logging is there before any registry, and each shows the same.
pub(crate) fn log_lines_dropped() -> Option<&'static IntCounter> {
    static DROPPED: LazyLock<Option<IntCounter>> = LazyLock::new(|| {
        let r = &Registry::new();
        let help = "log lines that stderr did not take: it is closed, full, or a pipe that nobody reads";
        counter(r, "log_lines_dropped_total", help).ok()
    });
    DROPPED.as_ref()
}

/// What every binary that consumes or produces shows of its Kafka clients.
#[derive(Debug, Clone)]
pub struct KafkaMetrics {
    /// Messages behind the end of each partition, from librdkafka's statistics.
    pub lag: IntGaugeVec,
    /// Partitions that the group has assigned to this process.
    pub assigned: IntGauge,
    /// Rebalances seen, by kind: assign, revoke, error.
    pub rebalances: IntCounterVec,
    /// Errors of the clients, by code.
    pub errors: IntCounterVec,
    /// Messages taken and not yet finished.
    pub in_flight: IntGauge,
    /// Their bytes.
    pub in_flight_bytes: IntGauge,
    /// 1 while the consumer is paused because downstream does not keep up.
    pub paused: IntGauge,
    /// Messages given back unfinished (revoked partitions, an ended drain): another process reads them again.
    pub released: IntCounter,
    /// Offset commits, by result: ok, failed.
    pub commits: IntCounterVec,
    /// Partitions that stand still in front of a batch which cannot be decoded.
    pub blocked: IntGauge,
    /// Batches passed over with --skip-undecodable-batches.
    pub skipped_batches: IntCounter,
    /// Their offsets.
    pub skipped_offsets: IntCounter,
    /// Clients that stood still though the cluster worked, by client and by what was done: bootstrap, given_up, remade.
    pub stuck: IntCounterVec,
    /// Dead letters that their topic does not take whole, by what was left out: headers, value.
    pub shortened: IntCounterVec,
    /// Messages that the brokers deleted before they were read, by topic.
    pub lost_to_retention: IntCounterVec,
    /// Partitions whose topic was deleted and made anew, by topic.
    pub recreated: IntCounterVec,
}

impl KafkaMetrics {
    /// Registers them.
    pub fn register(r: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            lag: gauges(
                r,
                "kafka_consumer_lag",
                "messages behind the end of a partition",
                &["topic", "partition"],
            )?,
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
                // Its watch shows them of each client that there is.
                &[],
            )?,
            // Topics are known once they are assigned: then their series begin with 0.
            lost_to_retention: counters(
                r,
                "kafka_messages_lost_to_retention_total",
                "messages that the brokers deleted before they were read",
                &["topic"],
                &[],
            )?,
            recreated: counters(
                r,
                "kafka_topics_recreated_total",
                "partitions whose topic was deleted and made anew",
                &["topic"],
                &[],
            )?,
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

/// salmock's own.
#[derive(Debug, Clone)]
pub struct SalmockMetrics {
    /// Messages that the broker has acknowledged.
    pub produced: IntCounter,
}

impl SalmockMetrics {
    /// Registers them.
    pub fn register(r: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            produced: counter(
                r,
                "salmock_produced_total",
                "mock messages acknowledged by the broker",
            )?,
        })
    }
}

/// saltransform's own.
#[derive(Debug, Clone)]
pub struct TransformMetrics {
    /// Messages taken from the input topics.
    pub consumed: IntCounter,
    /// Records acknowledged by the broker.
    pub produced: IntCounter,
    /// Messages in the dead-letter topic, by stage and reason.
    pub dead_letters: IntCounterVec,
    /// Messages that carry nothing (tombstones, empty values), by reason.
    pub skipped: IntCounterVec,
    /// Values skipped, omitted or ambiguous in messages that were carried, by reason.
    pub notes: IntCounterVec,
    /// Seconds from taking a message to the broker's acknowledgement of its record.
    pub total_seconds: Histogram,
    /// Seconds for parse and encode of one message.
    pub transform_seconds: Histogram,
    /// Schema look-ups in the registry, by result: new, unchanged, unusable, missing, reassigned, failed.
    pub schema_lookups: IntCounterVec,
}

impl TransformMetrics {
    /// Registers them.
    pub fn register(r: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            consumed: counter(
                r,
                "saltransform_consumed_total",
                "SAL messages taken from the input topics",
            )?,
            produced: counter(
                r,
                "saltransform_produced_total",
                "Avro records acknowledged by the broker",
            )?,
            dead_letters: counters(
                r,
                "saltransform_dead_letters_total",
                "messages in the dead-letter topic",
                &["stage", "reason"],
                labels::TRANSFORM_DEAD_LETTERS,
            )?,
            skipped: counters(
                r,
                "saltransform_skipped_total",
                "messages that carry nothing",
                &["reason"],
                labels::TRANSFORM_SKIPPED,
            )?,
            notes: counters(
                r,
                "saltransform_notes_total",
                "values skipped, omitted or ambiguous in carried messages",
                &["reason"],
                &labels::notes(),
            )?,
            total_seconds: histogram(
                r,
                "saltransform_total_seconds",
                "from taking a message to the acknowledgement of its record",
                way_buckets(),
            )?,
            transform_seconds: histogram(
                r,
                "saltransform_transform_seconds",
                "parse and encode of one message",
                work_buckets(),
            )?,
            schema_lookups: counters(
                r,
                "saltransform_schema_lookups_total",
                "schema look-ups in the registry by result",
                &["result"],
                labels::SCHEMA_LOOKUPS,
            )?,
        })
    }
}

/// influxsink's own.
#[derive(Debug, Clone)]
pub struct SinkMetrics {
    /// Records taken from the input topics.
    pub consumed: IntCounter,
    /// Points that the database has.
    pub written: IntCounter,
    /// Messages in the dead-letter topic, by stage and reason.
    pub dead_letters: IntCounterVec,
    /// Messages that carry nothing (tombstones), by reason.
    pub skipped: IntCounterVec,
    /// Fields left out of written points, by reason: not_finite, reserved_name.
    pub left_out: IntCounterVec,
    /// Points of other messages that a point overwrites, by reason: resolution, same_time, topics.
    pub overwritten: IntCounterVec,
    /// Points whose time is Kafka's, as the record's own could not be used.
    pub time_from_kafka: IntCounter,
    /// Seconds to decode one record and write its line.
    pub encode_seconds: Histogram,
    /// Seconds of one request to the database (or one transaction).
    pub request_seconds: Histogram,
    /// Requests that were not simply accepted, by reason; each was followed by another one.
    pub retries: IntCounterVec,
    /// Bytes of lines sent.
    pub line_bytes: IntCounter,
    /// The same after compression.
    pub sent_bytes: IntCounter,
    /// Seconds from a point's own time to the database's answer.
    pub point_age_seconds: Histogram,
    /// Schema look-ups in the registry, by result: found, missing, mismatch, failed.
    pub schema_lookups: IntCounterVec,
}

impl SinkMetrics {
    /// Registers them.
    pub fn register(r: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            consumed: counter(
                r,
                "influxsink_consumed_total",
                "records taken from the input topics",
            )?,
            written: counter(r, "influxsink_written_total", "points that the database has")?,
            dead_letters: counters(
                r,
                "influxsink_dead_letters_total",
                "messages in the dead-letter topic",
                &["stage", "reason"],
                labels::SINK_DEAD_LETTERS,
            )?,
            skipped: counters(
                r,
                "influxsink_skipped_total",
                "messages that carry nothing",
                &["reason"],
                labels::SINK_SKIPPED,
            )?,
            left_out: counters(
                r,
                "influxsink_left_out_total",
                "fields left out of written points",
                &["reason"],
                labels::LEFT_OUT,
            )?,
            overwritten: counters(
                r,
                "influxsink_overwritten_total",
                "points with the series and time of another message's, which they overwrite",
                &["reason"],
                labels::OVERWRITTEN,
            )?,
            time_from_kafka: counter(
                r,
                "influxsink_time_from_kafka_total",
                "points whose time is Kafka's, as their own could not be used",
            )?,
            encode_seconds: histogram(
                r,
                "influxsink_encode_seconds",
                "decode one record and write its line",
                work_buckets(),
            )?,
            request_seconds: histogram(
                r,
                "influxsink_request_seconds",
                "one request to the database",
                way_buckets(),
            )?,
            retries: counters(
                r,
                "influxsink_retries_total",
                "requests that another one followed",
                &["reason"],
                labels::RETRIES,
            )?,
            line_bytes: counter(r, "influxsink_line_bytes_total", "bytes of lines sent")?,
            sent_bytes: counter(
                r,
                "influxsink_sent_bytes_total",
                "bytes of lines sent, after compression",
            )?,
            point_age_seconds: histogram(
                r,
                "influxsink_point_age_seconds",
                "from a point's own time to the database's answer",
                way_buckets(),
            )?,
            schema_lookups: counters(
                r,
                "influxsink_schema_lookups_total",
                "schema look-ups in the registry by result",
                &["result"],
                labels::SINK_SCHEMA_LOOKUPS,
            )?,
        })
    }
}
