//! The first bytes of each message of a load: its run and producer, its number, and when it was due.

/// The length of a stamp in bytes, and so the smallest size of a message.
pub const STAMP: usize = 28;

/// The stamp of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The run, so that messages of another run are recognized.
    pub(super) run: u64,
    /// The producer.
    pub(super) producer: u32,
    /// Which of its messages, from 0; [`Stamp::WARM_UP`] for messages that are not counted.
    pub(super) number: u64,
    /// When it was due, in microseconds since 1970. Not when it was sent: messages of a producer that falls behind are
    /// late, and the latency shows it.
    pub(super) due: i64,
}

impl Stamp {
    /// The number of messages that open connections and are not counted.
    pub(super) const WARM_UP: u64 = u64::MAX;

    /// Overwrites the first [`STAMP`] bytes of `message`.
    pub(super) fn write(self, message: &mut [u8]) {
        let bytes = self
            .run
            .to_be_bytes()
            .into_iter()
            .chain(self.producer.to_be_bytes())
            .chain(self.number.to_be_bytes())
            .chain(self.due.to_be_bytes());
        for (place, byte) in message.iter_mut().zip(bytes) {
            *place = byte;
        }
    }

    /// Reads it from a message; none if it is too short.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let (run, rest) = message.split_first_chunk()?;
        let (producer, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (due, _) = rest.split_first_chunk()?;
        Some(Self {
            run: u64::from_be_bytes(*run),
            producer: u32::from_be_bytes(*producer),
            number: u64::from_be_bytes(*number),
            due: i64::from_be_bytes(*due),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let stamp = Stamp {
            run: 1,
            producer: 2,
            number: Stamp::WARM_UP,
            due: -4,
        };
        let mut message = [7; STAMP + 2];
        stamp.write(&mut message);
        assert_eq!(Stamp::read(&message), Some(stamp));
        assert_eq!(message[STAMP], 7);
        assert_eq!(Stamp::read(&message[..STAMP - 1]), None);
    }
}
