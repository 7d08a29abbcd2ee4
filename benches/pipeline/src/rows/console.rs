//! `console-page` and `console-rss`: the pages of `kafkaefd console` with an observatory's 3,348 topics, each of which holds
//! a message that a group has read, and with 50,000 dead letters. How long each page takes when it has been asked for
//! before, and how much memory the process needs once it has answered all of them.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;

use super::topics::init;
use crate::bench::Bench;
use crate::failure::{Doing, Failure, Outcome};
use crate::flow::median;
use crate::kafka::flush;
use crate::process::{Process, free_port};
use crate::report::{Ratio, Section, Target};
use crate::schemas;
use crate::template::Topic;
use crate::usage::memory;

const MIB: f64 = 1024.0 * 1024.0;
const GROUP: &str = "bench-console";
const DEAD_LETTERS: &str = "bench-console.dead-letter";
/// How often each page is loaded; the first time does not count.
const LOADS: usize = 12;

pub(super) async fn measure(bench: &Bench) -> Outcome<Section> {
    let mut topics = schemas::observatory()?;
    if bench.args.quick {
        topics = topics.into_iter().step_by(10).collect();
    }
    println!("console: {} topics", topics.len());
    init(bench, &topics).await?;
    fill(bench, &topics).await?;
    let (console, address) = start(bench).await?;
    let mut rows = Vec::new();
    for (name, path) in pages(&topics)? {
        let times = load(bench, &format!("{address}{path}")).await?;
        let (usual, most) = (
            median(times.iter().copied()),
            times.iter().copied().fold(0.0, f64::max),
        );
        println!("  {name}: {:.0} ms, at most {:.0} ms", usual * 1e3, most * 1e3);
        rows.push((name, usual, most));
    }
    let now = memory(console.pid())?;
    let (resident, peak) = (now.resident as f64 / MIB, now.peak as f64 / MIB);
    println!("  {resident:.0} MiB, at most {peak:.0} MiB");
    console.stop().await?;
    let mut text = String::from("| page | median | slowest |\n|---|--:|--:|\n");
    for (name, usual, most) in &rows {
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {name} | {:.0} ms | {:.0} ms |", usual * 1e3, most * 1e3);
    }
    let _ = writeln!(
        text,
        "\nMemory after all of them: {resident:.0} MiB, at most {peak:.0} MiB."
    );
    let slowest = rows.iter().map(|(_, usual, _)| *usual).fold(0.0, f64::max);
    let row = |row, value, most| Ratio {
        row,
        value,
        target: Target::Most(most),
    };
    Ok(Section {
        name: "console",
        text,
        ratios: vec![row("console-page", slowest, 0.3), row("console-rss", peak, 64.0)],
        json: json!({"topics": topics.len(), "pages": rows, "resident_mib": resident, "peak_mib": peak}),
    })
}

/// A message in each topic, a group that has read them, and dead letters.
async fn fill(bench: &Bench, topics: &[Topic]) -> Outcome<()> {
    let producer = bench.kafka.producer()?;
    let mut read = TopicPartitionList::new();
    for topic in topics {
        // The topics of events are compacted, so that each message has a key.
        let record = BaseRecord::to(&topic.kafka_topic).key("key").partition(0);
        produce(&producer, record.payload("a message that cannot be decoded")).await;
        let place = read.add_partition_offset(&topic.kafka_topic, 0, Offset::Offset(1));
        place.doing("list partitions")?;
    }
    bench.kafka.create(DEAD_LETTERS, 1).await?;
    for number in 0..bench.size(5_000, 50_000) {
        let origin = (number % topics.len()).to_string();
        let headers = [
            ("stage", "parse"),
            ("reason", "bad_header"),
            ("partition", "0"),
            ("offset", &origin),
        ]
        .into_iter()
        .fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header {
                key,
                value: Some(value),
            })
        });
        let topic = topics
            .get(number % topics.len())
            .map_or("", |topic| &topic.kafka_topic);
        let headers = headers.insert(Header {
            key: "topic",
            value: Some(topic),
        });
        let letter = BaseRecord::to(DEAD_LETTERS).key("key").headers(headers);
        produce(&producer, letter.payload("a message that cannot be parsed")).await;
    }
    flush(&producer)?;
    let member = bench.kafka.member_of(GROUP)?;
    tokio::task::block_in_place(|| member.commit(&read, CommitMode::Sync)).doing("commit offsets")
}

/// The queue is full now and then.
async fn produce(producer: &ThreadedProducer<DefaultProducerContext>, mut record: BaseRecord<'_, str, str>) {
    while let Err((_, back)) = producer.send(record) {
        record = back;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn start(bench: &Bench) -> Outcome<(Process, String)> {
    let (port, metrics) = (free_port()?, free_port()?);
    let arguments = [
        "console".to_owned(),
        "--port".to_owned(),
        port.to_string(),
        "--prometheus-port".to_owned(),
        metrics.to_string(),
    ];
    let mut console = bench.start("kafkaefd", &bench.beside("kafkaefd"), &arguments, metrics)?;
    let address = format!("http://127.0.0.1:{port}/");
    while bench.http.get(&address).send().await.is_err() {
        console.check()?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The catalogue of all fields is read in the background.
    let search = format!("{address}telemetry?q=x");
    let begun = Instant::now();
    let all = format!("in {} topics", separated(schemas::observatory()?.len()));
    while !text(bench, &search).await?.contains(&all) {
        console.check()?;
        if bench.args.quick || begun.elapsed() > Duration::from_secs(120) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok((console, address))
}

/// Each page once: its name and its address.
fn pages(topics: &[Topic]) -> Outcome<Vec<(&'static str, String)>> {
    let Some(topic) = topics.get(topics.len() / 2) else {
        return Err(Failure::Unexpected("no topics".to_owned()));
    };
    let (name, subject) = (&topic.kafka_topic, &topic.subject);
    Ok(vec![
        ("Overview", String::new()),
        ("Telemetry, a search", "telemetry?q=position".to_owned()),
        ("Topics", "topics".to_owned()),
        ("Topics, a search", "topics?q=summary".to_owned()),
        ("a topic", format!("topic?name={name}")),
        ("its messages", format!("messages?topic={name}")),
        ("Groups", "groups".to_owned()),
        ("a group of all topics", format!("group?name={GROUP}")),
        ("Schemas", "schemas".to_owned()),
        ("a schema", format!("schema?subject={subject}")),
        ("Dead letters", "dead-letters".to_owned()),
    ])
}

/// How long each load of a page takes but the first, in seconds.
async fn load(bench: &Bench, address: &str) -> Outcome<Vec<f64>> {
    let mut times = Vec::new();
    for _ in 0..LOADS {
        let begun = Instant::now();
        text(bench, address).await?;
        times.push(begun.elapsed().as_secs_f64());
    }
    times.remove(0);
    Ok(times)
}

async fn text(bench: &Bench, address: &str) -> Outcome<String> {
    let answer = bench
        .http
        .get(address)
        .send()
        .await
        .doing(format!("get {address}"))?;
    let answer = answer.error_for_status().doing(format!("get {address}"))?;
    answer.text().await.doing(format!("get {address}"))
}

/// As the pages write numbers.
fn separated(number: usize) -> String {
    match number {
        0..1_000 => number.to_string(),
        _ => format!("{},{:03}", number / 1_000, number % 1_000),
    }
}
