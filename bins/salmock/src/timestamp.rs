//! The timestamp of a message: the current time, but later than the topic's previous message.

use sal::name::Dialect;
use sal::time::{TimeScale, tai_minus_utc};

/// 1970-01-01 as a modified Julian date.
const MJD_OF_1970: f64 = 40_587.0;

/// A message's timestamp and sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    /// Microseconds since 1970 in UTC.
    pub utc_micros: i64,
    /// The sequence number, starting at 1.
    pub sequence: i32,
    /// The time scale of text messages.
    pub scale: TimeScale,
}

impl Timestamp {
    /// Seconds since 1970 in the time scale of the text wire.
    pub fn wire_seconds(&self) -> f64 {
        match self.scale {
            TimeScale::Utc => self.utc_seconds(),
            TimeScale::Tai => self.tai_seconds(),
        }
    }

    /// Seconds since 1970 in UTC.
    pub fn utc_seconds(&self) -> f64 {
        self.utc_micros as f64 / 1e6
    }

    /// Seconds since 1970 in TAI. Rounded once, so that six decimals of it are the same number.
    pub fn tai_seconds(&self) -> f64 {
        let ahead = tai_minus_utc(self.utc_seconds()).saturating_mul(1_000_000);
        self.utc_micros.saturating_add(ahead) as f64 / 1e6
    }

    /// The modified Julian date in TAI: days since 1858-11-17.
    pub fn mjd(&self) -> f64 {
        MJD_OF_1970 + self.tai_seconds() / 86_400.0
    }
}

/// Generates the timestamps of one topic. No two records of the topic have the same one: their points would
/// overwrite each other.
#[derive(Debug)]
pub struct Timestamps {
    scale: TimeScale,
    /// The resolution of a record's timestamp: milliseconds in dialect efd, microseconds in dialect ts_xml.
    resolution: i64,
    last: Option<Timestamp>,
}

impl Timestamps {
    /// A generator that has not stamped a message yet.
    pub fn new(dialect: Dialect, scale: TimeScale) -> Timestamps {
        let resolution = match dialect {
            Dialect::Efd => 1000,
            Dialect::TsXml => 1,
        };
        Timestamps {
            scale,
            resolution,
            last: None,
        }
    }

    /// The timestamp of the next message, which is sent now.
    pub fn stamp(&mut self) -> Timestamp {
        self.after(stage::unix_micros())
    }

    fn after(&mut self, now: i64) -> Timestamp {
        let timestamp = match self.last {
            None => Timestamp {
                utc_micros: now,
                sequence: 1,
                scale: self.scale,
            },
            Some(last) => Timestamp {
                utc_micros: now.max(last.utc_micros.saturating_add(self.resolution)),
                sequence: last.sequence.wrapping_add(1).max(1),
                scale: self.scale,
            },
        };
        self.last = Some(timestamp);
        timestamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_messages_of_a_topic_have_the_same_timestamp() {
        let mut timestamps = Timestamps::new(Dialect::Efd, TimeScale::Utc);
        let stamps: Vec<_> = [5_000, 5_000, 5_200, 90_000]
            .map(|now| timestamps.after(now).utc_micros)
            .into();
        assert_eq!(stamps, [5_000, 6_000, 7_000, 90_000]);
        let mut timestamps = Timestamps::new(Dialect::TsXml, TimeScale::Tai);
        let stamps: Vec<_> = [5_000, 5_000, 4_000]
            .map(|now| timestamps.after(now).utc_micros)
            .into();
        assert_eq!(stamps, [5_000, 5_001, 5_002]);
        assert_eq!(timestamps.after(9_000).sequence, 4);
    }

    #[test]
    fn tai_is_ahead_of_utc() {
        let timestamp = Timestamp {
            utc_micros: 1_758_000_000_250_000,
            sequence: 1,
            scale: TimeScale::Tai,
        };
        assert_eq!(timestamp.wire_seconds(), 1_758_000_037.25);
        assert_eq!(timestamp.utc_seconds(), 1_758_000_000.25);
    }
}
