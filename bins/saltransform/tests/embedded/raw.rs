//! A produce request written byte by byte (Kafka protocol guide, Produce version 3, record batch version 2): for what no
//! client library lets one send.

use std::io::{Read, Write};
use std::net::TcpStream;

/// Sends one message to partition 0 of a topic and waits for the broker to have it.
pub(crate) fn produce(broker: &str, topic: &str, value: &[u8], headers: &[(&[u8], &[u8])]) {
    let mut record = vec![0]; // attributes
    varint(&mut record, 0); // time stamp
    varint(&mut record, 0); // offset
    varint(&mut record, -1); // no key
    bytes(&mut record, value);
    varint(&mut record, headers.len() as i64);
    for (name, value) in headers {
        bytes(&mut record, name);
        bytes(&mut record, value);
    }
    let mut checked = vec![];
    checked.extend(0i16.to_be_bytes()); // attributes: not compressed
    checked.extend(0i32.to_be_bytes()); // last offset
    checked.extend([1_600_000_000_000i64.to_be_bytes(); 2].concat()); // first and last time stamp
    checked.extend((-1i64).to_be_bytes()); // no producer id
    checked.extend((-1i16).to_be_bytes()); // nor epoch
    checked.extend((-1i32).to_be_bytes()); // nor sequence
    checked.extend(1i32.to_be_bytes()); // records
    bytes(&mut checked, &record);
    let mut batch = vec![];
    batch.extend((-1i32).to_be_bytes()); // leader's epoch
    batch.push(2); // version
    batch.extend(crc32c(&checked).to_be_bytes());
    batch.extend(checked);
    let mut records = 0i64.to_be_bytes().to_vec(); // first offset
    records.extend((batch.len() as i32).to_be_bytes());
    records.extend(batch);

    let mut request = vec![];
    request.extend([0i16.to_be_bytes(), 3i16.to_be_bytes()].concat()); // Produce, version 3
    request.extend(7i32.to_be_bytes()); // correlation
    text(&mut request, "raw");
    request.extend((-1i16).to_be_bytes()); // no transaction
    request.extend((-1i16).to_be_bytes()); // acks: all
    request.extend(10_000i32.to_be_bytes());
    request.extend(1i32.to_be_bytes()); // topics
    text(&mut request, topic);
    request.extend([1i32.to_be_bytes(), 0i32.to_be_bytes()].concat()); // partitions: number 0
    request.extend((records.len() as i32).to_be_bytes());
    request.extend(records);

    let mut stream = TcpStream::connect(broker).unwrap();
    stream.write_all(&(request.len() as i32).to_be_bytes()).unwrap();
    stream.write_all(&request).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).unwrap();
    // correlation, topics, topic, partitions, partition, error
    let error = 4 + 4 + 2 + topic.len() + 4 + 4;
    assert_eq!(answer[error..error + 2], [0, 0], "{answer:?}");
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as i16).to_be_bytes());
    out.extend(text.bytes());
}

/// A length and as many bytes.
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
