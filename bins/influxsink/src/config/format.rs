//! Flags that say what records are: Avro with a schema registry, or JSON.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use confluent_avro::point::{Mapping, NameTest, PlainJson};

use super::ConfigError;
use crate::line::FieldFilter;

/// The flags.
#[derive(Args, Clone, Debug, Default)]
pub struct FormatArgs {
    /// What the values of messages are. JSON needs no schema registry: one object is one point, named by --time-field,
    /// --tag-field and the flags here; all other values are fields
    #[arg(
        long,
        env = "FORMAT",
        value_enum,
        default_value_t = RecordFormat::Avro,
        help_heading = "Records"
    )]
    pub format: RecordFormat,

    /// With --format json: the string in each record that names its measurement; otherwise that is the topic
    #[arg(
        long,
        env = "MEASUREMENT_FIELD",
        value_name = "FIELD",
        help_heading = "Records"
    )]
    pub measurement_field: Option<String>,

    /// With --format json: numbers that are integers, by name or pattern as in --field-include; can be repeated. All
    /// others are floats, because JSON tells 1 from 1.0 by chance only, and a field keeps the type of its first point
    #[arg(
        long,
        env = "INTEGER_FIELDS",
        value_name = "PATTERN",
        value_delimiter = ',',
        help_heading = "Records"
    )]
    pub integer_field: Vec<String>,
}

/// What a message's value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RecordFormat {
    /// Avro in Confluent's frame, with a schema registry
    #[default]
    Avro,
    /// A JSON object, without a schema registry
    Json,
}

impl FormatArgs {
    /// How JSON records become points; the measurement is still that of no topic.
    pub(super) fn json(&self, mapping: &Mapping) -> Result<PlainJson, ConfigError> {
        if self.format == RecordFormat::Avro {
            let given = [
                ("measurement-field", self.measurement_field.is_some()),
                ("integer-field", !self.integer_field.is_empty()),
            ];
            if let Some((flag, _)) = given.into_iter().find(|(_, is_given)| *is_given) {
                return Err(ConfigError::OnlyForJson(flag));
            }
        }
        let is_tag = |name: &str| mapping.tag_fields.iter().any(|tag| tag == name);
        if self.format == RecordFormat::Json && is_tag("time") {
            return Err(ConfigError::TagNamedTime);
        }
        let integers = FieldFilter::new(&self.integer_field, &[]).map_err(ConfigError::IntegerPattern)?;
        let test = integers.map(|integers| Arc::new(move |name: &str| integers.keeps(name)) as NameTest);
        Ok(PlainJson::new("", mapping.clone())
            .with_measurement_in(self.measurement_field.clone())
            .with_integers(test))
    }
}
