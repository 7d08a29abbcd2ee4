//! The part of Kafka's wire format that the proxy needs: the client of a request, the positions of broker
//! ports in a response, and the extent of the broker list and of a fetched partition (<https://kafka.apache.org/protocol.html>).

/// API keys of requests whose responses are changed.
pub(super) const FETCH: i16 = 1;
pub(super) const METADATA: i16 = 3;
pub(super) const FIND_COORDINATOR: i16 = 10;

/// The protocol's name for an API key; those that no client here uses are `other`.
pub(super) fn name(kind: i16) -> &'static str {
    match kind {
        0 => "Produce",
        FETCH => "Fetch",
        2 => "ListOffsets",
        METADATA => "Metadata",
        8 => "OffsetCommit",
        9 => "OffsetFetch",
        FIND_COORDINATOR => "FindCoordinator",
        11 => "JoinGroup",
        12 => "Heartbeat",
        13 => "LeaveGroup",
        14 => "SyncGroup",
        15 => "DescribeGroups",
        16 => "ListGroups",
        18 => "ApiVersions",
        19 => "CreateTopics",
        20 => "DeleteTopics",
        22 => "InitProducerId",
        23 => "OffsetForLeaderEpoch",
        32 => "DescribeConfigs",
        71 => "GetTelemetrySubscriptions",
        _ => "other",
    }
}

/// The head of a request: API key, version, correlation id and client id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestHead {
    pub(super) kind: i16,
    pub(super) version: i16,
    pub(super) correlation: i32,
    pub(super) client_id: String,
}

/// Parses the head of a request frame (without its length).
pub(super) fn request_head(frame: &[u8]) -> Option<RequestHead> {
    let mut reader = Reader::new(frame, false);
    let (kind, version, correlation) = (reader.i16()?, reader.i16()?, reader.i32()?);
    // Its length has two bytes in flexible headers, too.
    let client_id = reader.text()?;
    Some(RequestHead {
        kind,
        version,
        correlation,
        client_id: String::from_utf8_lossy(client_id).into_owned(),
    })
}

/// The correlation id of a response frame.
pub(super) fn correlation(frame: &[u8]) -> Option<i32> {
    Reader::new(frame, false).i32()
}

/// The contents of a metadata response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// The positions of the brokers' ports, four bytes each.
    ports: Vec<usize>,
    /// The extent of the broker list, including its count.
    brokers: std::ops::Range<usize>,
    is_flexible: bool,
    /// Whether it contains topics.
    pub(super) has_topics: bool,
}

impl Listed {
    /// Parses a response frame.
    pub(super) fn read(frame: &[u8], version: i16) -> Option<Self> {
        let is_flexible = version >= 9;
        let mut reader = Reader::new(frame, is_flexible);
        reader.i32()?;
        reader.tags()?;
        if version >= 3 {
            reader.i32()?;
        }
        let start = reader.at;
        let mut ports = Vec::new();
        for _ in 0..reader.count()? {
            reader.i32()?;
            reader.text()?;
            ports.push(reader.at);
            reader.i32()?;
            if version >= 1 {
                reader.text()?;
            }
            reader.tags()?;
        }
        let brokers = start..reader.at;
        if version >= 2 {
            reader.text()?;
        }
        if version >= 1 {
            reader.i32()?;
        }
        let has_topics = reader.count()? > 0;
        Some(Self {
            ports,
            brokers,
            is_flexible,
            has_topics,
        })
    }

    /// The same response without brokers but with its topics, as sent by a fenced broker.
    pub(super) fn without_brokers(&self, frame: &[u8]) -> Vec<u8> {
        let (before, after) = (&frame[..self.brokers.start], &frame[self.brokers.end..]);
        // The length of an empty compact array is encoded as 1.
        let none: &[u8] = if self.is_flexible { &[1] } else { &[0; 4] };
        [before, none, after].concat()
    }
}

/// A response to a fetch without this partition of any topic, as if nothing had been asked of it; `None` if it has none,
/// or is of a version in which nobody here asks.
pub(super) fn without_partition(frame: &[u8], version: i16, partition: i32) -> Option<Vec<u8>> {
    if !(12..=16).contains(&version) {
        return None;
    }
    let mut reader = Reader::new(frame, true);
    reader.i32()?;
    reader.tags()?;
    // Throttle time, error, session.
    reader.take(4 + 2 + 4)?;
    let (mut kept, mut from, mut is_changed) = (Vec::new(), 0, false);
    for _ in 0..reader.count()? {
        match version {
            12 => drop(reader.text()?),
            _ => drop(reader.take(16)?),
        }
        let at = reader.at;
        let count = reader.count()?;
        let mut partitions = Vec::new();
        kept.extend(&frame[from..at]);
        for _ in 0..count {
            let start = reader.at;
            let number = reader.i32()?;
            // Error, high watermark, last stable offset, start of the log.
            reader.take(2 + 8 + 8 + 8)?;
            for _ in 0..reader.count()? {
                reader.take(8 + 8)?;
                reader.tags()?;
            }
            reader.i32()?;
            // The records.
            reader.text()?;
            reader.tags()?;
            if number == partition {
                is_changed = true;
            } else {
                partitions.push(start..reader.at);
            }
        }
        varint(partitions.len() + 1, &mut kept);
        for partition in partitions {
            kept.extend(&frame[partition]);
        }
        from = reader.at;
        reader.tags()?;
    }
    kept.extend(&frame[from..]);
    is_changed.then_some(kept)
}

fn varint(mut value: usize, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The positions of broker ports in a response.
pub(super) fn ports(frame: &[u8], kind: i16, version: i16) -> Vec<usize> {
    match kind {
        METADATA => Listed::read(frame, version).map(|listed| listed.ports),
        FIND_COORDINATOR => coordinator_ports(frame, version),
        _ => None,
    }
    .unwrap_or_default()
}

fn coordinator_ports(frame: &[u8], version: i16) -> Option<Vec<usize>> {
    let mut reader = Reader::new(frame, version >= 3);
    reader.i32()?;
    reader.tags()?;
    if version >= 1 {
        reader.i32()?;
    }
    let mut ports = Vec::new();
    if version < 4 {
        reader.i16()?;
        if version >= 1 {
            reader.text()?;
        }
        reader.i32()?;
        reader.text()?;
        ports.push(reader.at);
        return Some(ports);
    }
    for _ in 0..reader.count()? {
        reader.text()?;
        reader.i32()?;
        reader.text()?;
        ports.push(reader.at);
        reader.i32()?;
        reader.i16()?;
        reader.text()?;
        reader.tags()?;
    }
    Some(ports)
}

/// Reads a frame from its beginning; `None` if it ends too early.
struct Reader<'a> {
    frame: &'a [u8],
    at: usize,
    is_flexible: bool,
}

impl<'a> Reader<'a> {
    fn new(frame: &'a [u8], is_flexible: bool) -> Self {
        Self {
            frame,
            at: 0,
            is_flexible,
        }
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let taken = self.frame.get(self.at..self.at.checked_add(bytes)?)?;
        self.at += bytes;
        Some(taken)
    }

    fn i16(&mut self) -> Option<i16> {
        Some(i16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn i32(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// Seven bits per byte, least significant first.
    fn varint(&mut self) -> Option<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.take(1)?[0];
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// The length of an array; a null array has length 0.
    fn count(&mut self) -> Option<usize> {
        if self.is_flexible {
            Some(self.varint()?.saturating_sub(1))
        } else {
            Some(usize::try_from(self.i32()?).unwrap_or_default())
        }
    }

    /// A nullable string.
    fn text(&mut self) -> Option<&'a [u8]> {
        let length = if self.is_flexible {
            self.varint()?.saturating_sub(1)
        } else {
            usize::try_from(self.i16()?).unwrap_or_default()
        };
        self.take(length)
    }

    /// Tagged fields, which only flexible versions have.
    fn tags(&mut self) -> Option<()> {
        if self.is_flexible {
            for _ in 0..self.varint()? {
                self.varint()?;
                let length = self.varint()?;
                self.take(length)?;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(out: &mut Vec<u8>, text: &str, is_flexible: bool) {
        if is_flexible {
            out.push(text.len() as u8 + 1);
        } else {
            out.extend((text.len() as i16).to_be_bytes());
        }
        out.extend(text.as_bytes());
    }

    /// A response with two brokers and one topic, truncated after its count.
    fn metadata(version: i16) -> Vec<u8> {
        let is_flexible = version >= 9;
        let mut out = 7i32.to_be_bytes().to_vec();
        if is_flexible {
            out.push(0);
        }
        if version >= 3 {
            out.extend([0; 4]);
        }
        if is_flexible {
            out.push(3)
        } else {
            out.extend(2i32.to_be_bytes())
        }
        for port in [9092i32, 9093] {
            out.extend(1i32.to_be_bytes());
            text(&mut out, "127.0.0.1", is_flexible);
            out.extend(port.to_be_bytes());
            if version >= 1 {
                // No rack.
                if is_flexible {
                    out.push(0)
                } else {
                    out.extend((-1i16).to_be_bytes())
                }
            }
            if is_flexible {
                out.push(0);
            }
        }
        if version >= 2 {
            text(&mut out, "cluster", is_flexible);
        }
        if version >= 1 {
            out.extend(1i32.to_be_bytes());
        }
        if is_flexible {
            out.push(2)
        } else {
            out.extend(1i32.to_be_bytes())
        }
        out
    }

    #[test]
    fn brokers_are_found_and_removed_in_every_version() {
        for version in 0..=13 {
            let frame = metadata(version);
            let listed = Listed::read(&frame, version).unwrap();
            assert!(listed.has_topics, "{version}");
            let found: Vec<i32> = ports(&frame, METADATA, version)
                .into_iter()
                .map(|at| i32::from_be_bytes(frame[at..at + 4].try_into().unwrap()))
                .collect();
            assert_eq!(found, [9092, 9093], "{version}");
            let without = listed.without_brokers(&frame);
            let again = Listed::read(&without, version).unwrap();
            assert!(again.ports.is_empty() && again.has_topics, "{version}");
        }
    }

    #[test]
    fn a_frame_that_ends_too_early_has_no_ports() {
        let frame = metadata(9);
        for length in 0..20 {
            assert!(ports(&frame[..length], METADATA, 9).is_empty());
        }
    }

    /// A response with these partitions of one topic, each with a record of its number.
    fn fetched(version: i16, partitions: &[i32]) -> Vec<u8> {
        let mut out = vec![0, 0, 0, 7, 0];
        out.extend([0; 10]);
        out.push(2);
        match version {
            12 => text(&mut out, "in", true),
            _ => out.extend([9; 16]),
        }
        varint(partitions.len() + 1, &mut out);
        for partition in partitions {
            out.extend(partition.to_be_bytes());
            out.extend([0; 26]);
            // An aborted transaction.
            out.push(2);
            out.extend([0; 17]);
            out.extend((-1i32).to_be_bytes());
            text(&mut out, &"r".repeat(*partition as usize % 100), true);
            // A tagged field.
            out.extend([1, 1, 2, 5, 5]);
        }
        out.extend([0, 0]);
        out
    }

    #[test]
    fn a_partition_is_left_out_and_the_others_stay_as_they_are() {
        for version in 12..=16 {
            let without =
                |partitions: &[i32], one| without_partition(&fetched(version, partitions), version, one);
            assert_eq!(
                without(&[0, 1, 2], 1),
                Some(fetched(version, &[0, 2])),
                "{version}"
            );
            assert_eq!(without(&[1], 1), Some(fetched(version, &[])));
            assert_eq!(without(&[0, 2], 1), None);
            let (all, others): (Vec<i32>, Vec<i32>) = ((0..128).collect(), (0..127).collect());
            assert_eq!(without(&all, 127), Some(fetched(version, &others)), "{version}");
            let frame = fetched(version, &[0, 1]);
            for length in 0..frame.len() - 2 {
                assert_eq!(without_partition(&frame[..length], version, 1), None);
            }
        }
    }

    #[test]
    fn a_request_names_its_client() {
        let mut frame = vec![0, 3, 0, 12, 0, 0, 0, 9];
        text(&mut frame, "influxsink", false);
        let head = request_head(&frame).unwrap();
        assert_eq!((head.kind, head.version, head.correlation), (3, 12, 9));
        assert_eq!(head.client_id, "influxsink");
    }
}
