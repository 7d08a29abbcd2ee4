//! The metrics of saltransform. A test holds this file and the table of docs/metrics.md together.

use prometheus::{Histogram, IntCounter, IntCounterVec, Registry};
use stage::metrics::{
    MetricsError, Subsystems, counter, counters, histogram, sampled_gauges, transit_buckets, work_buckets,
};

use crate::labels;

/// Handles of the metrics.
#[derive(Debug, Clone)]
pub struct TransformMetrics {
    /// Messages consumed from the input topics.
    pub consumed: IntCounter,
    /// Records acknowledged by the broker.
    pub produced: IntCounter,
    /// Messages in the dead-letter topic, by step and reason.
    pub dead_letters: IntCounterVec,
    /// Tombstones and empty values, by reason.
    pub skipped: IntCounterVec,
    /// Values skipped, omitted or ambiguous in transformed messages, by reason.
    pub notes: IntCounterVec,
    /// Seconds from consuming a message to the broker's acknowledgement of its record.
    pub total_seconds: Histogram,
    /// Seconds to parse and encode one message.
    pub transform_seconds: Histogram,
    /// Schema look-ups in the registry, by result: new, unchanged, unusable, missing, reassigned, failed.
    pub schema_lookups: IntCounterVec,
    /// By subsystem: the newest finished message, and the age of the oldest unfinished one.
    pub subsystems: Subsystems,
}

impl TransformMetrics {
    /// Registers them.
    pub fn register(r: &Registry) -> Result<Self, MetricsError> {
        let subsystems = Subsystems::new(sal::name::subsystem);
        sampled_gauges(
            r,
            "saltransform_lag_seconds",
            "age of the oldest message that is read or waiting and not finished",
            &["subsystem"],
            subsystems.lag(),
        )?;
        sampled_gauges(
            r,
            "saltransform_last_message_timestamp_seconds",
            "Unix time of the newest finished message",
            &["subsystem"],
            subsystems.newest(),
        )?;
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
                labels::DEAD_LETTERS,
            )?,
            skipped: counters(
                r,
                "saltransform_skipped_total",
                "messages that carry nothing",
                &["reason"],
                labels::SKIPPED,
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
                transit_buckets(),
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
            subsystems,
        })
    }
}
