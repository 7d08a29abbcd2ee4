//! `flat-…`: what a send, and a message in each stage, costs with an observatory's 3,348 topics in use, compared with one
//! topic: the same messages at the same rate, through both stages into an endpoint that discards them.

mod sends;

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::endpoint::Endpoint;
use crate::failure::Outcome;
use crate::flow::{cpu_of, median, since};
use crate::metrics::Metrics;
use crate::report::{Ratio, Section, Target, number};
use crate::schemas;
use crate::sender::{Line, Sender};

/// The topics of an observatory.
const MANY: usize = 3_348;
/// Messages per second, whatever the number of topics.
const RATE: f64 = 3_000.0;
/// Both stages have joined their groups within this time.
const JOIN_DURATION: Duration = Duration::from_secs(8);

/// The topics of one component, registered and created.
struct Topics {
    what: &'static str,
    component: String,
    count: usize,
}

/// What a message cost in one run, in microseconds of CPU.
struct Cost {
    what: &'static str,
    messages_s: f64,
    transform: f64,
    sink: f64,
    broker: f64,
}

pub(super) async fn measure(bench: &Bench) -> Outcome<Section> {
    let sends = [sends::micros(1)?, sends::micros(MANY)?];
    println!(
        "flat: a send takes {:.2} µs with one topic, {:.2} with {MANY}",
        sends[0], sends[1]
    );
    let all = [
        Topics::create(bench, "one topic", "FlatOne", 1).await?,
        Topics::create(bench, "many topics", "FlatMany", bench.size(300, MANY)).await?,
    ];
    let mut costs = Vec::new();
    for _ in 0..bench.size(1, 3) {
        for topics in &all {
            let cost = run(bench, topics).await?;
            println!(
                "  {:<12} {:>6.0}/s   saltransform {:>6.2} µs   influxsink {:>6.2} µs   broker {:>6.2} µs",
                cost.what, cost.messages_s, cost.transform, cost.sink, cost.broker
            );
            costs.push(cost);
        }
    }
    Ok(section(sends, &all, &costs))
}

impl Topics {
    async fn create(bench: &Bench, what: &'static str, component: &str, count: usize) -> Outcome<Self> {
        let topics = Self {
            what,
            component: bench.fresh(component).replace('-', ""),
            count,
        };
        println!("flat: {count} topics of {}", topics.component);
        for topic in schemas::azimuths(&topics.component, count)? {
            bench.prepare(&topic, 1).await?;
        }
        Ok(topics)
    }
}

async fn run(bench: &Bench, topics: &Topics) -> Outcome<Cost> {
    let input = bench.fresh("flat-input");
    bench.kafka.create(&input, 1).await?;
    let mut lines = Vec::new();
    for topic in schemas::azimuths(&topics.component, topics.count)? {
        lines.push(Line {
            templates: topic.templates(1)?,
            topic,
            input: input.clone(),
        });
    }
    let bytes = lines.first().map_or(0.0, |line| line.templates.mean_bytes());
    let endpoint = Endpoint::discarding(&bench.http).await?;
    let group = bench.fresh("flat");
    let regex = format!(r"^lsst\.sal\.{}\.", topics.component);
    let transform = bench.transform(&input, &group, &["--dialect", "ts_xml"])?;
    let sink = bench.stage(
        "influxsink",
        &[
            "run",
            "--topic-regex",
            &regex,
            "--group",
            &group,
            "--into",
            &endpoint.url(),
        ],
    )?;
    tokio::time::sleep(JOIN_DURATION).await;
    let sender = Sender::start(bench.kafka.producer()?, lines, RATE * bytes);
    // Each topic has had its schema, its connection and a few messages.
    tokio::time::sleep(Duration::from_secs(bench.size(4, 12))).await;
    let watched = [
        ("saltransform", transform.pid()),
        ("influxsink", sink.pid()),
        ("kafka", bench.services.pid("kafka")?),
    ];
    let before = (
        cpu_of(&watched)?,
        Metrics::of(bench, &transform)
            .await?
            .get("saltransform_produced_total"),
        Metrics::of(bench, &sink).await?.get("influxsink_written_total"),
    );
    let span = Duration::from_secs(bench.size(8, 25));
    tokio::time::sleep(span).await;
    let used = since(&before.0, cpu_of(&watched)?);
    let produced = Metrics::of(bench, &transform)
        .await?
        .get("saltransform_produced_total")
        - before.1;
    let written = Metrics::of(bench, &sink).await?.get("influxsink_written_total") - before.2;
    sender.stop()?;
    transform.stop().await?;
    sink.stop().await?;
    let micros =
        |name: &str, messages: f64| 1e6 * used.get(name).copied().unwrap_or_default() / messages.max(1.0);
    Ok(Cost {
        what: topics.what,
        messages_s: produced / span.as_secs_f64(),
        transform: micros("saltransform", produced),
        sink: micros("influxsink", written),
        broker: micros("kafka", produced),
    })
}

fn section(sends: [f64; 2], all: &[Topics; 2], costs: &[Cost]) -> Section {
    let mut text = String::from(
        "| topics in use | a send alone, µs | messages/s | saltransform, CPU µs a message | influxsink | broker |\n|---|--:|--:|--:|--:|--:|\n",
    );
    let of =
        |what: &str, get: fn(&Cost) -> f64| median(costs.iter().filter(|cost| cost.what == what).map(get));
    for (topics, send) in all.iter().zip(sends) {
        let [rate, transform, sink, broker] = [
            of(topics.what, |cost| cost.messages_s),
            of(topics.what, |cost| cost.transform),
            of(topics.what, |cost| cost.sink),
            of(topics.what, |cost| cost.broker),
        ];
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {} | {} | {rate:.0} | {} | {} | {} |",
            topics.count,
            number(send),
            number(transform),
            number(sink),
            number(broker),
        );
    }
    let [one, many] = [all[0].what, all[1].what];
    let ratio = |get: fn(&Cost) -> f64| of(many, get) / of(one, get);
    let row = |row, value| Ratio {
        row,
        value,
        target: Target::Most(1.3),
    };
    Section {
        name: "flat",
        text,
        ratios: vec![
            row("flat-send", sends[1] / sends[0]),
            row("flat-transform", ratio(|cost| cost.transform)),
            row("flat-sink", ratio(|cost| cost.sink)),
        ],
        json: costs.iter().map(Cost::json).collect(),
    }
}

impl Cost {
    fn json(&self) -> Value {
        json!({"topics": self.what, "messages_s": self.messages_s, "saltransform_us": self.transform,
            "influxsink_us": self.sink, "broker_us": self.broker})
    }
}
