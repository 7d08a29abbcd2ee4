//! Time scales: SAL timestamps are seconds since 1970 in UTC (until May 2019) or in TAI (since then). A plan
//! selects the scale once, and encode converts each timestamp with the functions here.

use std::fmt;
use std::str::FromStr;

/// The scale of timestamps on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TimeScale {
    /// Coordinated Universal Time, used by SAL until May 2019.
    #[default]
    Utc,
    /// International Atomic Time (`CLOCK_TAI`), used by SAL since then.
    Tai,
}

impl fmt::Display for TimeScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimeScale::Utc => "utc",
            TimeScale::Tai => "tai",
        })
    }
}

impl FromStr for TimeScale {
    type Err = TimeScaleError;

    fn from_str(text: &str) -> Result<Self, TimeScaleError> {
        match text {
            "utc" => Ok(TimeScale::Utc),
            "tai" => Ok(TimeScale::Tai),
            _ => Err(TimeScaleError(text.to_owned())),
        }
    }
}

/// A text that is not the name of a time scale.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a time scale is utc or tai, not '{0}'")]
pub struct TimeScaleError(pub String);

/// UTC second (since 1970) and TAI − UTC from then on, newest first. Source: IERS Bulletin C and its list of
/// leap seconds, back to 1972, when whole seconds began.
const LEAPS: [(i64, i64); 28] = [
    (1_483_228_800, 37), // 2017-01-01
    (1_435_708_800, 36), // 2015-07-01
    (1_341_100_800, 35), // 2012-07-01
    (1_230_768_000, 34), // 2009-01-01
    (1_136_073_600, 33), // 2006-01-01
    (915_148_800, 32),   // 1999-01-01
    (867_715_200, 31),
    (820_454_400, 30),
    (773_020_800, 29),
    (741_484_800, 28),
    (709_948_800, 27),
    (662_688_000, 26),
    (631_152_000, 25),
    (567_993_600, 24),
    (489_024_000, 23),
    (425_865_600, 22),
    (394_329_600, 21),
    (362_793_600, 20),
    (315_532_800, 19),
    (283_996_800, 18),
    (252_460_800, 17),
    (220_924_800, 16),
    (189_302_400, 15),
    (157_766_400, 14),
    (126_230_400, 13),
    (94_694_400, 12),
    (78_796_800, 11),
    (63_072_000, 10), // 1972-01-01
];

/// TAI − UTC in seconds at a UTC time in seconds since 1970. It is 0 before 1972, when the difference was not
/// a whole number, so that a timestamp that was never set stays 0.
pub fn tai_minus_utc(utc_seconds: f64) -> i64 {
    offset(|start, _| utc_seconds >= start as f64)
}

/// TAI − UTC in seconds at a TAI time in seconds since 1970; 0 before 1972.
pub fn tai_minus_utc_at_tai(tai_seconds: f64) -> i64 {
    offset(|start, ahead| tai_seconds >= (start + ahead) as f64)
}

fn offset(is_past: impl Fn(i64, i64) -> bool) -> i64 {
    LEAPS
        .iter()
        .find(|(start, ahead)| is_past(*start, *ahead))
        .map_or(0, |(_, ahead)| *ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tai_is_ahead_by_37_seconds_since_2017_and_by_less_before() {
        assert_eq!(tai_minus_utc(1_556_000_000.125), 37);
        assert_eq!(tai_minus_utc(1_483_228_799.9), 36);
        assert_eq!(tai_minus_utc(1_483_228_800.0), 37);
        assert_eq!(tai_minus_utc_at_tai(1_483_228_836.9), 36);
        assert_eq!(tai_minus_utc_at_tai(1_483_228_837.0), 37);
        assert_eq!(tai_minus_utc(0.0), 0);
        assert_eq!(tai_minus_utc(f64::NAN), 0);
    }

    #[test]
    fn every_leap_second_adds_one_and_falls_on_a_new_year_or_a_first_of_july() {
        for pair in LEAPS.windows(2) {
            let [(later, more), (earlier, less)] = pair else {
                unreachable!()
            };
            assert_eq!(more - less, 1);
            assert!(later > earlier);
            assert_eq!(later % 86_400, 0);
        }
    }

    #[test]
    fn a_scale_is_read_back_from_its_name() {
        for scale in [TimeScale::Utc, TimeScale::Tai] {
            assert_eq!(scale.to_string().parse(), Ok(scale));
        }
        let error = "ut1".parse::<TimeScale>().unwrap_err();
        assert_eq!(error.to_string(), "a time scale is utc or tai, not 'ut1'");
    }
}
