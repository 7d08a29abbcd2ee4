//! `transform-…`: saltransform compared with a bare loop of librdkafka that moves the same bytes, and with one that also
//! reads each of them once, in turns, on one partition.

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
const OURS: &str = "saltransform";
const BARE: &str = "bare loop";
const READING: &str = "bare loop that reads";

/// The runs with one kind of message.
struct Runs {
    what: &'static str,
    bytes: f64,
    count: u64,
    ours: Vec<Pace>,
    bare: Vec<Pace>,
    reading: Vec<Pace>,
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
        reading: Vec::new(),
    };
    // The first run produces the loop's records and warms up the broker.
    transform(bench, &input, topic, count).await?;
    for _ in 0..bench.size(2, 4) {
        let bare = carry(bench, &input, topic, count, &[]).await?;
        let reading = carry(bench, &input, topic, count, &["--reads"]).await?;
        let ours = transform(bench, &input, topic, count).await?;
        for (who, pace) in [(BARE, &bare), (READING, &reading), (OURS, &ours)] {
            println!(
                "  {who:<28} {:>7.0}/s {:>6.2} µs",
                pace.rate(),
                pace.cpu_micros("stage")
            );
        }
        runs.bare.push(bare);
        runs.reading.push(reading);
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

async fn carry(bench: &Bench, input: &str, topic: &Topic, count: u64, flags: &[&str]) -> Outcome<Pace> {
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
    let others = ["--count", &different, "--group", &group];
    let arguments = [&arguments[..], &others, flags].concat();
    let bare = bench.yardstick("carry", &arguments)?;
    let watched = [("stage", bare.pid()), ("broker", bench.services.pid("kafka")?)];
    watch(&bench.kafka, (&output, 1), 0, count, &mut [bare], &watched).await
}

impl Runs {
    fn all(&self) -> [(&'static str, &[Pace]); 3] {
        [(OURS, &self.ours), (BARE, &self.bare), (READING, &self.reading)]
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
            "saltransform": paces(&self.ours), "bare_loop": paces(&self.bare), "reading_loop": paces(&self.reading)})
    }
}

fn section(all: &[Runs]) -> Section {
    let mut text = String::from(
        "| message | | messages/s | text MB/s | CPU µs a message | its cores | broker's cores | the cores allow, messages/s |\n\
         |---|---|--:|--:|--:|--:|--:|--:|\n",
    );
    let (mut throughput, mut of_reading, mut cpu) = (f64::INFINITY, f64::INFINITY, 0.0_f64);
    let cores = std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64);
    for runs in all {
        let (what, mb) = (runs.what, runs.bytes / 1e6);
        let mut medians = Vec::new();
        for (who, paces) in runs.all() {
            let of = |get: fn(&Pace) -> f64| median(paces.iter().map(get));
            let (rate, micros) = (of(Pace::rate), of(|pace| pace.cpu_micros("stage")));
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "| {what} | {who} | {rate:.0} | {:.0} | {} | {:.2} | {:.2} | {:.0} |",
                rate * mb,
                number(micros),
                of(|pace| pace.cores("stage")),
                of(|pace| pace.cores("broker")),
                cores * 1e6 / (micros + of(|pace| pace.cpu_micros("broker"))),
            );
            medians.push((rate, micros));
        }
        if let [ours, bare, reading] = medians[..] {
            throughput = throughput.min(ours.0 / bare.0);
            of_reading = of_reading.min(ours.0 / reading.0);
            cpu = cpu.max(ours.1 / bare.1);
            for (loop_, than) in [(BARE, bare), (READING, reading)] {
                let (rates, micros) = (number(ours.0 / than.0), number(ours.1 / than.1));
                let _ = writeln!(
                    text,
                    "| | **ratio to the {loop_}** | **{rates}** | | **{micros}** | | | |"
                );
            }
        }
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
                row: "transform-reading",
                value: of_reading,
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
