//! A registry that lags, holds versions that cannot be used, or has lost its data: nothing becomes a dead letter, and no
//! record is written under an id that means another schema.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::PRODUCED;
use crate::stack::{Running, Stack, message, schema};

const LETTERS: &str = "saltransform_dead_letters_total";
const CONSUMED: &str = "saltransform_consumed_total";
const LOOKUPS: &str = "saltransform_schema_lookups_total";

/// Sends the message until so many were carried: those before may be dead letters.
async fn send_until_produced(stack: &Stack, running: &Running, text: Vec<u8>, count: u64) {
    let start = Instant::now();
    while running.count(PRODUCED) < count {
        assert!(start.elapsed() < Duration::from_secs(60), "all are dead letters");
        let ended = running.count(PRODUCED) + running.count(LETTERS);
        stack.produce([text.clone()]);
        running.wait_for(CONSUMED, ended + 1).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subject_that_the_registry_lacks_for_a_moment_makes_no_dead_letters() {
    let stack = Stack::start(1).await;
    stack.register(false).await;
    stack.registry.set_lagging(true);
    stack.produce((0..20).map(|n| message(n, None)));
    let running = stack.run(stack.args());
    let why = running.wait_until_missing("registry", "Mock_state").await;
    assert!(why.contains("knows no subject"), "{why}");
    assert_eq!(running.count(LETTERS), 0);
    stack.registry.set_lagging(false);
    assert_eq!(stack.records(20).await.len(), 20);
    running.wait_until_ready().await;
    assert_eq!(running.count(LETTERS), 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_whose_schema_was_known_goes_on_while_the_registry_lacks_it() {
    let stack = Stack::start(1).await;
    stack.register(false).await;
    let mut args = stack.args();
    args.schema_refresh = Duration::from_millis(20);
    let running = stack.run(args);
    stack.produce([message(0, None)]);
    running.wait_for(PRODUCED, 1).await;
    stack.registry.set_lagging(true);
    running.wait_for_label(LOOKUPS, "missing", 3).await;
    stack.produce((1..10).map(|n| message(n, None)));
    running.wait_for(PRODUCED, 10).await;
    assert_eq!(running.count(LETTERS), 0);
    running.stop().await;
}

/// SAL has no text for a map.
fn unusable() -> String {
    let mut schema: serde_json::Value = serde_json::from_str(&schema(false)).unwrap();
    let map = json!({"name": "extra", "type": {"type": "map", "values": "int"}, "default": {}});
    schema["fields"].as_array_mut().unwrap().push(map);
    schema.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_starts_late_uses_the_newest_usable_version() {
    let stack = Stack::start(1).await;
    let usable = stack.register(false).await;
    stack.register_text(&unusable()).await;
    let running = stack.run(stack.args());
    stack.produce((0..5).map(|n| message(n, None)));
    running.wait_for(CONSUMED, 5).await;
    let records = stack.records(5).await;
    assert!(records.iter().all(|(id, _)| *id == usable));
    assert_eq!(running.count(LETTERS), 0);
    running.wait_for_label(LOOKUPS, "unusable", 1).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_missed_a_version_uses_the_same_as_one_that_starts_late() {
    let stack = Stack::start(1).await;
    stack.register(false).await;
    let running = stack.run(stack.args());
    stack.produce([message(0, None)]);
    running.wait_for(PRODUCED, 1).await;
    let newest_usable = stack.register(true).await;
    stack.register_text(&unusable()).await;
    // The registry is asked about misfits once a second at most: the first ones may be dead letters.
    send_until_produced(&stack, &running, message(1, Some("new")), 2).await;
    assert_eq!(stack.records(2).await[1].0, newest_usable);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repaired_schema_is_used_where_there_was_none_that_could_be() {
    let stack = Stack::start(1).await;
    stack.register_text(&unusable()).await;
    let running = stack.run(stack.args());
    stack.produce([message(0, None)]);
    running.wait_for(LETTERS, 1).await;
    let repaired = stack.register(false).await;
    send_until_produced(&stack, &running, message(1, None), 1).await;
    assert_eq!(stack.records(1).await[0].0, repaired);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_is_given_to_another_schema_holds_its_topic_until_it_means_the_same_again() {
    let stack = Stack::start(1).await;
    let id = stack.register(false).await;
    let mut args = stack.args();
    args.schema_refresh = Duration::from_millis(20);
    let running = stack.run(args);
    stack.produce([message(0, None)]);
    running.wait_for(PRODUCED, 1).await;
    let backup = stack.registry.lose_data();
    let other = r#"{"type":"record","name":"Other","fields":[{"name":"a","type":"int"}]}"#;
    assert_eq!(stack.register_under("other-value", other).await, id);
    let why = running.wait_until_missing("registry", "Mock_state").await;
    assert!(why.contains(&format!("schema id {id}")), "{why}");
    stack.produce((1..10).map(|n| message(n, None)));
    running.wait_for(CONSUMED, 2).await;
    // Longer than the topic's next look at the registry.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!((running.count(PRODUCED), running.count(LETTERS)), (1, 0));
    stack.registry.restore(backup);
    running.wait_for(PRODUCED, 10).await;
    running.wait_until_ready().await;
    assert!(stack.records(10).await.iter().all(|(used, _)| *used == id));
    running.stop().await;
}

/// The newest version is read before the registry is restored, and what the id in use means after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_of_a_registry_that_is_restored_between_two_requests_is_not_used() {
    let stack = Stack::start(1).await;
    let other = r#"{"type":"record","name":"Other","fields":[{"name":"a","type":"int"}]}"#;
    stack.register_under("other-value", other).await;
    let id = stack.register(false).await;
    let mut args = stack.args();
    args.schema_refresh = Duration::from_millis(20);
    let running = stack.run(args);
    stack.produce([message(0, None)]);
    running.wait_for(PRODUCED, 1).await;
    let backup = stack.registry.lose_data();
    assert!(stack.register(false).await < id);
    stack
        .registry
        .restore_when_asked(&format!("/schemas/ids/{id}"), backup);
    // Several looks at the registry, all but the first after that.
    let asked = stack.registry.requests();
    while stack.registry.requests() < asked + 10 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stack.produce([message(1, None)]);
    running.wait_for(PRODUCED, 2).await;
    assert!(stack.records(2).await.iter().all(|(used, _)| *used == id));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_that_begin_again_hold_the_topics_whose_schemas_they_are_given_to() {
    let stack = Stack::start(1).await;
    let other = r#"{"type":"record","name":"Other","fields":[{"name":"a","type":"int"}]}"#;
    stack.register_under("other-value", other).await;
    let id = stack.register(false).await;
    let mut args = stack.args();
    args.schema_refresh = Duration::from_millis(20);
    args.unknown_schema_grace = Duration::from_millis(300);
    let running = stack.run(args);
    stack.produce([message(0, None)]);
    running.wait_for(PRODUCED, 1).await;
    let backup = stack.registry.lose_data();
    let again = stack.register(false).await;
    assert!(again < id, "{again} and {id}");
    running.wait_until_missing("registry", "Mock_state").await;
    stack.produce([message(1, None)]);
    running.wait_for(CONSUMED, 2).await;
    stack.registry.restore(backup);
    running.wait_for(PRODUCED, 2).await;
    assert!(stack.records(2).await.iter().all(|(used, _)| *used == id));
    running.stop().await;
}
