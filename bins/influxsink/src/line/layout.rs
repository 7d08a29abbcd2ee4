//! What a line contains besides its record: the tag of the Kafka topic, and digits of the time that keep apart what
//! would otherwise be one point.
//!
//! A database holds one point for a series (measurement and tags) and time: of two messages with the same, the later
//! one remains. If a record's time is coarser than the written one (`sal_created` has milliseconds), the free digits
//! can hold a number of the *message*: a sequence number, which a message that is produced twice has twice, or its
//! offset in Kafka. They never depend on earlier messages, so that a replay, another replica and the process after a
//! crash place the same message at the same time.

use super::fields::FieldFilter;
use confluent_avro::point::time::{LAST_MICROS, TimeFault, TimeUnit};

/// The unit of the written times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Microseconds.
    #[default]
    Micros,
    /// Nanoseconds.
    Nanos,
}

/// How a `float` of 32 bits is written; databases store 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FloatFormat {
    /// The value that was sent, exactly: `87825.5546875`, as the EFD has it.
    #[default]
    Exact,
    /// The shortest decimal number that is the same `float` again: `87825.555`.
    Shortest,
}

/// The operator's choice, the same for all lines.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// The unit of times.
    pub precision: Precision,
    /// How a `float` is written.
    pub floats: FloatFormat,
    /// The tag that holds the Kafka topic.
    pub topic_tag: Option<String>,
    /// Whether the offset is used if a record has no tiebreaker of its own.
    pub offset_is_tiebreaker: bool,
    /// The choice of fields; none writes all.
    pub fields: Option<FieldFilter>,
}

/// What a line needs from its message besides the record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Source<'m> {
    /// The timestamp to use if the record has no usable one; `None` refuses such records.
    pub kafka_millis: Option<i64>,
    /// Whether that is only for records without a time, and not for those whose time is zero or out of range.
    pub kafka_if_missing: bool,
    /// The topic.
    pub topic: &'m str,
    /// The offset in its partition.
    pub offset: i64,
}

/// A point's time in full precision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    pub(super) micros: i64,
    /// Beyond the microsecond, -500 to 499.
    pub(super) nanos: i16,
    /// How the record stores it.
    pub(super) unit: TimeUnit,
}

impl Time {
    /// The written number in `precision`, with the tiebreaker in the digits that the time leaves free.
    pub(super) fn written(self, precision: Precision, tiebreaker: Option<i64>) -> Result<i64, TimeFault> {
        let free_micros = match self.unit {
            TimeUnit::Seconds => 1_000_000,
            TimeUnit::Millis => 1_000,
            TimeUnit::Micros | TimeUnit::Nanos => 1,
        };
        let digits = |free: i64| tiebreaker.map_or(0, |number| number.rem_euclid(free));
        let written = match precision {
            Precision::Micros => self.micros.checked_add(digits(free_micros)),
            Precision::Nanos => {
                let below = match self.unit {
                    TimeUnit::Nanos => i64::from(self.nanos),
                    TimeUnit::Seconds | TimeUnit::Millis | TimeUnit::Micros => digits(free_micros * 1_000),
                };
                self.micros
                    .checked_mul(1_000)
                    .and_then(|nanos| nanos.checked_add(below))
            }
        };
        written
            .filter(|written| precision.micros(*written) <= LAST_MICROS)
            .filter(|written| precision == Precision::Micros || *written < i64::MAX)
            .ok_or(TimeFault::OutOfRange)
    }

    /// Whether two messages may have had different times that are written as one.
    pub(super) fn is_coarse(self, precision: Precision) -> bool {
        match self.unit {
            TimeUnit::Seconds | TimeUnit::Millis => true,
            TimeUnit::Nanos => precision == Precision::Micros,
            TimeUnit::Micros => false,
        }
    }
}

impl Precision {
    /// Microseconds of a written time.
    pub(super) fn micros(self, written: i64) -> i64 {
        match self {
            Precision::Micros => written,
            Precision::Nanos => written.div_euclid(1_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(micros: i64, nanos: i16, unit: TimeUnit, precision: Precision, tie: Option<i64>) -> i64 {
        Time { micros, nanos, unit }.written(precision, tie).unwrap()
    }

    #[test]
    fn a_tiebreaker_takes_the_digits_that_the_time_leaves_free() {
        use Precision::{Micros, Nanos};
        let milli = 1_548_000_000_123_000;
        assert_eq!(written(milli, 0, TimeUnit::Millis, Micros, None), milli);
        assert_eq!(
            written(milli, 0, TimeUnit::Millis, Micros, Some(7_042)),
            milli + 42
        );
        assert_eq!(written(milli, 0, TimeUnit::Millis, Micros, Some(-1)), milli + 999);
        assert_eq!(
            written(milli, 0, TimeUnit::Millis, Nanos, Some(7_042)),
            milli * 1_000 + 7_042
        );
        let micro = milli + 7;
        assert_eq!(
            written(micro, 0, TimeUnit::Micros, Micros, Some(5)),
            micro,
            "no digit is free"
        );
        assert_eq!(
            written(micro, 0, TimeUnit::Micros, Nanos, Some(1_005)),
            micro * 1_000 + 5
        );
        let second = 1_548_000_000_000_000;
        assert_eq!(
            written(second, 0, TimeUnit::Seconds, Micros, Some(2_345_678)),
            second + 345_678
        );
        assert_eq!(
            written(micro, 89, TimeUnit::Nanos, Nanos, Some(5)),
            micro * 1_000 + 89
        );
        assert_eq!(
            written(micro, -11, TimeUnit::Nanos, Nanos, None),
            micro * 1_000 - 11
        );
        assert_eq!(written(micro, 89, TimeUnit::Nanos, Micros, Some(5)), micro);
    }

    #[test]
    fn no_digit_leads_beyond_what_a_database_can_hold() {
        let last = |unit, precision, tie| {
            let time = Time {
                micros: LAST_MICROS / 1_000 * 1_000,
                nanos: 499,
                unit,
            };
            time.written(precision, Some(tie))
        };
        assert_eq!(last(TimeUnit::Millis, Precision::Micros, 775), Ok(LAST_MICROS));
        for precision in [Precision::Micros, Precision::Nanos] {
            let fault = last(TimeUnit::Millis, precision, 999_999);
            assert_eq!(fault, Err(TimeFault::OutOfRange), "{precision:?}");
        }
        let end = Time {
            micros: LAST_MICROS,
            nanos: 499,
            unit: TimeUnit::Nanos,
        };
        let (last, written) = (LAST_MICROS * 1_000 + 499, end.written(Precision::Nanos, None));
        assert_eq!(written, Ok(last), "it is less than the type's maximum");
        let beyond = Time {
            nanos: i16::MAX,
            ..end
        };
        assert_eq!(beyond.written(Precision::Nanos, None), Err(TimeFault::OutOfRange));
    }
}
