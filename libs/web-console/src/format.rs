//! How numbers, times and texts from the wire are written on the pages.

use std::fmt::Display;

use jiff::tz::TimeZone;
use maud::{Markup, html};
use stage::sanitize::Printable;

pub(crate) use stage::text::{count, plural};

/// What stands where nothing is known.
pub(crate) const UNKNOWN: &str = "–";

/// Text from the wire, made safe to read: control characters and those that reverse the order of letters are escaped.
/// What would be markup is escaped by maud.
pub(crate) fn shown(text: impl Display) -> String {
    Printable(text).to_string()
}

/// The name of a topic, which a narrow column breaks after a dot or an underscore rather than within a word.
pub(crate) fn topic_name(name: &str) -> Markup {
    let text = shown(name);
    html! { @for part in text.split_inclusive(['.', '_']) { (part) wbr; } }
}

/// `1 process`, `2 processes`.
pub(crate) fn processes(number: usize) -> String {
    if number == 1 {
        "1 process".to_owned()
    } else {
        format!("{} processes", count(number))
    }
}

/// A rate: `1,204/s`, `3.2/s`.
pub(crate) fn rate(value: Option<f64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), |value| format!("{}/s", number(value)))
}

/// Three digits, or all before the point: `0.125`, `3.20`, `48.1`, `1,204`.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        _ if !value.is_finite() => UNKNOWN.to_owned(),
        size if size >= 99.95 => count(value.round() as i64),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.9995 => format!("{value:.2}"),
        0.0 => "0".to_owned(),
        size if size >= 0.001 => format!("{value:.3}"),
        _ => format!("{value:.1e}"),
    }
}

/// A span of time: `12 µs`, `3.20 ms`, `1.50 s`, `2 min 5 s`, `3 h 10 min`.
pub(crate) fn span(seconds: Option<f64>) -> String {
    let Some(seconds) = seconds else {
        return UNKNOWN.to_owned();
    };
    match seconds {
        _ if seconds < 0.0 || !seconds.is_finite() => UNKNOWN.to_owned(),
        0.0 => "0 s".to_owned(),
        _ if seconds < 0.000_999_5 => format!("{} µs", number(seconds * 1e6)),
        _ if seconds < 0.999_5 => format!("{} ms", number(seconds * 1e3)),
        _ if seconds < 100.0 => format!("{} s", number(seconds)),
        _ => {
            let whole = seconds.round() as u64;
            match (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60, whole % 60) {
                (0, 0, minutes, rest) => format!("{minutes} min {rest} s"),
                (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
                (days, hours, ..) => format!("{days} d {hours} h"),
            }
        }
    }
}

/// A size: `512 B`, `48.1 MiB`.
pub(crate) fn bytes(size: f64) -> String {
    match size {
        _ if size < 1024.0 => format!("{size:.0} B"),
        _ if size < 1024.0 * 1024.0 => format!("{} KiB", number(size / 1024.0)),
        _ if size < 1024.0 * 1024.0 * 1024.0 => format!("{} MiB", number(size / 1024.0 / 1024.0)),
        _ => format!("{} GiB", number(size / 1024.0 / 1024.0 / 1024.0)),
    }
}

/// A time in UTC to the second, or to the millisecond: `2026-11-30 08:40:19`.
pub(crate) fn time(millis: i64, with_millis: bool) -> String {
    let pattern = if with_millis { "%F %T%.3f" } else { "%F %T" };
    strftime(millis, pattern)
}

/// A time as jiff's pattern says; empty if it is out of range.
pub(crate) fn strftime(millis: i64, pattern: &str) -> String {
    match jiff::Timestamp::from_millisecond(millis) {
        Ok(time) => time.to_zoned(TimeZone::UTC).strftime(pattern).to_string(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.125, "0.125"),
            (0.000_012, "1.2e-5"),
            (3.2, "3.20"),
            (48.123, "48.1"),
            (99.99, "100"),
            (1_204.4, "1,204"),
            (-48.123, "-48.1"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn spans_have_the_unit_that_fits() {
        for (seconds, text) in [
            (0.000_012, "12.0 µs"),
            (0.0032, "3.20 ms"),
            (1.5, "1.50 s"),
            (125.0, "2 min 5 s"),
            (11_400.0, "3 h 10 min"),
            (180_000.0, "2 d 2 h"),
        ] {
            assert_eq!(span(Some(seconds)), text);
        }
        assert_eq!(span(None), "–");
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(time(1_796_028_019_250, false), "2026-11-30 08:40:19");
        assert_eq!(time(1_796_028_019_250, true), "2026-11-30 08:40:19.250");
    }
}
