//! A single value of a JSON record: the time, the measurement, a tag, or a field.

use super::state::{Reading, Time};
use super::{JsonFault, MAX_MEASUREMENT_BYTES};
use crate::point::time::{self, TimeUnit};
use crate::point::{Name, PointSink};

/// InfluxDB drops a field with this name without an error.
const RESERVED: &str = "time";

/// A value that is neither an object nor an array nor null.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar<'a> {
    Boolean(bool),
    /// A number without a point and an exponent, of 64 bits.
    Whole(i128),
    /// Any other number.
    Decimal(f64),
    Text(&'a str),
}

impl<'r, S: PointSink> Reading<'r, S> {
    /// Takes the value of the current name.
    pub(super) fn take(&mut self, value: Scalar<'_>) -> Result<(), JsonFault> {
        let plan = self.plan;
        let mapping = &plan.mapping;
        if is(&plan.measurement_field, &self.name) {
            return self.measurement(value);
        }
        if let Some(rank) = rank(&mapping.time_fields, &self.name) {
            let time = time_of(value, mapping.time_unit)?;
            if self.time.is_none_or(|(best, _)| rank < best) {
                self.time = Some((rank, time));
            }
            return Ok(());
        }
        if is(&mapping.added_tag, &self.name) {
            return Err(JsonFault::SameName);
        }
        if self.only_tags || mapping.tag_fields.contains(&self.name) {
            return self.tag(value);
        }
        if let Some((replaced, tag)) = self.copy.or_else(|| self.copy_here()) {
            let rest = self.name.get(replaced..).unwrap_or_default();
            let tag = format!("{tag}{rest}");
            let name = std::mem::replace(&mut self.name, tag);
            let taken = self.tag(value);
            self.name = name;
            taken?;
        }
        if let Some(rank) = rank(&mapping.tiebreakers, &self.name) {
            let number = integer(value)?;
            if self.tiebreaker.is_none_or(|(best, _)| rank < best) {
                self.tiebreaker = Some((rank, number));
            }
        }
        if self.name == RESERVED {
            self.sink.reserved_name();
            return Ok(());
        }
        self.field(value)
    }

    /// Notes what the object or array of the current name means for the values in it.
    pub(super) fn enter(&mut self) -> Result<(), JsonFault> {
        let mapping = &self.plan.mapping;
        if is(&self.plan.measurement_field, &self.name) {
            return Err(JsonFault::Measurement);
        }
        if mapping.time_fields.contains(&self.name) {
            return Err(JsonFault::NotATime);
        }
        self.only_tags |= mapping.tag_fields.contains(&self.name);
        self.copy = self.copy.or_else(|| self.copy_here());
        Ok(())
    }

    /// The tag that the value of the current name is beside its field.
    fn copy_here(&self) -> Option<(usize, &'r str)> {
        let plan = self.plan;
        let copy = plan
            .mapping
            .tag_copies
            .iter()
            .find(|copy| copy.field == self.name)?;
        Some((self.name.len(), &copy.tag))
    }

    fn measurement(&mut self, value: Scalar<'_>) -> Result<(), JsonFault> {
        let refused =
            |c: char| c.is_control() || c.is_whitespace() || matches!(c, ',' | '=' | '"' | '\'' | '\\');
        match value {
            Scalar::Text(name)
                if !name.is_empty()
                    && name.len() <= MAX_MEASUREMENT_BYTES
                    && !name.starts_with('#')
                    && !name.contains(refused)
                    && !self.has_measurement =>
            {
                self.has_measurement = true;
                self.sink.measurement(name);
                Ok(())
            }
            _ => Err(JsonFault::Measurement),
        }
    }

    fn tag(&mut self, value: Scalar<'_>) -> Result<(), JsonFault> {
        if !self.tags.insert(self.name.clone()) {
            return Err(JsonFault::SameName);
        }
        let name = Name {
            prefix: &self.name,
            key: &self.plan.nothing,
            index: None,
        };
        match value {
            Scalar::Boolean(value) => self.sink.tag(name, if value { "true" } else { "false" }),
            Scalar::Whole(value) => self.sink.tag(name, itoa::Buffer::new().format(value)),
            Scalar::Decimal(value) => self.sink.tag(name, &value.to_string()),
            Scalar::Text(value) => self.sink.tag(name, value),
        }
        Ok(())
    }

    fn field(&mut self, value: Scalar<'_>) -> Result<(), JsonFault> {
        let name = Name {
            prefix: &self.name,
            key: &self.plan.nothing,
            index: None,
        };
        let is_integer = || self.plan.is_integer.as_ref().is_some_and(|test| test(&self.name));
        match value {
            Scalar::Boolean(value) => self.sink.boolean(name, value),
            Scalar::Text(value) => self.sink.text(name, value),
            number if is_integer() => self.sink.integer(name, integer(number)?),
            Scalar::Whole(value) => self.sink.double(name, value as f64),
            Scalar::Decimal(value) => self.sink.double(name, value),
        }
        Ok(())
    }
}

fn is(field: &Option<String>, name: &str) -> bool {
    field.as_deref() == Some(name)
}

fn rank(fields: &[String], name: &str) -> Option<usize> {
    fields.iter().position(|field| field == name)
}

/// A number that is whole: `1.0` and `1e3` are.
fn integer(value: Scalar<'_>) -> Result<i64, JsonFault> {
    let number = match value {
        Scalar::Whole(value) => i64::try_from(value).ok(),
        // From -2⁶³ to less than 2⁶³, which a double can hold exactly.
        Scalar::Decimal(value) if value.fract() == 0.0 && (-TWO_TO_63..TWO_TO_63).contains(&value) => {
            Some(value as i64)
        }
        _ => None,
    };
    number.ok_or(JsonFault::NotAnInteger)
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

fn time_of(value: Scalar<'_>, unit: Option<TimeUnit>) -> Result<Time, JsonFault> {
    let whole = |value: i64, unit| Time {
        micros: time::from_integer(value, unit),
        detail: Some((unit, time::nanos_beyond_micros(value, unit))),
    };
    let beyond = Time {
        micros: Err(time::TimeFault::OutOfRange),
        detail: None,
    };
    let decimal = |value, unit| Time {
        micros: time::from_decimal(value, unit),
        detail: None,
    };
    let unit = || unit.ok_or(JsonFault::NoTimeUnit);
    match value {
        Scalar::Boolean(_) => Err(JsonFault::NotATime),
        Scalar::Whole(value) => {
            let unit = unit()?;
            Ok(i64::try_from(value).map_or(beyond, |value| whole(value, unit)))
        }
        Scalar::Decimal(value) => Ok(decimal(value, unit()?)),
        Scalar::Text(text) => match (
            text.parse::<jiff::Timestamp>(),
            text.parse::<i64>(),
            text.parse::<f64>(),
        ) {
            (Ok(time), ..) => {
                Ok(i64::try_from(time.as_nanosecond()).map_or(beyond, |nanos| whole(nanos, TimeUnit::Nanos)))
            }
            (_, Ok(value), _) => Ok(whole(value, unit()?)),
            (_, _, Ok(value)) if value.is_finite() => Ok(decimal(value, unit()?)),
            _ => Err(JsonFault::NotATime),
        },
    }
}
