//! The metrics of influxsink. A test holds this file and the table of docs/metrics.md together.

use prometheus::{Histogram, IntCounter, IntCounterVec, Registry};
use stage::metrics::{
    MetricsError, Subsystems, counter, counters, histogram, sampled_gauges, transit_buckets, work_buckets,
};

use crate::labels;

/// Handles of the metrics.
#[derive(Debug, Clone)]
pub struct SinkMetrics {
    /// Records consumed from the input topics.
    pub consumed: IntCounter,
    /// Points that the database has accepted.
    pub written: IntCounter,
    /// Messages in the dead-letter topic, by step and reason.
    pub dead_letters: IntCounterVec,
    /// Tombstones, and records without a field to write, by reason.
    pub skipped: IntCounterVec,
    /// Fields and tags left out of written points, by reason: not_finite, empty_tag, reserved_name, excluded.
    pub left_out: IntCounterVec,
    /// Points of other messages that a point overwrites, by reason: resolution, same_time, topics.
    pub overwritten: IntCounterVec,
    /// Points with Kafka's timestamp because the record's own is not usable.
    pub time_from_kafka: IntCounter,
    /// Seconds to decode one record and write its line.
    pub encode_seconds: Histogram,
    /// Seconds of one request to the database (or one transaction).
    pub request_seconds: Histogram,
    /// Requests that were not accepted and were followed by another, by reason.
    pub retries: IntCounterVec,
    /// Bytes of lines sent.
    pub line_bytes: IntCounter,
    /// The same after compression.
    pub sent_bytes: IntCounter,
    /// Seconds from a point's own time to the database's answer.
    pub point_age_seconds: Histogram,
    /// Schema look-ups in the registry, by result: found, missing, mismatch, failed.
    pub schema_lookups: IntCounterVec,
    /// By subsystem: the newest finished message, and the age of the oldest unfinished one.
    pub subsystems: Subsystems,
}

impl SinkMetrics {
    /// Registers them.
    pub fn register(r: &Registry) -> Result<Self, MetricsError> {
        let subsystems = Subsystems::new(sal::name::subsystem);
        sampled_gauges(
            r,
            "influxsink_lag_seconds",
            "age of the oldest message that is read or waiting and not finished",
            &["subsystem"],
            subsystems.lag(),
        )?;
        sampled_gauges(
            r,
            "influxsink_last_message_timestamp_seconds",
            "Unix time of the newest finished message",
            &["subsystem"],
            subsystems.newest(),
        )?;
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
                labels::DEAD_LETTERS,
            )?,
            skipped: counters(
                r,
                "influxsink_skipped_total",
                "messages that carry nothing",
                &["reason"],
                labels::SKIPPED,
            )?,
            left_out: counters(
                r,
                "influxsink_left_out_total",
                "fields and tags left out of written points",
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
                transit_buckets(),
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
                transit_buckets(),
            )?,
            schema_lookups: counters(
                r,
                "influxsink_schema_lookups_total",
                "schema look-ups in the registry by result",
                &["result"],
                labels::SCHEMA_LOOKUPS,
            )?,
            subsystems,
        })
    }
}
