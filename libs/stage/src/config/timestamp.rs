//! Moments as operators type them: `2026-11-21T10:00:00Z`, `2026-11-21`, or `-90m` before now.

use jiff::civil::Date;
use jiff::{SpanRelativeTo, Timestamp, Zoned};

/// Milliseconds since 1970 UTC: Kafka's time stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        Self(Timestamp::now().as_millisecond())
    }
}

impl std::fmt::Display for Moment {
    /// RFC 3339, in UTC.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => timestamp.fmt(f),
            Err(_) => self.0.fmt(f),
        }
    }
}

/// Reads a moment: the parser of every such flag.
pub fn moment(text: &str) -> Result<Moment, String> {
    let read = || {
        if let Some(ago) = text.strip_prefix('-') {
            let ago = ago.parse::<jiff::Span>()?;
            let ago = ago.to_duration(SpanRelativeTo::days_are_24_hours())?;
            return Timestamp::now().checked_sub(ago);
        }
        match text.parse::<Date>() {
            // A whole date; what has a time and a zone behind it is no date.
            Ok(date) if text.len() <= "2026-11-21".len() => date
                .to_zoned(jiff::tz::TimeZone::UTC)
                .as_ref()
                .map(Zoned::timestamp)
                .map_err(Clone::clone),
            _ => text.parse::<Timestamp>(),
        }
    };
    read()
        .map(|timestamp| Moment(timestamp.as_millisecond()))
        .map_err(|error| {
            format!("expected 2026-11-21T10:00:00Z, 2026-11-21 (UTC), or -90m, -2h, -7d before now ({error})")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        assert_eq!(moment("1970-01-02"), Ok(Moment(86_400_000)));
        assert_eq!(moment("1970-01-01T01:00:00.5+01:00"), Ok(Moment(500)));
        let now = Moment::now().0;
        let week = moment("-7d").unwrap().0;
        assert!((now - week - 7 * 86_400_000).abs() < 60_000);
        for wrong in ["", "-", "yesterday", "2026-11-21T10:00:00", "-5", "2026-13-01"] {
            let error = moment(wrong).unwrap_err();
            assert!(
                error.contains("expected 2026-11-21T10:00:00Z"),
                "{wrong}: {error}"
            );
        }
        assert_eq!(Moment(86_400_000).to_string(), "1970-01-02T00:00:00Z");
    }
}
