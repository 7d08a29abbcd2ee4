//! Messages that are too large for the dead-letter topic, or whose records are for theirs: what does not fit is referred to,
//! and the stage lives.

use rdkafka::Message;
use rdkafka::message::{Headers, OwnedHeaders, OwnedMessage};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use saltransform::config::RunArgs;

use crate::PRODUCED;
use crate::stack::{DEAD, INPUT, Stack, header, message};

const LETTERS: &str = "saltransform_dead_letters_total";
const SHORTENED: &str = "kafka_dead_letters_shortened_total";
const TOO_LARGE: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;

fn args(stack: &Stack, exactly_once: bool) -> RunArgs {
    let mut args = stack.args();
    args.exactly_once = exactly_once;
    args
}

fn has(letter: &OwnedMessage, name: &str) -> bool {
    letter.headers().unwrap().iter().any(|header| header.key == name)
}

/// The producers' own limit stands for a topic's.
async fn junk_beyond_the_limit(exactly_once: bool) {
    let stack = Stack::start(1).await;
    stack.register(false).await;
    let mut args = args(&stack, exactly_once);
    args.kafka.settings.push("message.max.bytes=20000".into());
    let junk = |length: usize| vec![b'~'; length];
    let own = || {
        let headers = OwnedHeaders::new();
        headers.insert(rdkafka::message::Header {
            key: "mine",
            value: Some(&[b'h'; 19_000][..]),
        })
    };
    stack.produce([junk(19_000), junk(25_000), junk(20_000)]);
    stack.send(Some(b"key"), Some(&junk(5_000)), Some(own()));
    stack.send(Some(&[b'k'; 19_990]), Some(&junk(30)), Some(own()));
    stack.produce([message(1, None)]);
    let running = stack.run(args);
    running.wait_for(PRODUCED, 1).await;
    running.wait_for(LETTERS, 5).await;
    let letters = stack.read(DEAD, 5);
    let by_offset = |offset: &str| {
        letters
            .iter()
            .find(|letter| header(letter, "offset") == offset)
            .unwrap()
    };

    let whole = by_offset("0");
    assert_eq!(whole.payload().unwrap(), junk(19_000));
    assert!(!has(whole, "omitted-value"));
    for (offset, bytes) in [("1", "25000"), ("2", "20000")] {
        let letter = by_offset(offset);
        assert_eq!(letter.payload(), None);
        assert_eq!(header(letter, "omitted-value"), bytes);
        assert_eq!(
            (header(letter, "topic"), header(letter, "stage")),
            (INPUT.to_owned(), "parse".to_owned())
        );
        assert!(!has(letter, "omitted-key") && !has(letter, "omitted-headers"));
    }
    let headers = by_offset("3");
    assert_eq!(headers.payload().unwrap(), junk(5_000), "what fits stays");
    assert_eq!(headers.key().unwrap(), b"key");
    assert_eq!(header(headers, "omitted-headers"), "19004");
    assert!(!has(headers, "original.mine") && !has(headers, "omitted-value"));
    let key = by_offset("4");
    assert_eq!(
        (key.key(), key.payload().unwrap()),
        (None, &junk(30)[..]),
        "what is short stays"
    );
    assert_eq!(header(key, "omitted-key"), "19990");
    assert_eq!(running.count(SHORTENED), 4);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn junk_beyond_the_limit_is_referred_to() {
    junk_beyond_the_limit(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn junk_beyond_the_limit_is_referred_to_in_a_transaction() {
    junk_beyond_the_limit(true).await;
}

/// A broker refuses a batch as a whole: the letters in it may fit one by one.
async fn refused_batch(exactly_once: bool) {
    let stack = Stack::start(1).await;
    stack.register(false).await;
    stack.produce((0..20).map(|n| format!("not SAL {n}").into_bytes()));
    stack
        .broker
        .fail_next(RDKafkaApiKey::Produce, &[TOO_LARGE])
        .unwrap();
    let running = stack.run(args(&stack, exactly_once));
    running.wait_for(LETTERS, 20).await;
    let letters = stack.read(DEAD, 20);
    assert!(
        letters
            .iter()
            .all(|letter| letter.payload().is_some() && !has(letter, "omitted-value"))
    );
    assert_eq!(running.count(SHORTENED), 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_of_a_batch_that_is_refused_are_sent_one_by_one() {
    refused_batch(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_of_a_batch_that_is_refused_are_sent_one_by_one_in_transactions() {
    refused_batch(true).await;
}

/// And a letter that is refused alone is not sent whole again.
async fn refused_letter(exactly_once: bool) {
    let stack = Stack::start(1).await;
    stack.register(false).await;
    let junk = vec![b'~'; 5_000];
    stack.produce([junk]);
    stack
        .broker
        .fail_next(RDKafkaApiKey::Produce, &[TOO_LARGE; 2])
        .unwrap();
    let running = stack.run(args(&stack, exactly_once));
    running.wait_for(LETTERS, 1).await;
    let letter = &stack.read(DEAD, 1)[0];
    assert_eq!(
        (letter.payload(), header(letter, "omitted-value")),
        (None, "5000".to_owned())
    );
    stack.produce([message(1, None)]);
    running.wait_for(PRODUCED, 1).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_the_broker_refuses_is_a_reference() {
    refused_letter(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_the_broker_refuses_is_a_reference_in_a_transaction() {
    refused_letter(true).await;
}

/// Whatever else was in their batch, records that fit alone are records.
async fn refused_records(exactly_once: bool) {
    let stack = Stack::start(1).await;
    stack.register(false).await;
    stack.produce((0..20).map(|n| message(n, None)));
    stack
        .broker
        .fail_next(RDKafkaApiKey::Produce, &[TOO_LARGE])
        .unwrap();
    let running = stack.run(args(&stack, exactly_once));
    running.wait_for(PRODUCED, 20).await;
    assert_eq!(running.count(LETTERS), 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_a_batch_that_is_refused_are_sent_one_by_one() {
    refused_records(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_a_batch_that_is_refused_are_sent_one_by_one_in_transactions() {
    refused_records(true).await;
}
