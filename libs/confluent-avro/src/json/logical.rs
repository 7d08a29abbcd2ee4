//! The texts of the logical types stored as bytes: durations and UUIDs.

use std::fmt::Write;

/// Months, days and milliseconds, four little-endian bytes each, in ISO 8601: `P1M2DT3.004S`.
pub(super) fn duration_text(bytes: &[u8]) -> Option<String> {
    let (months, rest) = bytes.split_first_chunk::<4>()?;
    let (days, rest) = rest.split_first_chunk::<4>()?;
    let (millis, _) = rest.split_first_chunk::<4>()?;
    let [months, days, millis] = [months, days, millis].map(|bytes| u32::from_le_bytes(*bytes));
    let mut text = "P".to_owned();
    if months > 0 {
        let _ = write!(text, "{months}M");
    }
    if days > 0 {
        let _ = write!(text, "{days}D");
    }
    if millis > 0 || text.len() == 1 {
        let _ = match millis % 1_000 {
            0 => write!(text, "T{}S", millis / 1_000),
            rest => write!(text, "T{}.{rest:03}S", millis / 1_000),
        };
    }
    Some(text)
}

/// Parses a duration. A year counts as twelve months, a week as seven days; hours and minutes count as
/// seconds.
pub(super) fn duration(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix('P')?;
    let (date, time) = match text.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (text, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let [years, months, weeks, days] = parts(date, ['Y', 'M', 'W', 'D'])?;
    let [hours, minutes, seconds] = parts(time, ['H', 'M', 'S'])?;
    let whole = |part: Option<&str>| match part {
        None => Some(0),
        Some(digits) => number(digits),
    };
    let (seconds, millis) = match seconds.map(|seconds| seconds.split_once('.').unwrap_or((seconds, "0"))) {
        None => (0, 0),
        Some((seconds, fraction)) if (1..=3).contains(&fraction.len()) => {
            (number(seconds)?, number(&format!("{fraction:0<3}"))?)
        }
        Some(_) => return None,
    };
    let months = whole(years)?.checked_mul(12)?.checked_add(whole(months)?)?;
    let days = whole(weeks)?.checked_mul(7)?.checked_add(whole(days)?)?;
    let minutes = whole(hours)?.checked_mul(60)?.checked_add(whole(minutes)?)?;
    let seconds = minutes.checked_mul(60)?.checked_add(seconds)?;
    let millis = seconds.checked_mul(1_000)?.checked_add(millis)?;
    let stored = [months, days, millis].map(|part| u32::try_from(part).ok().map(u32::to_le_bytes));
    stored
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .map(|parts| parts.concat())
}

/// The digits before each of these letters, which must be in this order.
fn parts<const N: usize>(mut text: &str, letters: [char; N]) -> Option<[Option<&str>; N]> {
    let found = letters.map(|letter| {
        let (digits, rest) = text.split_once(letter)?;
        let is_number = !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit() || c == b'.');
        is_number.then(|| {
            text = rest;
            digits
        })
    });
    text.is_empty().then_some(found)
}

fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

/// A UUID's text has hyphens before these of its bytes.
const HYPHENS: [usize; 4] = [4, 6, 8, 10];

/// Sixteen bytes as `01234567-89ab-cdef-0123-456789abcdef`.
pub(super) fn uuid_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if HYPHENS.contains(&at) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Parses a UUID.
pub(super) fn uuid(text: &str) -> Option<Vec<u8>> {
    let digits: String = text.split('-').collect();
    let byte = |at: usize| {
        let pair = digits.get(2 * at..2 * at + 2)?;
        let is_hex = pair.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_hex.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
    };
    let bytes: Vec<u8> = (0..16).map(byte).collect::<Option<_>>()?;
    // Hyphens only in their places.
    (uuid_text(&bytes) == text.to_ascii_lowercase()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_iso_8601() {
        let stored =
            |months: u32, days: u32, millis: u32| [months, days, millis].map(u32::to_le_bytes).concat();
        for (parts, shown) in [
            (stored(1, 2, 3_004), "P1M2DT3.004S"),
            (stored(0, 0, 0), "PT0S"),
            (stored(12, 0, 60_000), "P12MT60S"),
            (
                stored(u32::MAX, u32::MAX, u32::MAX),
                "P4294967295M4294967295DT4294967.295S",
            ),
        ] {
            assert_eq!(duration_text(&parts).as_deref(), Some(shown));
            assert_eq!(duration(shown), Some(parts), "{shown}");
        }
        assert_eq!(duration("P1Y2W"), Some(stored(12, 14, 0)));
        assert_eq!(duration("PT1H1M1.5S"), Some(stored(0, 0, 3_661_500)));
        for wrong in [
            "",
            "P",
            "PT",
            "1M",
            "P1",
            "P1S",
            "PT1D",
            "P1.5D",
            "P-1D",
            "P1D1M",
            "PT1.0001S",
            "PT.5S",
            "P4294967296D",
            "P1M1M",
            "P99999999999999999999Y",
        ] {
            assert_eq!(duration(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn uuids_are_hexadecimal() {
        let shown = "01234567-89ab-cdef-0123-456789abcdef";
        let bytes = uuid(shown).unwrap();
        assert_eq!(uuid_text(&bytes), shown);
        assert_eq!(uuid(&shown.to_uppercase()), Some(bytes));
        for wrong in [
            "",
            "0123456789abcdef0123456789abcdef",
            "01234567-89ab-cdef-0123-456789abcdeg",
            "-",
        ] {
            assert_eq!(uuid(wrong), None, "{wrong:?}");
        }
    }
}
