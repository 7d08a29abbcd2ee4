//! Flags that keep points of different messages with the same series and time apart.

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use super::ConfigError;
use super::point_values::is_plain;
use crate::line::{Layout, Precision};

/// The tiebreaker that every message has.
const KAFKA_OFFSET: &str = "kafka.offset";

/// The flags.
#[derive(Args, Clone, Debug, Default)]
pub struct PointIdentityArgs {
    /// An integer field that distinguishes points of one series and time; of several, the first that a record has. Its
    /// last digits become those of the time that are finer than the record's own: the microseconds of sal_created,
    /// three nanoseconds of a time in microseconds (with --time-precision ns). A sequence number is best: sal_sequence,
    /// private_seqNum. kafka.offset always exists; with it, a message that was produced twice becomes two points
    #[arg(
        long,
        env = "TIEBREAKERS",
        value_name = "FIELD",
        value_delimiter = ',',
        help_heading = "Points"
    )]
    pub tiebreaker: Vec<String>,

    /// A tag of this name that holds the Kafka topic, which keeps records of one name in several topics apart (mirrored
    /// sites)
    #[arg(long, env = "TOPIC_TAG", value_name = "TAG", help_heading = "Points")]
    pub topic_tag: Option<String>,

    /// Unit of the times written to InfluxDB
    #[arg(
        long,
        env = "TIME_PRECISION",
        value_enum,
        default_value_t = Precision::Micros,
        help_heading = "Points"
    )]
    pub time_precision: Precision,
}

/// Here and not beside the type, which is also built for fuzzing, without clap.
impl ValueEnum for Precision {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Micros, Self::Nanos]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Micros => PossibleValue::new("us").help("Microseconds"),
            Self::Nanos => PossibleValue::new("ns").help("Nanoseconds"),
        })
    }
}

impl PointIdentityArgs {
    /// The tiebreakers that are fields of records.
    pub(super) fn fields(&self) -> Vec<String> {
        let fields = self.tiebreaker.iter().filter(|name| *name != KAFKA_OFFSET);
        fields.cloned().collect()
    }

    /// What lines contain besides their records. An error if `is_sqlite` and SQLite cannot hold it.
    pub(super) fn layout(&self, is_sqlite: bool) -> Result<Layout, ConfigError> {
        if is_sqlite && self.time_precision == Precision::Nanos {
            return Err(ConfigError::NanosInSqlite);
        }
        if let Some(name) = self.topic_tag.as_ref().filter(|name| !is_plain(name)) {
            return Err(ConfigError::TopicTag(name.clone()));
        }
        Ok(Layout {
            precision: self.time_precision,
            topic_tag: self.topic_tag.clone(),
            offset_is_tiebreaker: self.tiebreaker.iter().any(|name| name == KAFKA_OFFSET),
            ..Layout::default()
        })
    }
}
