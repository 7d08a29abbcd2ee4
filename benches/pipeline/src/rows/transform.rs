//! `transform-throughput` and `transform-cpu`: saltransform compared with a bare loop of librdkafka that
//! moves the same bytes, in turns, on one partition.

use std::fmt::Write as _;

use sal::name::Dialect;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::failure::Outcome;
use crate::flow::{Pace, median, watch};
use crate::report::{Ratio, Section, Target, number};
use crate::template::Topic;

/// The number of different messages, and of records that the loop sends in turn.
const DIFFERENT: usize = 10_000;

/// The runs with one kind of message.
struct Runs {
    what: &'static str,
    bytes: f64,
    count: u64,
    ours: Vec<Pace>,
    bare: Vec<Pace>,
}

pub(super) async fn measure(bench: &Bench) -> Outcome<Section> {
    let thermal = efd_benches::thermal_data();
    let twenty = efd_benches::twenty_fields();
    let kinds = [
        (
            "thermalData, 381 numbers",
            Topic::new("MTM1M3TS_thermalData", thermal.schema, Dialect::Efd)?,
            bench.size(40_000, 300_000),
        ),
        (
            "mountEncoders, 20 fields",
            Topic::new("ATMCS_mountEncoders", twenty.schema, Dialect::Efd)?,
            bench.size(200_000, 1_000_000),
        ),
    ];
    let mut all = Vec::new();
    for (what, topic, count) in kinds {
        all.push(runs(bench, what, &topic, count).await?);
    }
    Ok(section(&all))
}

async fn runs(bench: &Bench, what: &'static str, topic: &Topic, count: u64) -> Outcome<Runs> {
    let templates = topic.templates(DIFFERENT)?;
    println!(
        "transform: {count} messages of {what}, {:.0} bytes each",
        templates.mean_bytes()
    );
    let input = bench.load(topic, &templates, 1, count).await?;
    let mut runs = Runs {
        what,
        bytes: templates.mean_bytes(),
        count,
        ours: Vec::new(),
        bare: Vec::new(),
    };
    // The first run produces the loop's records and warms up the broker.
    transform(bench, &input, topic, count).await?;
    for _ in 0..bench.size(2, 4) {
        let bare = carry(bench, &input, topic, count).await?;
        let ours = transform(bench, &input, topic, count).await?;
        println!(
            "  bare loop {:>7.0}/s {:>6.2} µs   saltransform {:>7.0}/s {:>6.2} µs",
            bare.rate(),
            bare.cpu_micros("stage"),
            ours.rate(),
            ours.cpu_micros("stage"),
        );
        runs.bare.push(bare);
        runs.ours.push(ours);
    }
    Ok(runs)
}

async fn transform(bench: &Bench, input: &str, topic: &Topic, count: u64) -> Outcome<Pace> {
    let group = bench.fresh("bench-transform");
    let output = (topic.kafka_topic.as_str(), 1);
    let from = bench.kafka.end([output].into_iter())?;
    let stage = bench.transform(input, &group, &[])?;
    let watched = [("stage", stage.pid()), ("broker", bench.services.pid("kafka")?)];
    let mut processes = [stage];
    let pace = watch(&bench.kafka, output, from, count, &mut processes, &watched).await?;
    let [stage] = processes;
    stage.stop().await?;
    Ok(pace)
}

async fn carry(bench: &Bench, input: &str, topic: &Topic, count: u64) -> Outcome<Pace> {
    let (group, output) = (bench.fresh("bench-carry"), bench.fresh("bench-carried"));
    bench.kafka.create(&output, 1).await?;
    let different = DIFFERENT.to_string();
    let arguments = [
        "--input",
        input,
        "--output",
        &output,
        "--frames",
        &topic.kafka_topic,
    ];
    let arguments = [&arguments[..], &["--count", &different, "--group", &group]].concat();
    let bare = bench.yardstick("carry", &arguments)?;
    let watched = [("stage", bare.pid()), ("broker", bench.services.pid("kafka")?)];
    watch(&bench.kafka, (&output, 1), 0, count, &mut [bare], &watched).await
}

impl Runs {
    fn of(&self, get: impl Fn(&Pace) -> f64) -> (f64, f64) {
        (
            median(self.ours.iter().map(&get)),
            median(self.bare.iter().map(&get)),
        )
    }

    fn json(&self) -> Value {
        let paces = |paces: &[Pace]| -> Vec<Value> {
            let one = |pace: &Pace| {
                json!({"messages_s": pace.rate(), "cpu_us": pace.cpu_micros("stage"),
                    "broker_cpu_us": pace.cpu_micros("broker")})
            };
            paces.iter().map(one).collect()
        };
        json!({"messages": self.what, "count": self.count, "bytes": self.bytes,
            "saltransform": paces(&self.ours), "bare_loop": paces(&self.bare)})
    }
}

fn section(all: &[Runs]) -> Section {
    let mut text = String::from(
        "| message | | messages/s | text MB/s | CPU µs a message | its cores | broker's cores |\n|---|---|--:|--:|--:|--:|--:|\n",
    );
    let (mut throughput, mut cpu) = (f64::INFINITY, 0.0_f64);
    for runs in all {
        let (ours, bare) = runs.of(Pace::rate);
        let (our_cpu, bare_cpu) = runs.of(|pace| pace.cpu_micros("stage"));
        let (our_cores, bare_cores) = runs.of(|pace| pace.cores("stage"));
        let (our_broker, bare_broker) = runs.of(|pace| pace.cores("broker"));
        throughput = throughput.min(ours / bare);
        cpu = cpu.max(our_cpu / bare_cpu);
        let (what, mb) = (runs.what, runs.bytes / 1e6);
        for (who, rate, cpu, cores, broker) in [
            ("saltransform", ours, our_cpu, our_cores, our_broker),
            ("bare loop", bare, bare_cpu, bare_cores, bare_broker),
        ] {
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "| {what} | {who} | {rate:.0} | {:.0} | {} | {cores:.2} | {broker:.2} |",
                rate * mb,
                number(cpu),
            );
        }
        let (rates, cpus) = (number(ours / bare), number(our_cpu / bare_cpu));
        let _ = writeln!(text, "| | **ratio** | **{rates}** | | **{cpus}** | | |");
    }
    Section {
        name: "transform",
        text,
        ratios: vec![
            Ratio {
                row: "transform-throughput",
                value: throughput,
                target: Target::Least(0.9),
            },
            Ratio {
                row: "transform-cpu",
                value: cpu,
                target: Target::Most(1.25),
            },
        ],
        json: all.iter().map(Runs::json).collect(),
    }
}
