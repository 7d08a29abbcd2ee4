//! Decides what a scalar of a record becomes in its point: a tag, a field, the time, or the tiebreaker. For `plan`.

use super::names::Key;
use super::plan::{Flatten, Scalar, Step};
use super::schema::Type;
use super::time::TimeUnit;

/// InfluxDB drops a field with this name without an error (in its models package; observed with 1.8.10 and
/// 2.7.12).
const RESERVED: &str = "time";

impl Flatten<'_> {
    /// The step for a scalar with this flattened name. The error says why its schema cannot be used.
    pub(super) fn tag_or_field(&self, name: &str, of: &Type, scalar: Scalar) -> Result<Step, &'static str> {
        if self.tiebreaker.as_deref() == Some(name) {
            return match (self.is_time(name) || self.is_tag(name), of) {
                (false, Type::Int | Type::Long(_)) => Ok(Step::Tiebreaker(Key::new(name), scalar)),
                (true, _) => Err("a tiebreaker cannot be a tag or the time as well"),
                (false, _) => Err("a tiebreaker is an int or a long"),
            };
        }
        match (self.is_time(name), self.is_tag(name), of) {
            (true, true, _) => Err("the time cannot be a tag as well"),
            (true, _, Type::Long(Some(unit))) => Ok(Step::Time(Key::new(name), *unit)),
            (true, _, Type::Double) => Ok(Step::Time(Key::new(name), TimeUnit::Seconds)),
            (true, ..) => Err("a time is a long with a logical timestamp type, or a double of seconds"),
            (_, true, _) if name == RESERVED => Err("InfluxDB does not accept a tag with this name"),
            (_, true, Type::Float | Type::Double | Type::Bytes | Type::Fixed(_)) => {
                Err("a tag is a string, an enum, a boolean or an integer")
            }
            (_, true, _) => Ok(Step::Tag(Key::new(name), scalar)),
            _ if name == RESERVED => Ok(Step::Reserved(scalar)),
            _ => Ok(Step::Field(Key::new(name), scalar)),
        }
    }

    pub(super) fn is_time(&self, name: &str) -> bool {
        self.time.as_deref() == Some(name)
    }

    pub(super) fn is_tag(&self, name: &str) -> bool {
        self.mapping.tag_fields.iter().any(|tag| tag == name)
    }
}
