//! Dates, times and timestamps as RFC 3339 and ISO 8601 texts, with as many digits as their unit has, so that
//! the texts of a field sort chronologically. Values outside the calendar of four-digit years have no text.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use crate::schema::Unit;

const SECOND: i128 = 1_000_000_000;
const DAY_SECONDS: i64 = 86_400;

impl Unit {
    fn nanoseconds(self) -> i128 {
        match self {
            Unit::Millis => 1_000_000,
            Unit::Micros => 1_000,
            Unit::Nanos => 1,
        }
    }

    fn digits(self) -> usize {
        match self {
            Unit::Millis => 3,
            Unit::Micros => 6,
            Unit::Nanos => 9,
        }
    }
}

/// An instant in UTC: `2026-11-29T10:03:00.123Z`.
pub(super) fn timestamp_text(value: i64, unit: Unit) -> Option<String> {
    local_text(value, unit).map(|text| text + "Z")
}

/// Parses an instant, if it is a whole number of units.
pub(super) fn timestamp(text: &str, unit: Unit) -> Option<i64> {
    let found: Timestamp = without_leap_second(text)?.parse().ok()?;
    whole(found.as_nanosecond(), unit)
}

/// A local timestamp: `2026-11-29T10:03:00.123`.
pub(super) fn local_text(value: i64, unit: Unit) -> Option<String> {
    let nanoseconds = i128::from(value).checked_mul(unit.nanoseconds())?;
    let found = Timestamp::from_nanosecond(nanoseconds).ok()?;
    let found = TimeZone::UTC.to_datetime(found);
    let is_shown = (0..=9_999).contains(&found.year());
    is_shown.then(|| format!("{found:.digits$}", digits = unit.digits()))
}

/// Parses a local timestamp.
pub(super) fn local(text: &str, unit: Unit) -> Option<i64> {
    let found: DateTime = without_leap_second(text)?.parse().ok()?;
    let found = TimeZone::UTC.to_timestamp(found).ok()?;
    whole(found.as_nanosecond(), unit)
}

/// Days since 1970 as a date: `2026-11-29`.
pub(super) fn date_text(days: i32) -> Option<String> {
    let found = Timestamp::from_second(i64::from(days) * DAY_SECONDS).ok()?;
    let found = TimeZone::UTC.to_datetime(found).date();
    (0..=9_999).contains(&found.year()).then(|| found.to_string())
}

/// Parses a date as days since 1970.
pub(super) fn date(text: &str) -> Option<i32> {
    let found: Date = text.parse().ok()?;
    let found = TimeZone::UTC
        .to_timestamp(found.to_datetime(Time::midnight()))
        .ok()?;
    i32::try_from(found.as_second().div_euclid(DAY_SECONDS)).ok()
}

/// A time of day: `10:03:00.123`.
pub(super) fn time_text(value: i64, unit: Unit) -> Option<String> {
    let nanoseconds = i128::from(value).checked_mul(unit.nanoseconds())?;
    let (seconds, rest) = (nanoseconds.div_euclid(SECOND), nanoseconds.rem_euclid(SECOND));
    if !(0..i128::from(DAY_SECONDS)).contains(&seconds) {
        return None;
    }
    let fraction = format!("{rest:09}");
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    Some(format!(
        "{hours:02}:{minutes:02}:{seconds:02}.{}",
        fraction.get(..unit.digits())?
    ))
}

/// Parses a time of day.
pub(super) fn time(text: &str, unit: Unit) -> Option<i64> {
    let found: Time = without_leap_second(text)?.parse().ok()?;
    let found = found.duration_since(Time::midnight());
    whole(found.as_nanos(), unit)
}

fn whole(nanoseconds: i128, unit: Unit) -> Option<i64> {
    let of = unit.nanoseconds();
    (nanoseconds.rem_euclid(of) == 0)
        .then(|| i64::try_from(nanoseconds / of).ok())
        .flatten()
}

/// Avro has no leap seconds, and jiff would read one as the second before it.
fn without_leap_second(text: &str) -> Option<&str> {
    (!text.contains(":60")).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_iso_8601() {
        let instant = 1_795_946_580_123;
        assert_eq!(
            timestamp_text(instant, Unit::Millis).as_deref(),
            Some("2026-11-29T10:03:00.123Z")
        );
        for text in ["2026-11-29T10:03:00.123Z", "2026-11-29 11:03:00.123+01:00"] {
            assert_eq!(timestamp(text, Unit::Millis), Some(instant), "{text}");
        }
        assert_eq!(
            local_text(-1, Unit::Nanos).as_deref(),
            Some("1969-12-31T23:59:59.999999999")
        );
        assert_eq!(local("1969-12-31T23:59:59.999999999", Unit::Nanos), Some(-1));
        assert_eq!(date_text(-1).as_deref(), Some("1969-12-31"));
        assert_eq!(date("1969-12-31"), Some(-1));
        assert_eq!(
            time_text(86_399_999_999, Unit::Micros).as_deref(),
            Some("23:59:59.999999")
        );
        assert_eq!(time("23:59:59.999999", Unit::Micros), Some(86_399_999_999));
    }

    #[test]
    fn values_beyond_the_calendar_have_no_text() {
        for value in [i64::MIN, i64::MAX, 253_402_300_800_000] {
            assert_eq!(timestamp_text(value, Unit::Millis), None, "{value}");
        }
        for days in [i32::MIN, i32::MAX] {
            assert_eq!(date_text(days), None);
        }
        for value in [-1, 86_400_000] {
            assert_eq!(time_text(value, Unit::Millis), None, "{value}");
        }
        for text in [
            "2026-11-29T10:03:00.1234Z",
            "2026-11-29T10:03:00.123",
            "2026-11-29T23:59:60Z",
            "10:03",
            "",
        ] {
            assert_eq!(timestamp(text, Unit::Millis), None, "{text}");
        }
        assert_eq!(local("2026-11-29T10:03:00.123Z", Unit::Millis), None);
        assert_eq!(time("23:59:60", Unit::Millis), None);
    }
}
