//! Values of a field where there is no database: they are those of the messages in Kafka, to the digit, with their times.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod served;

use std::collections::HashMap;
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use console::Settings;
use devstack::{Broker, RegistryServer};
use operator::telemetry::{Database, DatabaseAddress, MAX_BYTES, NamedDatabase};
use rdkafka::ClientConfig;
use rdkafka::producer::BaseRecord;
use reqwest::Client;
use serde_json::json;
use stage::config::RegistryArgs;
use stage::registry::Registry;
use testkit::KafkaProxy;
use tokio::net::TcpListener;

use served::{Served, settings};

const TOPIC: &str = "lsst.sal.Test_scalars";
/// 2026-11-30T08:00:00Z, in milliseconds.
const START: i64 = 1_796_025_600_000;
const VALUES: [f64; 5] = [1.5, -0.1, 20.25, 1e-7, 3.0];
const STATES: [(u8, &str); 5] = [
    (0, "OFFLINE"),
    (1, "ENABLED"),
    (1, "ENABLED"),
    (1, "ENABLED"),
    (0, "OFFLINE"),
];

/// A record in Confluent's frame.
fn record(id: u32, number: usize) -> Vec<u8> {
    let (x, (state, _)) = (VALUES[number], STATES[number]);
    // Zigzag: twice the number. An array of two has a block of two, and a block of none.
    let items = [4, 2 * number as u8, 2 * (number as u8 + 10), 0];
    let parts: [&[u8]; 5] = [&[0], &id.to_be_bytes(), &x.to_le_bytes(), &items, &[2 * state]];
    parts.concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_has_the_values_of_the_messages() {
    let (broker, registry) = (Broker::start().unwrap(), RegistryServer::start().await.unwrap());
    broker.create_topic(TOPIC, 1).unwrap();
    let schema = json!({
        "type": "record", "name": "Test_scalars", "namespace": "lsst.sal",
        "fields": [
            {"name": "x", "type": "double", "sal_units": "deg"},
            {"name": "items", "type": {"type": "array", "items": "int"}},
            {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["OFFLINE", "ENABLED"]}},
        ],
    });
    let client = Registry::new(&RegistryArgs::at(registry.url())).unwrap();
    let subject = format!("{TOPIC}-value");
    let id = client.register(&subject, &schema.to_string()).await.unwrap();
    let producer =
        testkit::producer(ClientConfig::new().set("bootstrap.servers", broker.bootstrap_servers()));
    let send = |at: i64, value: &[u8]| {
        let message = BaseRecord::<(), [u8]>::to(TOPIC)
            .payload(value)
            .partition(0)
            .timestamp(at);
        producer.send(message).map_err(|(error, _)| error).unwrap();
    };
    for number in 0..VALUES.len() {
        send(START + 250 * number as i64, &record(id, number));
    }
    // Neither what cannot be decoded nor what is of another time has a value.
    send(START + 400, b"no record");
    send(START + 3_600_000, &record(id, 0));
    testkit::deliver(&producer);

    let served = Served::start(settings(broker.bootstrap_servers(), &registry), Client::new()).await;
    let fields = ["x", "items1", "state"]
        .map(|field| format!("&f={TOPIC}:{field}"))
        .concat();
    let path = format!("telemetry.csv?from=2026-11-30T08:00:00Z&to=2026-11-30T08:01:00Z{fields}");
    // Units and the names of enumerations are known once the schemas have been read.
    let csv = async {
        loop {
            let csv = served.text(&path).await;
            if csv.contains("ENABLED") {
                break csv;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let csv = match tokio::time::timeout(Duration::from_secs(30), csv).await {
        Ok(csv) => csv,
        Err(_) => panic!("{}", served.text(&path).await),
    };
    let times = ["00", "00.25", "00.5", "00.75", "01"].map(|seconds| format!("2026-11-30T08:00:{seconds}Z"));
    let mut expected = vec!["time,topic,field,unit,value,least,most".to_owned()];
    for (time, x) in times.iter().zip(VALUES) {
        expected.push(format!("{time},{TOPIC},x,deg,{x},{x},{x}"));
    }
    for (number, time) in times.iter().enumerate() {
        let item = number + 10;
        expected.push(format!("{time},{TOPIC},items1,,{item},{item},{item}"));
    }
    // An enumeration has a value where it changes: of those that are the same, the first and the last.
    for (number, (time, (_, state))) in times.iter().zip(STATES).enumerate() {
        if number != 2 {
            expected.push(format!("{time},{TOPIC},state,,{state},,"));
        }
    }
    assert_eq!(csv.lines().collect::<Vec<_>>(), expected);
}

/// Sends JSON to each of the partitions in turn, a message a second.
fn send_json(broker: &Broker, partitions: i32, count: usize, pad: usize) {
    broker.create_topic(TOPIC, partitions).unwrap();
    let producer =
        testkit::producer(ClientConfig::new().set("bootstrap.servers", broker.bootstrap_servers()));
    for (number, partition) in (0..count).zip((0..partitions).cycle()) {
        let value =
            json!({"x": number, "y": 2 * number, "z": 3 * number, "pad": " ".repeat(pad)}).to_string();
        let message = BaseRecord::<(), str>::to(TOPIC)
            .payload(&value)
            .partition(partition)
            .timestamp(START + 1_000 * number as i64);
        producer.send(message).map_err(|(error, _)| error).unwrap();
    }
    testkit::deliver(&producer);
}

/// The address of fields of the topic over a minute.
fn minute(page: &str, fields: &[&str]) -> String {
    let fields: String = fields.iter().map(|field| format!("&f={TOPIC}:{field}")).collect();
    format!("{page}?from=2026-11-30T08:00:00Z&to=2026-11-30T08:01:00Z{fields}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_read_once_for_all_of_its_fields() {
    let (broker, registry) = (Broker::start().unwrap(), RegistryServer::start().await.unwrap());
    send_json(&broker, 1, 5, 0);
    let proxy = KafkaProxy::start(broker.bootstrap_servers()).unwrap();
    let served = Served::start(settings(proxy.bootstrap_servers(), &registry), Client::new()).await;
    let asked = async |fields: &[&str]| {
        let offsets = || proxy.requests().get("ListOffsets").copied().unwrap_or_default();
        let before = offsets();
        let csv = served.text(&minute("telemetry.csv", fields)).await;
        assert_eq!(csv.lines().count(), 1 + 5 * fields.len(), "{csv}");
        offsets() - before
    };
    // The console also looks at the groups, once.
    let mut seen = Vec::new();
    for _ in 0..5 {
        let (one, all) = (asked(&["x"]).await, asked(&["x", "y", "z"]).await);
        if one == all && one > 0 {
            return;
        }
        seen.push((one, all));
    }
    panic!("requests for one field and for three: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_large_messages_the_newest_are_read_and_the_page_says_so() {
    let (broker, registry) = (Broker::start().unwrap(), RegistryServer::start().await.unwrap());
    // The embedded broker keeps 5 MiB of each partition.
    let pad = 600_000;
    let (fitting, all) = (MAX_BYTES / (pad + 100), 40);
    send_json(&broker, 6, all, pad);
    let served = Served::start(settings(broker.bootstrap_servers(), &registry), Client::new()).await;
    let csv = served.text(&minute("telemetry.csv", &["x"])).await;
    let values: Vec<usize> = csv
        .lines()
        .skip(1)
        .map(|row| row.split(',').nth(4).unwrap().parse().unwrap())
        .collect();
    assert_eq!(values, (all - fitting..all).collect::<Vec<_>>());
    let name = served.get(&minute("telemetry.csv", &["x"])).await;
    assert_eq!(
        name.headers()["content-disposition"],
        "attachment; filename=\"telemetry-newest.csv\""
    );
    let page = served.text(&minute("telemetry", &["x"])).await;
    assert!(page.contains("(newest messages of 40)"), "{page}");
}

/// What an InfluxDB 1 answers that holds 60,000 values of each field, of which it shows one.
async fn influxdb(Query(asked): Query<HashMap<String, String>>) -> String {
    let row = match asked["q"].as_str() {
        count if count.contains("count(") => json!([0, 60_000]),
        means if means.contains("mean(") => json!([START * 1_000, 2.5, 1, 4]),
        _ => json!([START * 1_000, 1.5]),
    };
    json!({"results": [{"series": [{"values": [row]}]}]}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_has_room_for_so_many_rows_and_is_named_after_what_they_are() {
    let (broker, registry) = (Broker::start().unwrap(), RegistryServer::start().await.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, Router::new().route("/query", get(influxdb))).await });
    let address = DatabaseAddress::InfluxdbV1(NamedDatabase {
        url: url.parse().unwrap(),
        database: "efd".to_owned(),
        login: None,
    });
    let settings = Settings {
        database: Some(Database::new(address, None).unwrap()),
        ..settings(broker.bootstrap_servers(), &registry)
    };
    let served = Served::start(settings, Client::new()).await;
    let file = async |fields: &[&str]| {
        let answer = served.get(&minute("telemetry.csv", fields)).await;
        let name = answer.headers()["content-disposition"]
            .to_str()
            .unwrap()
            .to_owned();
        (name, answer.text().await.unwrap())
    };
    let says_so = async |fields: &[&str]| {
        let page = served.text(&minute("telemetry", fields)).await;
        page.contains("The CSV has means")
    };

    let (name, csv) = file(&["a", "b", "c"]).await;
    assert_eq!(name, "attachment; filename=\"telemetry.csv\"");
    assert_eq!(
        csv.lines().nth(1),
        Some("2026-11-30T08:00:00Z,lsst.sal.Test_scalars,a,,1.5,1.5,1.5")
    );
    assert!(!says_so(&["a", "b", "c"]).await);

    // Four times 60,000 values are too many for one file.
    let (name, csv) = file(&["a", "b", "c", "d"]).await;
    assert_eq!(name, "attachment; filename=\"telemetry-means.csv\"");
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("time,topic,field,unit,value,least,most"));
    assert_eq!(
        lines.next(),
        Some("2026-11-30T08:00:00Z,lsst.sal.Test_scalars,a,,2.5,1,4")
    );
    assert!(says_so(&["a", "b", "c", "d"]).await);
}
