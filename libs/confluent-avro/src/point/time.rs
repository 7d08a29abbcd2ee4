//! The time of a point: from an Avro or JSON value to microseconds since 1970 UTC. Never invented: a time that
//! is missing, zero or beyond what InfluxDB can hold is a [`TimeFault`].
//!
//! What is finer than a microsecond is rounded to the nearest, halves up, as Telegraf does with its precision
//! of `1us`: a replay overwrites what either wrote.

/// The last microsecond that InfluxDB can hold: its times are signed 64-bit nanoseconds (2262-04-11), and its
/// maximum is one less than that of the type.
pub const LAST_MICROS: i64 = (i64::MAX - 1) / 1_000;

/// The unit of an integer time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds: Avro `timestamp-millis` (dialect `efd`: `sal_created`).
    Millis,
    /// Microseconds: Avro `timestamp-micros`.
    Micros,
    /// Nanoseconds: Avro `timestamp-nanos`.
    Nanos,
}

/// How a time field stores its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeForm {
    /// An `int` or `long` of a unit.
    Integer(TimeUnit),
    /// A `double` of seconds (dialect `ts_xml`: `private_efdStamp`).
    Double,
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

/// An integer time in microseconds; nanoseconds are rounded.
pub fn from_integer(value: i64, unit: TimeUnit) -> Result<i64, TimeFault> {
    let micros = match unit {
        TimeUnit::Seconds => value.checked_mul(1_000_000).ok_or(TimeFault::OutOfRange)?,
        TimeUnit::Millis => value.checked_mul(1_000).ok_or(TimeFault::OutOfRange)?,
        TimeUnit::Micros => value,
        TimeUnit::Nanos => rounded(value),
    };
    checked(micros)
}

/// What an integer time is beyond its rounded microsecond, in nanoseconds: -500 to 499.
#[must_use]
pub fn nanos_beyond_micros(value: i64, unit: TimeUnit) -> i16 {
    match unit {
        // The difference of a value and its rounding.
        TimeUnit::Nanos => (value.rem_euclid(1_000) + 500).rem_euclid(1_000) as i16 - 500,
        TimeUnit::Seconds | TimeUnit::Millis | TimeUnit::Micros => 0,
    }
}

/// A time in seconds, in microseconds. A double stands for its shortest decimal form, which its sender and its
/// readers see: that is cut to nanoseconds and rounded. (`seconds * 1e6` would be rounded twice, which today
/// gives another microsecond for one double in nine.)
pub fn from_seconds(seconds: f64) -> Result<i64, TimeFault> {
    // A NaN is in no range.
    if !(-1.0..=LAST_SECONDS).contains(&seconds) {
        return Err(TimeFault::OutOfRange);
    }
    let nanos = decimal_nanos(zmij::Buffer::new().format_finite(seconds.abs()), 9);
    rounded_decimal(nanos, seconds < 0.0)
}

/// A decimal number of a unit, in microseconds; by the same rule.
pub fn from_decimal(value: f64, unit: TimeUnit) -> Result<i64, TimeFault> {
    let (places, per_second) = match unit {
        TimeUnit::Seconds => (9, 1.0),
        TimeUnit::Millis => (6, 1e3),
        TimeUnit::Micros => (3, 1e6),
        TimeUnit::Nanos => (0, 1e9),
    };
    if !(-1.0..=LAST_SECONDS).contains(&(value / per_second)) {
        return Err(TimeFault::OutOfRange);
    }
    let nanos = decimal_nanos(zmij::Buffer::new().format_finite(value.abs()), places);
    rounded_decimal(nanos, value < 0.0)
}

fn rounded_decimal(nanos: u64, is_negative: bool) -> Result<i64, TimeFault> {
    match nanos.saturating_add(500) / 1_000 {
        0 => Err(TimeFault::Zero),
        _ if is_negative => Err(TimeFault::OutOfRange),
        micros => checked(micros.try_into().unwrap_or(i64::MAX)),
    }
}

/// A little more than [`LAST_MICROS`], and less than what is 2⁶⁴ in nanoseconds.
const LAST_SECONDS: f64 = 9_223_372_038.0;

/// A decimal number, such as `1548000000.25` or `2.5e-7`, with this many places more, cut: seconds with nine places are
/// nanoseconds. It is at most [`LAST_SECONDS`].
fn decimal_nanos(text: &str, places: i32) -> u64 {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let fraction = mantissa.split_once('.').map_or(0, |(_, digits)| digits.len());
    let digits = mantissa
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0_u64, |number, digit| number * 10 + u64::from(digit - b'0'));
    // A double's shortest form has 17 digits at most, and an exponent of three.
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let shift = places + exponent - fraction as i32;
    match 10_u64.checked_pow(shift.unsigned_abs()) {
        Some(power) if shift >= 0 => digits.saturating_mul(power),
        Some(power) => digits / power,
        None => 0,
    }
}

/// Nanoseconds to the nearest microsecond, halves up.
fn rounded(nanos: i64) -> i64 {
    nanos.div_euclid(1_000) + i64::from(nanos.rem_euclid(1_000) >= 500)
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_have_their_unit() {
        for (value, unit, micros) in [
            (1_548_000_000, TimeUnit::Seconds, 1_548_000_000_000_000),
            (1_548_000_000_123, TimeUnit::Millis, 1_548_000_000_123_000),
            (1_548_000_000_123_456, TimeUnit::Micros, 1_548_000_000_123_456),
            (1_548_000_000_123_456_499, TimeUnit::Nanos, 1_548_000_000_123_456),
            (1_548_000_000_123_456_500, TimeUnit::Nanos, 1_548_000_000_123_457),
        ] {
            assert_eq!(from_integer(value, unit), Ok(micros), "{unit:?}");
            let beyond = i64::from(nanos_beyond_micros(value, unit));
            if unit == TimeUnit::Nanos {
                assert_eq!(micros * 1_000 + beyond, value, "nothing is lost");
            } else {
                assert_eq!(beyond, 0);
            }
        }
    }

    #[test]
    fn doubles_are_rounded_once() {
        for (seconds, micros) in [
            (1_548_000_000.25, 1_548_000_000_250_000),
            (1_548_000_000.123_456, 1_548_000_000_123_456),
            // Seven digits behind the point: `seconds * 1e6`, rounded, is one more in the first three.
            (1_764_475_200.000_001_4, 1_764_475_200_000_001),
            (1_764_475_200.000_006_4, 1_764_475_200_000_006),
            (1_764_475_200.000_011_4, 1_764_475_200_000_011),
            (1_764_475_200.000_004_5, 1_764_475_200_000_005),
            (1e-6, 1),
            (5e-7, 1),
            (9_223_372_036.854_774, LAST_MICROS - 1),
            // Halfway between two shortest forms, which exist from 2242 on: the even one, as Go and Python print it.
            (1_171_888_793_277.0 / 128.0, 9_155_381_197_476_562),
            (1_171_888_793_279.0 / 128.0, 9_155_381_197_492_188),
        ] {
            assert_eq!(from_seconds(seconds), Ok(micros), "{seconds}");
        }
    }

    #[test]
    fn decimals_have_their_unit() {
        for (value, unit, micros) in [
            (1_764_475_200.000_001_4, TimeUnit::Seconds, 1_764_475_200_000_001),
            (1_764_475_200_123.25, TimeUnit::Millis, 1_764_475_200_123_250),
            (1_764_475_200_000_123.5, TimeUnit::Micros, 1_764_475_200_000_124),
            (1.764_475_200_000_123_4e18, TimeUnit::Nanos, 1_764_475_200_000_123),
            (1_764_475_200_123.0, TimeUnit::Millis, 1_764_475_200_123_000),
        ] {
            assert_eq!(from_decimal(value, unit), Ok(micros), "{value} {unit:?}");
        }
        for unit in [
            TimeUnit::Seconds,
            TimeUnit::Millis,
            TimeUnit::Micros,
            TimeUnit::Nanos,
        ] {
            assert_eq!(from_decimal(0.0, unit), Err(TimeFault::Zero));
            for value in [-1e12, 1e30, f64::NAN, f64::INFINITY] {
                assert_eq!(
                    from_decimal(value, unit),
                    Err(TimeFault::OutOfRange),
                    "{value} {unit:?}"
                );
            }
        }
    }

    /// The rule in big integers, on the text that Rust itself prints: as many places as the shortest form has, which
    /// rounds a tie of two shortest forms to even (`{seconds}` alone rounds it up).
    fn model(seconds: f64) -> Result<i64, TimeFault> {
        let shortest = format!("{seconds}");
        let places = shortest.split_once('.').map_or(0, |(_, digits)| digits.len());
        let text = format!("{seconds:.places$}");
        let (sign, text) = match text.strip_prefix('-') {
            Some(positive) => (-1, positive),
            None => (1, &*text),
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let Ok(whole) = whole.parse::<i128>() else {
            return Err(TimeFault::OutOfRange);
        };
        let fraction: String = fraction.chars().chain("000000000".chars()).take(9).collect();
        let fraction: i128 = fraction.parse().unwrap();
        let nanos = whole.saturating_mul(1_000_000_000).saturating_add(fraction);
        match sign * (nanos.saturating_add(500) / 1_000) {
            0 => Err(TimeFault::Zero),
            micros if (1..=i128::from(LAST_MICROS)).contains(&micros) => Ok(micros as i64),
            _ => Err(TimeFault::OutOfRange),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn every_double_is_what_its_text_says(
            today in 1_500_000_000.0..2_000_000_000.0,
            any_time in -10.0..9_300_000_000.0,
            halves in 8_589_934_592_i64 * 128..9_223_372_036 * 128,
            small in -1e-5..1e-5,
            any in any::<f64>(),
            tenths in 15_000_000_000_000_000_i64..20_000_000_000_000_000,
        ) {
            for seconds in [today, any_time, halves as f64 / 128.0, small, any, tenths as f64 / 1e7] {
                prop_assert_eq!(from_seconds(seconds), model(seconds), "{}", seconds);
                prop_assert_eq!(from_decimal(seconds, TimeUnit::Seconds), model(seconds), "{}", seconds);
            }
        }

        #[test]
        fn nanoseconds_come_back(nanos in any::<i64>()) {
            if let Ok(micros) = from_integer(nanos, TimeUnit::Nanos) {
                let beyond = nanos_beyond_micros(nanos, TimeUnit::Nanos);
                prop_assert!((-500..500).contains(&beyond));
                prop_assert_eq!(micros * 1_000 + i64::from(beyond), nanos);
            }
        }
    }

    #[test]
    fn every_microsecond_of_today_survives_a_double() {
        for micros in (1_763_700_000_000_000..1_763_700_000_100_000).step_by(7) {
            assert_eq!(from_seconds(micros as f64 / 1e6), Ok(micros));
        }
    }

    #[test]
    fn unusable_times_have_a_reason() {
        assert_eq!(from_integer(0, TimeUnit::Millis), Err(TimeFault::Zero));
        for seconds in [0.0, -0.0, 4e-7, -4e-7, f64::MIN_POSITIVE] {
            assert_eq!(from_seconds(seconds), Err(TimeFault::Zero), "{seconds}");
        }
        assert_eq!(from_integer(-1, TimeUnit::Micros), Err(TimeFault::OutOfRange));
        for unit in [TimeUnit::Seconds, TimeUnit::Millis] {
            assert_eq!(from_integer(i64::MAX, unit), Err(TimeFault::OutOfRange));
        }
        assert_eq!(from_integer(LAST_MICROS, TimeUnit::Micros), Ok(LAST_MICROS));
        assert_eq!(
            from_integer(LAST_MICROS + 1, TimeUnit::Micros),
            Err(TimeFault::OutOfRange)
        );
        for seconds in [
            f64::NAN,
            f64::INFINITY,
            -1.5,
            -1_548_000_000.123_456_7,
            -0.000_001,
            9_223_372_036.9,
            9_223_372_040.0,
            1e30,
            f64::MAX,
            f64::MIN,
        ] {
            assert_eq!(from_seconds(seconds), Err(TimeFault::OutOfRange), "{seconds}");
        }
    }
}
