//! What members of a classic group tell each other through the coordinator, which passes it on unread: Kafka's consumer
//! protocol. Any client may have written it, so that each length is checked, and what does not fit is not an answer.

use crate::cluster::Place;

/// The partitions of an assignment: version, topics with their partitions, the assignor's own bytes.
pub(super) fn assignment(bytes: &[u8]) -> Option<Vec<Place>> {
    let mut reader = Reader(bytes);
    reader.version()?;
    let mut places = Vec::new();
    // Each topic takes six bytes at least, each partition four: a count that the bytes cannot hold ends at their end.
    for _ in 0..reader.count()? {
        let topic = reader.text()?;
        for _ in 0..reader.count()? {
            places.push((topic.to_owned(), reader.int()?));
        }
    }
    places.sort();
    Some(places)
}

/// The topics of a subscription: version, topics, then what newer versions add.
pub(super) fn subscription(bytes: &[u8]) -> Option<Vec<String>> {
    let mut reader = Reader(bytes);
    reader.version()?;
    let mut topics = Vec::new();
    for _ in 0..reader.count()? {
        topics.push(reader.text()?.to_owned());
    }
    topics.sort();
    Some(topics)
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    /// The versions so far have these fields at the same places.
    fn version(&mut self) -> Option<()> {
        (i16::from_be_bytes(self.take()?) >= 0).then_some(())
    }

    fn int(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.int()?).ok()
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(i16::from_be_bytes(self.take()?)).ok()?;
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(head).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_OF_T: &[u8] = &[
        0, 1, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0,
    ];

    #[test]
    fn an_assignment_is_read() {
        let places = assignment(TWO_OF_T).unwrap();
        assert_eq!(places, [("t".to_owned(), 1), ("t".to_owned(), 3)]);
        assert_eq!(assignment(&[0, 0, 0, 0, 0, 0]), Some(Vec::new()));
    }

    #[test]
    fn a_subscription_is_read() {
        let bytes = [0, 3, 0, 0, 0, 2, 0, 1, b'b', 0, 1, b'a', 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(subscription(&bytes).unwrap(), ["a", "b"]);
    }

    #[test]
    fn no_bytes_do_harm() {
        for length in 0..TWO_OF_T.len() - 4 {
            assert_eq!(assignment(&TWO_OF_T[..length]), None, "{length}");
        }
        for hostile in [
            [0, 0, 0x7f, 0xff, 0xff, 0xff].as_slice(),
            &[0, 0, 0xff, 0xff, 0xff, 0xff],
            &[0xff, 0xff, 0, 0, 0, 0],
            &[0, 0, 0, 0, 0, 1, 0x7f, 0xff],
            &[0, 0, 0, 0, 0, 1, 0xff, 0xff],
            &[0, 0, 0, 0, 0, 1, 0, 1, 0xff, 0, 0, 0, 0],
        ] {
            assert_eq!(assignment(hostile), None, "{hostile:?}");
            assert_eq!(subscription(hostile), None, "{hostile:?}");
        }
    }
}
