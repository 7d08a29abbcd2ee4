//! A produce request written byte by byte (Kafka protocol guide, Produce version 3, record batch
//! version 2), to send what no client library can: header names that are not UTF-8, and batches that cannot
//! be decoded. The embedded broker stores a batch as it arrives; a real one rejects invalid batches.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// The codec's number in a batch's attributes.
pub const ZSTD: i16 = 4;

/// One record batch.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    records: Vec<u8>,
    count: i32,
    codec: i16,
    has_wrong_checksum: bool,
}

impl Batch {
    /// A batch without records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a record without a key.
    #[must_use]
    pub fn record(mut self, value: &[u8], headers: &[(&[u8], &[u8])]) -> Self {
        let mut record = vec![0]; // attributes
        varint(&mut record, 0); // timestamp
        varint(&mut record, i64::from(self.count));
        varint(&mut record, -1); // no key
        bytes(&mut record, value);
        varint(&mut record, headers.len() as i64);
        for (name, value) in headers {
            bytes(&mut record, name);
            bytes(&mut record, value);
        }
        bytes(&mut self.records, &record);
        self.count += 1;
        self
    }

    /// Marks the records as compressed and replaces them by `compressed`.
    #[must_use]
    pub fn compressed(mut self, codec: i16, compressed: &[u8]) -> Self {
        self.codec = codec;
        self.records = compressed.to_vec();
        self
    }

    /// The uncompressed records.
    pub fn records(&self) -> &[u8] {
        &self.records
    }

    /// Corrupts the checksum, as a flipped bit would.
    #[must_use]
    pub fn with_wrong_checksum(mut self) -> Self {
        self.has_wrong_checksum = true;
        self
    }

    /// The batch as Kafka stores it.
    fn encode(&self) -> Vec<u8> {
        let mut checked = vec![];
        checked.extend(self.codec.to_be_bytes());
        checked.extend((self.count - 1).to_be_bytes()); // last offset
        checked.extend([1_600_000_000_000i64.to_be_bytes(); 2].concat()); // first and last timestamp
        checked.extend((-1i64).to_be_bytes()); // no producer id
        checked.extend((-1i16).to_be_bytes()); // nor epoch
        checked.extend((-1i32).to_be_bytes()); // nor sequence
        checked.extend(self.count.to_be_bytes());
        checked.extend(&self.records);
        let mut batch = vec![];
        batch.extend((-1i32).to_be_bytes()); // leader's epoch
        batch.push(2); // version
        batch.extend((crc32c(&checked) ^ u32::from(self.has_wrong_checksum)).to_be_bytes());
        batch.extend(checked);
        let mut all = 0i64.to_be_bytes().to_vec(); // first offset
        all.extend((batch.len() as i32).to_be_bytes());
        all.extend(batch);
        all
    }

    /// Sends it to a partition and waits for the acknowledgement.
    ///
    /// # Errors
    /// When the broker is unavailable or rejects it.
    pub fn send(&self, broker: &str, topic: &str, partition: i32) -> io::Result<()> {
        let batch = self.encode();
        let mut request = vec![];
        request.extend([0i16.to_be_bytes(), 3i16.to_be_bytes()].concat()); // Produce, version 3
        request.extend(7i32.to_be_bytes()); // correlation
        text(&mut request, "raw");
        request.extend((-1i16).to_be_bytes()); // no transaction
        request.extend((-1i16).to_be_bytes()); // acks: all
        request.extend(10_000i32.to_be_bytes());
        request.extend(1i32.to_be_bytes()); // topics
        text(&mut request, topic);
        request.extend([1i32.to_be_bytes(), partition.to_be_bytes()].concat()); // partitions
        request.extend((batch.len() as i32).to_be_bytes());
        request.extend(batch);

        let mut stream = TcpStream::connect(broker)?;
        stream.write_all(&(request.len() as i32).to_be_bytes())?;
        stream.write_all(&request)?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut answer)?;
        // correlation, topics, topic, partitions, partition, error
        let error = 4 + 4 + 2 + topic.len() + 4 + 4;
        match answer.get(error..error + 2) {
            Some([0, 0]) => Ok(()),
            refused => Err(io::Error::other(format!("the broker answers {refused:?}"))),
        }
    }
}

/// A streamed zstd frame (RFC 8878) without content size: only long runs of one byte are compressed.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 128 << 10;
    // The magic number; no content size, no checksum; a window of 1 MiB.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 10 << 3];
    let mut block = |kind: usize, size: usize, content: &[u8]| {
        frame.extend(&(size << 3 | kind << 1).to_le_bytes()[..3]);
        frame.extend(content);
    };
    for run in bytes.chunk_by(|one, next| one == next) {
        for piece in run.chunks(BLOCK) {
            match piece.len() {
                length @ ..4 => block(0, length, piece),
                length => block(1, length, &piece[..1]),
            }
        }
    }
    // The last block, which is empty.
    frame.extend([1, 0, 0]);
    frame
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as i16).to_be_bytes());
    out.extend(text.bytes());
}

/// A length followed by that many bytes.
fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    varint(out, bytes.len() as i64);
    out.extend(bytes);
}

fn varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0x82f6_3b78
            } else {
                crc >> 1
            };
        }
    }
    !crc
}
