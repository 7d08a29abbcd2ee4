//! Decides what a scalar of a record becomes in its point: a tag, a field, the time, or the tiebreaker. For `plan`.

use super::flatten::Flatten;
use super::names::Key;
use super::schema::{Meaning, Type};
use super::step::{Scalar, Step};
use super::time::TimeForm;

/// InfluxDB drops a field with this name without an error (in its models package; observed with 1.8.10 and
/// 2.7.12).
const RESERVED: &str = "time";

impl Flatten<'_> {
    /// The step for a scalar with this flattened name. The error says why its schema cannot be used.
    pub(super) fn tag_or_field(&self, name: &str, of: &Type, scalar: Scalar) -> Result<Step, &'static str> {
        if self.tiebreaker.as_deref() == Some(name) {
            return match (self.is_time(name) || self.is_tag(name), of) {
                (false, Type::Int(_) | Type::Long(_)) => Ok(Step::Tiebreaker(Key::new(name), scalar)),
                (true, _) => Err("a tiebreaker cannot be a tag or the time as well"),
                (false, _) => Err("a tiebreaker is an int or a long"),
            };
        }
        match (self.is_time(name), self.is_tag(name)) {
            (true, true) => Err("the time cannot be a tag as well"),
            (true, false) => Ok(Step::Time(Key::new(name), self.time_form(of)?, scalar)),
            (false, true) if name == RESERVED => Err("InfluxDB does not accept a tag with this name"),
            (false, true) => Ok(Step::Tag(Key::new(name), scalar)),
            (false, false) if name == RESERVED => Ok(Step::Reserved(scalar)),
            (false, false) => Ok(Step::Field(Key::new(name), scalar)),
        }
    }

    fn time_form(&self, of: &Type) -> Result<TimeForm, &'static str> {
        match of {
            Type::Double => Ok(TimeForm::Double),
            Type::Long(Meaning::Timestamp(unit)) => Ok(TimeForm::Integer(*unit)),
            Type::Int(Meaning::Plain) | Type::Long(Meaning::Plain) => {
                self.mapping.time_unit.map(TimeForm::Integer).ok_or(
                    "a time in a plain int or long has no unit, and none is guessed: --time-unit says which it is",
                )
            }
            _ => Err("a time is a long, an int, or a double of seconds; none with a date or a local time"),
        }
    }

    pub(super) fn is_time(&self, name: &str) -> bool {
        self.time.as_deref() == Some(name)
    }

    pub(super) fn is_tag(&self, name: &str) -> bool {
        self.only_tags || self.mapping.tag_fields.iter().any(|tag| tag == name)
    }

    /// The tag that a value of this name becomes beside its fields.
    pub(super) fn copy_of(&self, name: &str) -> Option<&str> {
        let mut copies = self.mapping.tag_copies.iter();
        copies
            .find(|copy| copy.field == name && !self.only_tags)
            .map(|copy| &*copy.tag)
    }
}
