//! Timestamps as operators type them: `2026-11-21T10:00:00Z`, `2026-11-21`, or `-90m` before now.

use jiff::civil::Date;
use jiff::{SpanRelativeTo, Zoned};

/// Milliseconds since 1970 UTC, as in Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The current time.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_millisecond())
    }
}

impl std::fmt::Display for Timestamp {
    /// RFC 3339, in UTC.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => timestamp.fmt(f),
            Err(_) => self.0.fmt(f),
        }
    }
}

/// Parses a timestamp; every flag that takes one uses this parser.
pub fn parse_timestamp(text: &str) -> Result<Timestamp, String> {
    let read = || {
        if let Some(ago) = text.strip_prefix('-') {
            let ago = ago.parse::<jiff::Span>()?;
            let ago = ago.to_duration(SpanRelativeTo::days_are_24_hours())?;
            return jiff::Timestamp::now().checked_sub(ago);
        }
        match text.parse::<Date>() {
            // A date alone; one followed by a time and a zone is a timestamp.
            Ok(date) if text.len() <= "2026-11-21".len() => date
                .to_zoned(jiff::tz::TimeZone::UTC)
                .as_ref()
                .map(Zoned::timestamp)
                .map_err(Clone::clone),
            _ => text.parse::<jiff::Timestamp>(),
        }
    };
    read()
        .map(|timestamp| Timestamp(timestamp.as_millisecond()))
        .map_err(|error| {
            format!("expected 2026-11-21T10:00:00Z, 2026-11-21 (UTC), or -90m, -2h, -7d before now ({error})")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_parsed() {
        assert_eq!(parse_timestamp("1970-01-02"), Ok(Timestamp(86_400_000)));
        assert_eq!(parse_timestamp("1970-01-01T01:00:00.5+01:00"), Ok(Timestamp(500)));
        let now = Timestamp::now().0;
        let week = parse_timestamp("-7d").unwrap().0;
        assert!((now - week - 7 * 86_400_000).abs() < 60_000);
        for wrong in ["", "-", "yesterday", "2026-11-21T10:00:00", "-5", "2026-13-01"] {
            let error = parse_timestamp(wrong).unwrap_err();
            assert!(
                error.contains("expected 2026-11-21T10:00:00Z"),
                "{wrong}: {error}"
            );
        }
        assert_eq!(Timestamp(86_400_000).to_string(), "1970-01-02T00:00:00Z");
    }
}
