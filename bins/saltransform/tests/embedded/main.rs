//! saltransform on the embedded broker and registry: what goes in comes out once, or is a dead letter, or is skipped.
#![allow(clippy::expect_used, reason = "a failed step is a failed test")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod exactly_once;
mod gone;
mod init;
mod keys;
mod large;
mod registry;
mod stack;
mod stuck;

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::Message;
use rdkafka::message::Headers;
use stack::{DEAD, GROUP, INPUT, Stack, header, message};
use testkit::raw::Batch;

const PRODUCED: &str = "saltransform_produced_total";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_comes_out_once_across_restarts() {
    const ROUNDS: usize = 3;
    const EACH: usize = 500;
    let stack = Stack::start(3).await;
    stack.register(false).await;
    for round in 0..ROUNDS {
        let running = stack.run(stack.args());
        stack.produce((0..EACH).map(|n| message(round * EACH + n, None)));
        // Stopped in the middle: the drain finishes what was read, the next round reads on from there.
        running.wait_for(PRODUCED, EACH as u64 / 3).await;
        running.stop().await;
    }
    let running = stack.run(stack.args());
    let records = stack.records(ROUNDS * EACH).await;
    running.stop().await;
    let sequences: BTreeSet<i64> = records
        .iter()
        .map(|(_, r)| r["sal_sequence"].as_i64().unwrap())
        .collect();
    assert_eq!(sequences.len(), ROUNDS * EACH, "every sequence number once");
    assert_eq!(records[0].1["sal_created"], "2019-04-23T06:13:20.125Z");
    assert_eq!(records[0].1["level"], 0.5);
}

/// In both kinds of delivery: while its record's schema is missing, a message waits, and its age grows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_age_of_what_waits_and_the_time_of_what_is_finished_are_shown() {
    let now = || stage::unix_millis() as f64 / 1e3;
    for exactly_once in [false, true] {
        let stack = Stack::start(1).await;
        let mut args = stack.args();
        args.exactly_once = exactly_once;
        args.unknown_schema_grace = Duration::from_secs(3_600);
        let running = stack.run(args);
        let (lag, last) = (
            || running.of_subsystem("saltransform_lag_seconds"),
            || running.of_subsystem("saltransform_last_message_timestamp_seconds"),
        );
        let until = async |what: &str, reached: &dyn Fn() -> bool| {
            let start = now();
            while !reached() {
                assert!(now() - start < 60.0, "{what}: lag {:?}, last {:?}", lag(), last());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        until("nothing waits", &|| lag() == Some(0.0)).await;
        stack.produce([message(0, None)]);
        running.wait_for("saltransform_consumed_total", 1).await;
        until("the message gets older", &|| lag().is_some_and(|lag| lag > 0.5)).await;
        assert_eq!(last(), None, "nothing is finished");
        stack.register(false).await;
        running.wait_for(PRODUCED, 1).await;
        until("nothing waits any more", &|| lag() == Some(0.0)).await;
        let age = now() - last().unwrap();
        assert!((0.0..60.0).contains(&age), "the newest message is {age} s old");
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_carried_is_kept_with_its_origin() {
    let stack = Stack::start(1).await;
    stack.register(false).await;
    let bad = [
        (
            b"Mock_telemetry Mock_state:( 'rev' , 1.0 , oops".to_vec(),
            "parse",
        ),
        (b"not SAL at all".to_vec(), "parse"),
        (b"Mock_telemetry Mock_unheardOf:( 'rev' , 1.0)".to_vec(), "schema"),
        (
            [b"Mock_state:( 'rev' , ", &b"\x1b[2J\n\xff"[..]]
                .concat()
                .repeat(4_000),
            "parse",
        ),
        ("Mock_\u{202e}\u{9b}31m".repeat(7_000).into_bytes(), "parse"),
    ];
    stack.produce(bad.iter().map(|(bytes, _)| bytes.clone()));
    stack.produce_tombstone();
    stack.produce([Vec::new(), message(7, None)]);
    let mut args = stack.args();
    args.unknown_schema_grace = Duration::from_millis(200);
    let running = stack.run(args);
    let records = stack.records(1).await;
    assert_eq!(records[0].1["sal_sequence"], 7, "the good one passes");
    let letters = stack.read(DEAD, bad.len());
    for (offset, (letter, (bytes, stage))) in letters.iter().zip(&bad).enumerate() {
        assert_eq!(letter.payload().unwrap(), bytes, "the original bytes");
        assert_eq!(header(letter, "stage"), *stage);
        assert_eq!(
            (
                header(letter, "topic"),
                header(letter, "partition"),
                header(letter, "offset")
            ),
            (INPUT.to_owned(), "0".to_owned(), offset.to_string())
        );
        assert_eq!(header(letter, "group"), GROUP);
        let detail = header(letter, "detail");
        assert!(!header(letter, "reason").is_empty() && !detail.is_empty());
        assert!(detail.len() < 1_000, "{} bytes of detail", detail.len());
        assert!(
            !detail.contains(|c: char| c.is_control() || c == '\u{202e}'),
            "{detail:?}"
        );
        assert!(header(letter, "timestamp").parse::<i64>().unwrap() > 1_500_000_000_000);
    }
    running.wait_for("saltransform_skipped_total", 2).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_whose_name_is_not_text_is_kept_and_ends_nothing() {
    let stack = Stack::start(1).await;
    stack.register(false).await;
    let own: [(&[u8], &[u8]); 2] = [(b"\xff\xfe", b"\x00\x80"), (b"name", b"value")];
    for (value, headers) in [(&b"not SAL"[..], &own[..]), (b"not SAL either", &own[1..])] {
        let batch = Batch::new().record(value, headers);
        batch.send(stack.broker.bootstrap_servers(), INPUT, 0).unwrap();
    }
    stack.produce([message(7, None)]);
    let running = stack.run(stack.args());
    assert_eq!(stack.records(1).await[0].1["sal_sequence"], 7);
    let letters = stack.read(DEAD, 2);
    running.stop().await;
    assert_eq!(letters[0].payload().unwrap(), b"not SAL");
    // Names that are not text cannot be given another name, so that all stay as they are, ours behind them.
    assert_eq!(letters[0].headers().unwrap().count(), 2 + 8);
    assert_eq!(letters[0].headers().unwrap().get(1).value, Some(&b"value"[..]));
    assert_eq!(letters[0].headers().unwrap().get(2).key, "topic");
    assert_eq!(header(&letters[1], "original.name"), "value");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unavailable_registry_is_waited_for() {
    let mut stack = Stack::start(1).await;
    stack.register(false).await;
    stack.registry.down().await;
    stack.produce((0..10).map(|n| message(n, None)));
    let running = stack.run(stack.args());
    running.wait_for("saltransform_schema_lookups_total", 1).await;
    assert!(
        running
            .service
            .readiness
            .missing()
            .iter()
            .any(|(part, _)| *part == "registry")
    );
    assert_eq!(
        running.count("saltransform_dead_letters_total"),
        0,
        "transient is not poison"
    );
    stack.registry.up().await.unwrap();
    assert_eq!(stack.records(10).await.len(), 10);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_schema_version_is_picked_up_by_a_message_that_needs_it() {
    let stack = Stack::start(1).await;
    let old = stack.register(false).await;
    let running = stack.run(stack.args());
    stack.produce([message(1, None)]);
    running.wait_for(PRODUCED, 1).await;
    let new = stack.register(true).await;
    // The registry is asked about misfits once a second at most, so that nonsense does not cause a storm of questions: the
    // first ones may be dead letters, the one after that second is carried.
    while running.count(PRODUCED) < 2 {
        let ended = running.count(PRODUCED) + running.count("saltransform_dead_letters_total");
        stack.produce([message(2, Some("it's new"))]);
        running.wait_for("saltransform_consumed_total", ended + 1).await;
    }
    let records = stack.records(2).await;
    running.stop().await;
    assert_eq!((records[0].0, records[1].0), (old, new));
    assert_eq!(records[1].1["note"], "it's new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_schema_version_is_picked_up_in_the_background() {
    let stack = Stack::start(1).await;
    stack.register(false).await;
    let mut args = stack.args();
    args.schema_refresh = Duration::from_millis(20);
    let running = stack.run(args);
    stack.produce([message(1, None)]);
    running.wait_for(PRODUCED, 1).await;
    let new = stack.register(true).await;
    running
        .wait_for_label("saltransform_schema_lookups_total", "new", 2)
        .await;
    stack.produce([message(2, Some("first try"))]);
    assert_eq!(stack.records(2).await[1].0, new);
    assert_eq!(running.count("saltransform_dead_letters_total"), 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewind_reads_everything_again() {
    let stack = Stack::start(2).await;
    stack.register(false).await;
    stack.produce((0..20).map(|n| message(n, None)));
    let first = stack.run(stack.args());
    first.wait_for(PRODUCED, 20).await;
    first.stop().await;
    let mut args = stack.args();
    args.rewind_to_start = true;
    let second = stack.run(args);
    second.wait_for(PRODUCED, 20).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_topic_that_refuses_is_waited_for() {
    use rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED as DENIED;
    let stack = Stack::start(1).await;
    stack.register(false).await;
    stack.produce([message(1, None)]);
    stack
        .broker
        .fail_next(rdkafka::types::RDKafkaApiKey::Produce, &[DENIED])
        .unwrap();
    let running = stack.run(stack.args());
    assert_eq!(stack.records(1).await.len(), 1, "it is tried again");
    running.stop().await;
}
