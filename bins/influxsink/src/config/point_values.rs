//! Flags that say what a value of a record becomes in its point: tags beside fields, the form of floats, times.

use clap::{Args, ValueEnum};
use confluent_avro::point::TagCopy;
use confluent_avro::point::time::TimeUnit;

use super::ConfigError;
use crate::line::FloatFormat;

/// The time field that every message has.
const KAFKA_TIMESTAMP: &str = "kafka.timestamp";

/// The flags.
#[derive(Args, Clone, Debug, Default)]
pub struct PointValueArgs {
    /// A field that is also a tag, of its own name or another; can be repeated. It keeps the instances of an indexed
    /// component apart and leaves the integer field that the clients of the EFD filter on: salIndex=instance
    #[arg(
        long,
        env = "TAG_COPIES",
        value_name = "FIELD[=TAG]",
        value_delimiter = ',',
        value_parser = tag_copy,
        help_heading = "Points"
    )]
    pub tag_copy: Vec<TagCopy>,

    /// Unit of the time in an int or long whose schema names none (no logical timestamp type). A double
    /// is always in seconds
    #[arg(
        long,
        env = "TIME_UNIT",
        value_enum,
        value_name = "UNIT",
        help_heading = "Points"
    )]
    pub time_unit: Option<TimeUnitName>,

    /// How a 32-bit float is written; databases hold 64 bits
    #[arg(
        long,
        env = "FLOAT_FORMAT",
        value_enum,
        default_value_t = FloatFormat::Exact,
        help_heading = "Points"
    )]
    pub float_format: FloatFormat,
}

/// The names of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TimeUnitName {
    /// Seconds
    S,
    /// Milliseconds
    Ms,
    /// Microseconds
    Us,
    /// Nanoseconds
    Ns,
}

impl From<TimeUnitName> for TimeUnit {
    fn from(name: TimeUnitName) -> Self {
        match name {
            TimeUnitName::S => TimeUnit::Seconds,
            TimeUnitName::Ms => TimeUnit::Millis,
            TimeUnitName::Us => TimeUnit::Micros,
            TimeUnitName::Ns => TimeUnit::Nanos,
        }
    }
}

/// Here and not beside the type, which is also built for fuzzing, without clap.
impl ValueEnum for FloatFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Exact, Self::Shortest]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        use clap::builder::PossibleValue;
        Some(match self {
            Self::Exact => PossibleValue::new("exact")
                .help("The value that was sent: 87825.5546875, 0.10000000149011612"),
            Self::Shortest => PossibleValue::new("shortest")
                .help("The shortest number that is the same float: 87825.555, 0.1"),
        })
    }
}

fn tag_copy(text: &str) -> Result<TagCopy, String> {
    let (field, tag) = text.split_once('=').unwrap_or((text, text));
    let is_name = |name: &str| !name.is_empty() && !name.contains(char::is_whitespace);
    if !is_name(field) || !is_plain(tag) {
        return Err(
            "expected a field's name, or FIELD=TAG with a tag of letters, digits, '_' and '-' other than time".to_owned(),
        );
    }
    Ok(TagCopy {
        field: field.to_owned(),
        tag: tag.to_owned(),
    })
}

/// Whether a tag that the operator names can have this name.
pub(super) fn is_plain(name: &str) -> bool {
    let of_names = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !name.is_empty() && name != "time" && name.chars().all(of_names)
}

/// When a message's timestamp in Kafka is the time of its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KafkaTime {
    Never,
    /// For records without a time.
    IfMissing,
    /// For those whose time is zero or out of range, too.
    IfUnusable,
}

/// The time fields of records, and when Kafka's timestamp stands in for them.
pub(super) fn times(names: &[String], if_unusable: bool) -> Result<(Vec<String>, KafkaTime), ConfigError> {
    let (fields, has_kafka) = match names.split_last() {
        Some((last, fields)) if last == KAFKA_TIMESTAMP => (fields, true),
        _ => (names, false),
    };
    if fields.iter().any(|name| name == KAFKA_TIMESTAMP) {
        return Err(ConfigError::KafkaTimestampFirst);
    }
    let kafka = match (if_unusable, has_kafka) {
        (true, _) => KafkaTime::IfUnusable,
        (false, true) => KafkaTime::IfMissing,
        (false, false) => KafkaTime::Never,
    };
    Ok((fields.to_vec(), kafka))
}

impl PointValueArgs {
    /// The copies; an error if `is_sqlite` and SQLite cannot hold one.
    pub(super) fn copies(&self, is_sqlite: bool) -> Result<Vec<TagCopy>, ConfigError> {
        match self
            .tag_copy
            .iter()
            .find(|copy| is_sqlite && copy.field == copy.tag)
        {
            Some(copy) => Err(ConfigError::CopyInSqlite(copy.field.clone())),
            None => Ok(self.tag_copy.clone()),
        }
    }
}
