//! The Confluent frame around every record in Kafka: one zero byte, the schema id (four bytes, big-endian),
//! then Avro's binary encoding ("Wire format" in the documentation of Confluent's schema registry).

/// The bytes before a record.
pub const LENGTH: usize = 5;

/// The parts of a framed message value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'m> {
    /// The id of the writer's schema.
    pub schema_id: u32,
    /// The record in Avro's binary encoding.
    pub avro: &'m [u8],
}

/// Why a value has no readable frame. Permanent: a retry does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// No value at all: a tombstone, as compacted topics have them. There is nothing to write and nothing to
    /// keep.
    #[error("a tombstone: the message has no value")]
    Tombstone,
    /// An empty value.
    #[error("the value is empty, expected a Confluent frame")]
    Empty,
    /// Shorter than the frame's five bytes.
    #[error("the value has {0} bytes, expected a Confluent frame of at least 5")]
    Short(usize),
    /// The first byte is not zero: the value was not written with a schema registry.
    #[error("the value begins with byte {0:#04x}, expected 0x00 of a Confluent frame")]
    Unframed(u8),
}

impl FrameError {
    /// The error as a metric label.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            FrameError::Tombstone => "tombstone",
            FrameError::Empty => "value_empty",
            FrameError::Short(_) => "value_short",
            FrameError::Unframed(_) => "value_unframed",
        }
    }
}

/// Appends the five-byte frame of a record that follows.
#[inline]
pub fn write(schema_id: u32, out: &mut Vec<u8>) {
    let [a, b, c, d] = schema_id.to_be_bytes();
    out.extend_from_slice(&[0, a, b, c, d]);
}

impl<'m> Frame<'m> {
    /// Parses the frame of a Kafka message's value.
    pub fn read(value: Option<&'m [u8]>) -> Result<Frame<'m>, FrameError> {
        match value {
            None => Err(FrameError::Tombstone),
            Some([]) => Err(FrameError::Empty),
            Some([0, a, b, c, d, avro @ ..]) => Ok(Frame {
                schema_id: u32::from_be_bytes([*a, *b, *c, *d]),
                avro,
            }),
            Some([0, rest @ ..]) => Err(FrameError::Short(rest.len() + 1)),
            Some([first, ..]) => Err(FrameError::Unframed(*first)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut framed = Vec::new();
        write(258, &mut framed);
        framed.push(9);
        assert_eq!(framed, [0, 0, 0, 1, 2, 9]);
        assert_eq!(Frame::read(Some(&framed)).map(|frame| frame.schema_id), Ok(258));
    }

    #[test]
    fn every_shape_of_value_is_distinguished() {
        assert_eq!(
            Frame::read(Some(&[0, 0, 0, 1, 2, 9])),
            Ok(Frame {
                schema_id: 258,
                avro: &[9]
            })
        );
        assert_eq!(
            Frame::read(Some(&[0, 255, 255, 255, 255])),
            Ok(Frame {
                schema_id: u32::MAX,
                avro: &[]
            })
        );
        assert_eq!(Frame::read(None), Err(FrameError::Tombstone));
        assert_eq!(Frame::read(Some(&[])), Err(FrameError::Empty));
        for length in 1..5 {
            assert_eq!(
                Frame::read(Some(&[0; 5][..length])),
                Err(FrameError::Short(length))
            );
        }
        assert_eq!(Frame::read(Some(b"{\"a\": 1}")), Err(FrameError::Unframed(b'{')));
    }
}
