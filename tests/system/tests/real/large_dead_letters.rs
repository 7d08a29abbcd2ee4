//! Junk of every size up to the broker's limit: each message is a dead letter, complete if the topic accepts
//! it, and the stage keeps running. What a dead letter had to omit is shown, and is replayed from its origin.

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use serde_json::{Value as Json, json};

use super::{Services, kafka, stages, unique};
use crate::operator::kafkaefd;
use crate::{runtime, wait};

/// `message.max.bytes` of a broker with default settings; it applies to a batch.
const LIMIT: usize = 1_048_588;
/// The overhead of a batch of one message: 61 bytes for the batch plus that of the record.
const AROUND: usize = 61 + 12;

/// Incompressible bytes.
fn junk(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // No two sequences of eight are the same, and none is a SAL message.
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(&mut next)
        .take(length / 8 + 1)
        .flatten()
        .collect();
    bytes.truncate(length);
    bytes
}

/// Keys, values and headers at the limit; the last ones compress well and are larger.
fn poison(topic: &str, broker: &str) -> usize {
    let client = |compression: &str| {
        testkit::producer(
            ClientConfig::new()
                .set("bootstrap.servers", broker)
                .set("message.max.bytes", "9000000")
                .set("compression.type", compression),
        )
    };
    let mut count = 0;
    let mut send = |producer: &testkit::Producer, key: Option<Vec<u8>>, value: Vec<u8>, own: Vec<u8>| {
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).payload(&value);
        record.key = key.as_deref();
        if !own.is_empty() {
            let header = Header {
                key: "mine",
                value: Some(&own),
            };
            record = record.headers(OwnedHeaders::new().insert(header));
        }
        producer.send(record).map_err(|(error, _)| error).unwrap();
        testkit::deliver(producer);
        count += 1;
    };
    let plain = client("none");
    for below in [0, 1, 100, 250, 400, 1_000, 48_588, 60_000] {
        send(&plain, None, junk(LIMIT - AROUND - below), Vec::new());
    }
    send(&plain, Some(junk(500_000)), junk(540_000), Vec::new());
    send(&plain, Some(junk(1_040_000)), b"short".to_vec(), Vec::new());
    send(&plain, None, junk(1_000), junk(1_040_000));
    let packed = client("zstd");
    send(&packed, None, vec![b'~'; 8_000_000], Vec::new());
    count
}

fn answer(services: &Services, dead: &str, arguments: &[&str]) -> Json {
    let ran = kafkaefd(
        services,
        &[&["dead-letters"], arguments, &["--json", "--in", dead]].concat(),
    );
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// Whether all dead letters are complete depends on the topic: one that an operator created has the broker's
/// limit.
fn every_size(exactly_once: bool, operators_topic: bool) {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let runtime = runtime();
    let _inside = runtime.enter();
    let name = unique("large");
    let (input, group) = (format!("{name}.in"), format!("{name}.group"));
    let dead = format!("{group}.dead-letter");
    runtime.block_on(kafka::create_topics(&services, std::slice::from_ref(&input), 1));
    if operators_topic {
        runtime.block_on(kafka::create_topics(&services, std::slice::from_ref(&dead), 1));
    }
    let flags = [
        "--subname",
        &name,
        "--group",
        &group,
        "--auto-offset-reset",
        "earliest",
        "--topic",
        &input,
    ];
    let once: &[&str] = if exactly_once { &["--exactly-once"] } else { &[] };
    let transform = stages::saltransform(&services, &[once, &flags].concat());
    let sent = poison(&input, services.get("BROKER")) as u64;
    wait(&transform, "saltransform_dead_letters_total", sent);
    let shortened = transform.count("kafka_dead_letters_shortened_total");
    let rebalances = transform.count("kafka_rebalances_total");
    assert_eq!(
        rebalances, 1,
        "no transaction takes so long that its producer is fenced"
    );
    transform.stop();

    let shown = answer(&services, &dead, &["show", "--count", "100"]);
    let shown = shown.as_array().unwrap();
    assert_eq!(shown.len() as u64, sent);
    let incomplete = shown.iter().filter(|letter| !letter["omitted"].is_null()).count() as u64;
    assert_eq!(incomplete, shortened);
    if !operators_topic {
        assert_eq!(shortened, 0, "our own topic accepts all of them");
        return;
    }
    // Those that leave less room in a batch than our headers take.
    assert!((3..=6).contains(&shortened), "{shortened} of {sent}");
    // An omitted value is replayed from its origin. At the limit itself no header fits beside it.
    let replayed = answer(&services, &dead, &["replay", "--yes"]);
    let (back, refused) = (
        replayed["replayed"].as_u64().unwrap(),
        replayed["refused"].as_array().unwrap(),
    );
    assert_eq!(back + refused.len() as u64, sent, "{replayed}");
    assert!(refused.len() <= 3, "{replayed}");
    let before = answer(&services, &dead, &["replay", "--yes"]);
    assert_eq!(before["replayed_before"], json!(back));
}

#[test]
fn our_topic_accepts_junk_of_every_size() {
    every_size(false, false);
}

#[test]
fn our_topic_accepts_junk_of_every_size_in_transactions() {
    every_size(true, false);
}

#[test]
fn an_operators_topic_has_references_to_what_it_does_not_accept() {
    every_size(false, true);
}

#[test]
fn an_operators_topic_has_references_to_what_it_does_not_accept_in_transactions() {
    every_size(true, true);
}
