//! `kafkaefd top`: one sample and one frame, including stages that are unavailable.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use saltransform::metrics::TransformMetrics;
use serde_json::Value as Json;
use stage::config::ServiceArgs;
use stage::service::Service;

use super::kafkaefd;
use crate::real::{Services, kafka, unique};
use crate::runtime;

#[test]
fn a_sample_holds_stages_and_groups() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let (topic, group) = (unique("top"), unique("topgroup"));
    let runtime = runtime();
    // A stage's own port, with increasing counts.
    let service = runtime.block_on(async {
        kafka::create_topics(&services, std::slice::from_ref(&topic), 1).await;
        Service::start(&ServiceArgs::default()).await.unwrap()
    });
    let address = service.address.unwrap().to_string();
    let metrics = TransformMetrics::register(&service.metrics).unwrap();
    metrics.dead_letters.with_label_values(&["encode", "x"]).inc_by(3);
    runtime.spawn(async move {
        loop {
            metrics.consumed.inc_by(10);
            metrics.produced.inc_by(5);
            metrics.transform_seconds.observe(0.000_01);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    // A group that has read 1 of 4.
    let messages: Vec<_> = (0..4).map(|_| (topic.clone(), b"x".to_vec())).collect();
    kafka::produce(&services, &messages);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", services.get("BROKER"))
        .set("group.id", &group)
        .create()
        .unwrap();
    let mut committed = TopicPartitionList::new();
    committed
        .add_partition_offset(&topic, 0, Offset::Offset(1))
        .unwrap();
    consumer.commit(&committed, CommitMode::Sync).unwrap();

    let look = |flags: &[&str]| {
        let common = [
            "top",
            "--interval",
            "1",
            "--filter",
            &group,
            "--metrics",
            &address,
        ];
        kafkaefd(&services, &[&common, flags].concat())
    };
    let ran = look(&["--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let sample: Json = serde_json::from_str(&ran.stdout).unwrap();
    let stage = &sample["stages"][0];
    assert_eq!(stage["stage"], "saltransform", "{sample}");
    assert_eq!(stage["dead_letters"], 3.0);
    let [input, output] = ["in_per_second", "out_per_second"].map(|name| stage[name].as_f64().unwrap());
    assert!(output > 0.0 && (input / output - 2.0).abs() < 0.01, "{sample}");
    assert!(stage["work_p99"].as_f64().unwrap() < 0.000_1, "{sample}");
    let row = &sample["kafka"]["groups"][0];
    assert_eq!(
        (&row["group"], &row["lag"]),
        (&group.as_str().into(), &3.into()),
        "{sample}"
    );
    assert_eq!(row["partitions"][0]["committed"], 1);

    let ran = look(&["--once", "--metrics", "127.0.0.1:1"]);
    assert_eq!(ran.code, 1, "one stage is unavailable: {ran:?}");
    for part in ["saltransform", "unreachable: ", &group, &topic] {
        assert!(ran.stdout.contains(part), "{part} is not in {ran:?}");
    }
    let ran = look(&["--once", "--broker", "127.0.0.1:1"]);
    assert!(
        ran.code == 1 && ran.stdout.contains("cannot be reached"),
        "{ran:?}"
    );
    let ran = look(&[]);
    assert!(
        ran.code == 64 && ran.stderr.contains("this is not a terminal"),
        "{ran:?}"
    );
}
