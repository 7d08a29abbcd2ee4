//! The moment of a message: now, and later than the topic's message before it.

use sal::name::Dialect;
use sal::time::{TimeScale, tai_minus_utc};

/// A message's time stamp and sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds since 1970 in UTC.
    pub utc_micros: i64,
    /// From 1.
    pub sequence: i32,
    /// The scale of text messages.
    pub scale: TimeScale,
}

impl Moment {
    /// Seconds since 1970 as the text wire has them.
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

    /// Seconds since 1970 in TAI.
    pub fn tai_seconds(&self) -> f64 {
        self.utc_seconds() + tai_minus_utc(self.utc_seconds()) as f64
    }
}

/// The moments of one topic. No two have the same time stamp in the topic's records: there, points would overwrite each other.
#[derive(Debug)]
pub struct Moments {
    scale: TimeScale,
    /// What a record's time stamp resolves: milliseconds in dialect efd, microseconds in dialect ts_xml.
    resolution: i64,
    last: Option<Moment>,
}

impl Moments {
    /// No message yet.
    pub fn new(dialect: Dialect, scale: TimeScale) -> Moments {
        let resolution = match dialect {
            Dialect::Efd => 1000,
            Dialect::TsXml => 1,
        };
        Moments {
            scale,
            resolution,
            last: None,
        }
    }

    /// The moment of the next message, which is sent now.
    pub fn stamp(&mut self) -> Moment {
        self.after(stage::unix_micros())
    }

    fn after(&mut self, now: i64) -> Moment {
        let moment = match self.last {
            None => Moment {
                utc_micros: now,
                sequence: 1,
                scale: self.scale,
            },
            Some(last) => Moment {
                utc_micros: now.max(last.utc_micros.saturating_add(self.resolution)),
                sequence: last.sequence.wrapping_add(1).max(1),
                scale: self.scale,
            },
        };
        self.last = Some(moment);
        moment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_messages_of_a_topic_have_one_time_stamp() {
        let mut moments = Moments::new(Dialect::Efd, TimeScale::Utc);
        let stamps: Vec<_> = [5_000, 5_000, 5_200, 90_000]
            .map(|now| moments.after(now).utc_micros)
            .into();
        assert_eq!(stamps, [5_000, 6_000, 7_000, 90_000]);
        let mut moments = Moments::new(Dialect::TsXml, TimeScale::Tai);
        let stamps: Vec<_> = [5_000, 5_000, 4_000]
            .map(|now| moments.after(now).utc_micros)
            .into();
        assert_eq!(stamps, [5_000, 5_001, 5_002]);
        assert_eq!(moments.after(9_000).sequence, 4);
    }

    #[test]
    fn tai_is_ahead_of_utc() {
        let moment = Moment {
            utc_micros: 1_758_000_000_250_000,
            sequence: 1,
            scale: TimeScale::Tai,
        };
        assert_eq!(moment.wire_seconds(), 1_758_000_037.25);
        assert_eq!(moment.utc_seconds(), 1_758_000_000.25);
    }
}
