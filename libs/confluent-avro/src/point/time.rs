//! The time of a point: from an Avro value to microseconds since 1970 UTC. Never invented: a time that is
//! missing, zero or beyond what InfluxDB can hold is a [`TimeFault`].

/// The last microsecond that InfluxDB can hold: its times are signed 64-bit nanoseconds (2262-04-11), and its
/// maximum is one less than that of the type.
pub const LAST_MICROS: i64 = (i64::MAX - 1) / 1_000;

/// How a time field stores its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// Avro `timestamp-millis` (dialect `efd`: `sal_created`).
    Millis,
    /// Avro `timestamp-micros`.
    Micros,
    /// Avro `timestamp-nanos`; truncated to the microsecond.
    Nanos,
    /// A `double` of seconds (dialect `ts_xml`: `private_efdStamp`).
    Seconds,
}

/// Why a record has no usable time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeFault {
    /// No time field in the schema, or it is null.
    #[error("the record has no time: none of its time fields has a value")]
    Missing,
    /// Zero: the field was never set.
    #[error("the record's time is zero: its time field was never set")]
    Zero,
    /// Before 1970, after 2262-04-11, or not a number.
    #[error("the record's time is not between 1970 and 2262-04-11")]
    OutOfRange,
}

impl TimeFault {
    /// The error as a metric label.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            TimeFault::Missing => "time_missing",
            TimeFault::Zero => "time_zero",
            TimeFault::OutOfRange => "time_out_of_range",
        }
    }
}

/// An integer time in microseconds.
pub fn from_integer(value: i64, unit: TimeUnit) -> Result<i64, TimeFault> {
    let micros = match unit {
        TimeUnit::Millis => value.checked_mul(1_000).ok_or(TimeFault::OutOfRange)?,
        TimeUnit::Micros => value,
        TimeUnit::Nanos => value.div_euclid(1_000),
        TimeUnit::Seconds => value.checked_mul(1_000_000).ok_or(TimeFault::OutOfRange)?,
    };
    checked(micros)
}

/// The part of an integer time below its microsecond, in nanoseconds: 0 to 999.
#[must_use]
pub fn nanos_below_micros(value: i64, unit: TimeUnit) -> u16 {
    match unit {
        TimeUnit::Nanos => value.rem_euclid(1_000) as u16,
        TimeUnit::Millis | TimeUnit::Micros | TimeUnit::Seconds => 0,
    }
}

/// A time in seconds, rounded to the nearest microsecond; today a `double` resolves seconds to about 0.24 µs.
pub fn from_seconds(seconds: f64) -> Result<i64, TimeFault> {
    if !seconds.is_finite() {
        return Err(TimeFault::OutOfRange);
    }
    // A cast from f64 saturates, so a huge value stays out of range.
    checked((seconds * 1e6).round() as i64)
}

fn checked(micros: i64) -> Result<i64, TimeFault> {
    match micros {
        0 => Err(TimeFault::Zero),
        1..=LAST_MICROS => Ok(micros),
        _ => Err(TimeFault::OutOfRange),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_to_the_microsecond() {
        assert_eq!(
            from_integer(1_548_000_000_123, TimeUnit::Millis),
            Ok(1_548_000_000_123_000)
        );
        assert_eq!(
            from_integer(1_548_000_000_123_456_789, TimeUnit::Nanos),
            Ok(1_548_000_000_123_456)
        );
        assert_eq!(from_seconds(1_548_000_000.123_456), Ok(1_548_000_000_123_456));
        // Every microsecond near today survives the conversion to a double and back.
        for micros in (1_763_700_000_000_000..1_763_700_000_100_000).step_by(7) {
            assert_eq!(from_seconds(micros as f64 / 1e6), Ok(micros));
        }
    }

    #[test]
    fn unusable_times_have_a_reason() {
        assert_eq!(from_integer(0, TimeUnit::Millis), Err(TimeFault::Zero));
        assert_eq!(from_seconds(0.0), Err(TimeFault::Zero));
        assert_eq!(from_integer(-1, TimeUnit::Micros), Err(TimeFault::OutOfRange));
        assert_eq!(
            from_integer(i64::MAX, TimeUnit::Millis),
            Err(TimeFault::OutOfRange)
        );
        assert_eq!(from_integer(LAST_MICROS, TimeUnit::Micros), Ok(LAST_MICROS));
        assert_eq!(
            from_integer(LAST_MICROS + 1, TimeUnit::Micros),
            Err(TimeFault::OutOfRange)
        );
        for seconds in [f64::NAN, f64::INFINITY, -1.5, 1e30] {
            assert_eq!(from_seconds(seconds), Err(TimeFault::OutOfRange), "{seconds}");
        }
    }
}
