//! `idle-…`: what both stages and their broker cost while nothing is sent to 300 topics, beside the same stages whose
//! fetches return ten times a second; and that the first message after a silence arrives as soon as it did.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::endpoint::Endpoint;
use crate::failure::Outcome;
use crate::flow::{cpu_of, median, since};
use crate::report::{Ratio, Section, Target, number};
use crate::schemas;
use crate::sender::{Line, Sender};

/// Topics of one partition that each stage subscribes to.
const TOPICS: usize = 300;
/// Both stages have joined their groups and read nothing more within this time.
const JOIN_DURATION: Duration = Duration::from_secs(10);
/// Messages per second when the ages are measured: each of them after a silence.
const RATE: f64 = 1.0;

/// The settings that are compared.
const SETTINGS: [(&str, &[&str]); 2] = [
    ("`fetch.wait.max.ms=100`", &["-X", "fetch.wait.max.ms=100"]),
    ("defaults", &[]),
];
const DEFAULTS: &str = SETTINGS[1].0;
const OFTEN: &str = SETTINGS[0].0;

/// The cores that one run used, and the ages of single messages.
struct Used {
    what: &'static str,
    transform: f64,
    sink: f64,
    broker: f64,
    age_p50_ms: f64,
    age_max_ms: f64,
}

pub(super) async fn measure(bench: &Bench) -> Outcome<Section> {
    let component = bench.fresh("Idle").replace('-', "");
    println!("idle: {TOPICS} topics of {component}");
    let mut lines = Vec::new();
    for topic in schemas::azimuths(&component, TOPICS)? {
        bench.prepare(&topic, 1).await?;
        let input = bench.fresh("idle-input");
        bench.kafka.create(&input, 1).await?;
        lines.push((topic, input));
    }
    let span = Duration::from_secs(bench.size(10, 40));
    let alone = alone(bench, span).await?;
    println!("  {:<24} broker {:.3} cores", "no stage", alone);
    let mut all = Vec::new();
    // Each run goes on where the last one ended.
    let group = bench.fresh("idle");
    for _ in 0..bench.size(1, 3) {
        for (what, flags) in SETTINGS {
            let senders = lines.iter().map(|(topic, input)| {
                Ok(Line {
                    templates: topic.templates(1)?,
                    topic: topic.clone(),
                    input: input.clone(),
                })
            });
            let used = run(
                bench,
                what,
                flags,
                (&component, &group),
                senders.collect::<Outcome<_>>()?,
                span,
            )
            .await?;
            println!(
                "  {what:<24} broker {:.3} cores   saltransform {:.3}   influxsink {:.3}   age p50 {:.0} ms, max {:.0} ms",
                used.broker, used.transform, used.sink, used.age_p50_ms, used.age_max_ms
            );
            all.push(used);
        }
    }
    Ok(section(alone, &all))
}

/// The broker's cores without any stage.
async fn alone(bench: &Bench, span: Duration) -> Outcome<f64> {
    let watched = [("kafka", bench.services.pid("kafka")?)];
    let before = cpu_of(&watched)?;
    tokio::time::sleep(span).await;
    let used = since(&before, cpu_of(&watched)?);
    Ok(used.get("kafka").copied().unwrap_or_default() / span.as_secs_f64())
}

async fn run(
    bench: &Bench,
    what: &'static str,
    flags: &[&str],
    (component, group): (&str, &str),
    lines: Vec<Line>,
    span: Duration,
) -> Outcome<Used> {
    let inputs: Vec<&str> = lines.iter().map(|line| line.input.as_str()).collect();
    let upstream = Endpoint::discarding(&bench.http).await?;
    let endpoint = Endpoint::forwarding(&upstream.url(), &bench.http).await?;
    let (regex, url) = (format!(r"^lsst\.sal\.{component}\."), endpoint.url());
    let transform = bench.transform(
        &inputs.join(","),
        group,
        &[&["--dialect", "ts_xml"], flags].concat(),
    )?;
    // Its first message would have to wait, by up to a second, until librdkafka has an id for an idempotent producer.
    let producer = bench.kafka.producer()?;
    let own = ["run", "--topic-regex", &regex, "--group", group, "--into", &url];
    let sink = bench.stage("influxsink", &[&own, flags].concat())?;
    tokio::time::sleep(JOIN_DURATION).await;
    let watched = [
        ("saltransform", transform.pid()),
        ("influxsink", sink.pid()),
        ("kafka", bench.services.pid("kafka")?),
    ];
    let before = cpu_of(&watched)?;
    tokio::time::sleep(span).await;
    let used = since(&before, cpu_of(&watched)?);
    let cores = |name: &str| used.get(name).copied().unwrap_or_default() / span.as_secs_f64();

    // Schemas are fetched with the first message of each topic, which has the age of that request, too.
    let bytes = lines.first().map_or(0.0, |line| line.templates.mean_bytes());
    let sender = Sender::start(producer, lines, RATE * bytes);
    tokio::time::sleep(Duration::from_secs(bench.size(10, 30))).await;
    sender.stop()?;
    transform.stop().await?;
    sink.stop().await?;
    let ages: Vec<f64> = endpoint.take_ages().iter().map(|age| *age as f64 / 1e3).collect();
    Ok(Used {
        what,
        transform: cores("saltransform"),
        sink: cores("influxsink"),
        broker: cores("kafka"),
        age_p50_ms: median(ages.iter().copied()),
        age_max_ms: ages.into_iter().fold(0.0, f64::max),
    })
}

fn section(alone: f64, all: &[Used]) -> Section {
    let of = |what: &str, get: fn(&Used) -> f64| median(all.iter().filter(|used| used.what == what).map(get));
    let mut text = format!(
        "| nothing is sent to {TOPICS} topics | broker's cores | saltransform's | influxsink's | a message each second: age p50 ms | max |\n\
         |---|--:|--:|--:|--:|--:|\n| no stage | {alone:.3} | | | | |\n"
    );
    for (what, _) in SETTINGS {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {what} | {:.3} | {:.4} | {:.4} | {} | {} |",
            of(what, |used| used.broker),
            of(what, |used| used.transform),
            of(what, |used| used.sink),
            number(of(what, |used| used.age_p50_ms)),
            number(of(what, |used| used.age_max_ms)),
        );
    }
    let more = |what: &str| (of(what, |used| used.broker) - alone).max(0.0);
    let stages = |what: &str| of(what, |used| used.transform + used.sink);
    Section {
        name: "idle",
        text,
        ratios: vec![
            Ratio {
                row: "idle-broker",
                value: more(DEFAULTS) / more(OFTEN),
                target: Target::Most(0.5),
            },
            Ratio {
                row: "idle-stages",
                value: stages(DEFAULTS) / stages(OFTEN),
                target: Target::Most(0.5),
            },
            Ratio {
                row: "idle-age",
                value: of(DEFAULTS, |used| used.age_p50_ms) / of(OFTEN, |used| used.age_p50_ms),
                target: Target::Most(1.1),
            },
        ],
        json: json!({"broker_alone": alone, "runs": all.iter().map(Used::json).collect::<Vec<_>>()}),
    }
}

impl Used {
    fn json(&self) -> Value {
        json!({"settings": self.what, "saltransform_cores": self.transform, "influxsink_cores": self.sink,
            "broker_cores": self.broker, "age_p50_ms": self.age_p50_ms, "age_max_ms": self.age_max_ms})
    }
}
