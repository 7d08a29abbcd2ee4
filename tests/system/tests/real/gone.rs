//! A record topic is deleted under load on the real Kafka: `/ready` names it, nothing is lost, and waiting
//! messages are sent once the topic is recreated.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::{Services, kafka, mock_state, stages, unique, until};

const PRODUCED: &str = "saltransform_produced_total";

#[test]
fn a_deleted_record_topic_is_named_and_waited_for() {
    delete_under_load(&[]);
}

#[test]
fn with_exactly_once_too() {
    delete_under_load(&["--exactly-once"]);
}

fn delete_under_load(flags: &[&str]) {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let runtime = crate::runtime();
    let _inside = runtime.enter();
    let name = unique("gone");
    let (input, output) = (format!("{name}.in"), format!("lsst.{name}.Mock_state"));
    runtime.block_on(async {
        mock_state::prepare(&services, &output, 1).await;
        kafka::create_topics(&services, std::slice::from_ref(&input), 1).await;
    });
    let run = [
        "--topic",
        &input,
        "--subname",
        &name,
        "--auto-offset-reset",
        "earliest",
    ];
    let stage = stages::saltransform(&services, &[&run[..], flags].concat());

    let mut sent = 0;
    let mut send = |count: usize| {
        let text = |n| mock_state::text(n, 1_760_000_000_000, "").into_bytes();
        let messages: Vec<_> = (sent..sent + count).map(|n| (input.clone(), text(n))).collect();
        kafka::produce(&services, &messages);
        sent += count;
        sent as u64
    };
    let all = send(100);
    let produced = |wanted: u64| {
        until("all records are produced", 120, || {
            (stage.count(PRODUCED) == wanted)
                .then_some(())
                .ok_or_else(|| stage.state())
        });
    };
    produced(all);

    runtime.block_on(async {
        let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
            .set("bootstrap.servers", services.get("BROKER"))
            .create()
            .unwrap();
        let deleted = admin
            .delete_topics(&[&output], &AdminOptions::new())
            .await
            .unwrap();
        deleted[0].as_ref().unwrap();
    });
    let all = send(100);
    until("/ready names the topic", 20, || {
        let state = stage.state();
        (state.contains("does not exist") && state.contains(&output))
            .then_some(())
            .ok_or(state)
    });
    std::thread::sleep(Duration::from_secs(2));
    runtime.block_on(kafka::create_topics(&services, std::slice::from_ref(&output), 1));
    produced(all);
    // The new topic has exactly what was sent after the deletion.
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", services.get("BROKER"))
        .create()
        .unwrap();
    let (low, high) = consumer
        .fetch_watermarks(&output, 0, Duration::from_secs(30))
        .unwrap();
    assert!(high - low >= 100, "{low} to {high}");
    assert_eq!(stage.count("saltransform_dead_letters_total"), 0);
    stage.stop();
}
