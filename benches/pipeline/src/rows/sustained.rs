//! `sustained`: 10 MB/s of SAL text through the whole pipeline into InfluxDB, with everything on one machine.
//! Every second, records how far the two groups lag behind the ends of their topics; if the pipeline keeps
//! up, the lag does not grow.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use rdkafka::consumer::BaseConsumer;
use sal::name::Dialect;
use serde_json::json;

use crate::bench::Bench;
use crate::failure::Outcome;
use crate::flow::{cpu_of, median, since};
use crate::kafka::Kafka;
use crate::metrics::Metrics;
use crate::process::Process;
use crate::report::{Ratio, Section, Target};
use crate::sender::{Line, Sender};
use crate::template::Topic;
use crate::usage::memory;

/// Components, each with one topic of 381 numbers and three of 20 fields: the large messages make up nine of
/// ten bytes, the small ones three of four messages.
const COMPONENTS: usize = 10;
const SMALL: usize = 3;
/// Records and fetches are batched for longer, because this row does not measure age: fewer requests leave
/// the cores to InfluxDB, which needs more than one of the two.
const LARGE_BATCHES: [&str; 2] = ["-X", "linger.ms=50"];
const LARGE_FETCHES: [&str; 2] = ["-X", "fetch.min.bytes=262144"];
const GROUP: &str = "bench-sustained";
const SINK_GROUP: &str = "bench-sustained-sink";
const MIB: f64 = 1024.0 * 1024.0;

/// The lag of the groups, in messages.
struct Lag {
    at: f64,
    transform: f64,
    sink: f64,
}

type Get = fn(&Lag) -> f64;

/// A group, and the topics whose ends it is compared with.
struct Group {
    client: BaseConsumer,
    topics: Vec<String>,
}

pub(super) async fn measure(bench: &Bench) -> Outcome<Section> {
    let rate = bench.args.megabytes * 1e6;
    let (span, warm) = (bench.size(30, 300), bench.size(10, 20));
    println!(
        "sustained: {} MB/s of SAL text for {span} s",
        bench.args.megabytes
    );
    let lines = lines(bench).await?;
    let mut inputs: Vec<String> = lines.iter().map(|line| line.input.clone()).collect();
    inputs.dedup();
    let outputs: Vec<String> = lines.iter().map(|line| line.topic.kafka_topic.clone()).collect();
    let mut stages = stages(bench, &inputs, &outputs)?;
    // Both have joined their groups before the first message.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let sender = Sender::start(bench.kafka.producer()?, lines, rate);
    tokio::time::sleep(Duration::from_secs(warm)).await;

    let [transform, sink] = &stages;
    let watched = [
        ("kafka", bench.services.pid("kafka")?),
        ("registry", bench.services.pid("registry")?),
        ("saltransform", transform.pid()),
        ("influxsink", sink.pid()),
        ("influxdb", bench.services.pid("influxdb2")?),
        ("sender", std::process::id()),
    ];
    let groups = [
        Group::new(bench, GROUP, inputs)?,
        Group::new(bench, SINK_GROUP, outputs)?,
    ];
    let (begun, cpu, before) = (Instant::now(), cpu_of(&watched)?, Metrics::of(bench, sink).await?);
    let sent_before = sender.sent();
    let mut lags: Vec<Lag> = Vec::new();
    while begun.elapsed() < Duration::from_secs(span) {
        let [transform, sink] = [groups[0].behind(bench)?, groups[1].behind(bench)?];
        let at = begun.elapsed().as_secs_f64();
        if lags.len().is_multiple_of(15) {
            println!("  {at:4.0} s: behind by {transform} and {sink} messages");
        }
        lags.push(Lag { at, transform, sink });
        for stage in &mut stages {
            stage.check()?;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let used = since(&cpu, cpu_of(&watched)?);
    let after = Metrics::of(bench, &stages[1]).await?;
    let sent = sender.sent();
    sender.stop()?;
    let per_second = |now: u64, before: u64| (now - before) as f64 / seconds;
    let (bytes_s, messages_s) = (
        per_second(sent.bytes, sent_before.bytes),
        per_second(sent.messages, sent_before.messages),
    );
    let written = "influxsink_written_total";
    let written_s = (after.get(written) - before.get(written)) / seconds;
    let ages = [0.5, 0.99].map(|share| after.quantile_since(&before, "influxsink_point_age_seconds", share));
    let peaks = [memory(stages[0].pid())?, memory(stages[1].pid())?].map(|memory| memory.peak as f64 / MIB);
    for stage in stages {
        stage.stop().await?;
    }

    let mut text = String::from(
        "| group | behind at first | in the middle | at last | most | growth, messages/s |\n|---|--:|--:|--:|--:|--:|\n",
    );
    let mut growth = 0.0_f64;
    let parts: [(&str, Get); 2] = [
        ("saltransform", |lag| lag.transform),
        ("influxsink", |lag| lag.sink),
    ];
    for (who, get) in parts {
        let slope = slope(&lags, get);
        growth = growth.max(slope / messages_s);
        let tenth = (lags.len() / 10).max(1);
        let part = |from: usize| median(lags.iter().skip(from).take(tenth).map(get));
        let most = lags.iter().map(get).fold(0.0, f64::max);
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {who} | {:.0} | {:.0} | {:.0} | {most:.0} | {slope:.1} |",
            part(0),
            part(lags.len() / 2),
            part(lags.len() - tenth),
        );
    }
    let cores: Vec<String> = used
        .iter()
        .map(|(name, cpu)| format!("{name} {:.2}", cpu / seconds))
        .collect();
    let _ = writeln!(
        text,
        "\n{:.2} MB/s and {messages_s:.0} messages/s of SAL text were sent for {seconds:.0} s, {written_s:.0} points/s were written. Cores: {}. \
         Age of the points: p50 {:.0} ms, p99 {:.0} ms. Peak RSS: saltransform {:.0} MiB, influxsink {:.0} MiB.",
        bytes_s / 1e6,
        cores.join(", "),
        1e3 * ages[0],
        1e3 * ages[1],
        peaks[0],
        peaks[1],
    );
    Ok(Section {
        name: "sustained",
        text,
        ratios: vec![
            Ratio {
                row: "sustained",
                value: 100.0 * growth.max(0.0),
                target: Target::Most(1.0),
            },
            Ratio {
                row: "sustained-mb",
                value: bytes_s / 1e6,
                target: Target::Least(9.9),
            },
        ],
        json: json!({"bytes_s": bytes_s, "messages_s": messages_s, "written_s": written_s, "seconds": seconds,
            "cpu_s": used, "ages_s": ages, "peak_mib": peaks,
            "lags": lags.iter().map(|lag| [lag.at, lag.transform, lag.sink]).collect::<Vec<_>>()}),
    })
}

/// All topics, registered and created.
async fn lines(bench: &Bench) -> Outcome<Vec<Line>> {
    let (large, small) = (
        efd_benches::thermal_data().schema,
        efd_benches::twenty_fields().schema,
    );
    let mut lines = Vec::new();
    for number in 0..COMPONENTS {
        let component = format!("Sustained{number}");
        let input = format!("{component}_telemetry");
        bench.kafka.create(&input, 1).await?;
        for kind in 0..=SMALL {
            let (name, schema) = if kind == 0 {
                (
                    format!("{component}_thermalData"),
                    large.replace("MTM1M3TS_thermalData", &format!("{component}_thermalData")),
                )
            } else {
                let name = format!("{component}_mountEncoders{kind}");
                (name.clone(), small.replace("ATMCS_mountEncoders", &name))
            };
            let topic = Topic::new(&name, schema, Dialect::Efd)?;
            bench.prepare(&topic, 1).await?;
            lines.push(Line {
                templates: topic.templates(500)?,
                topic,
                input: input.clone(),
            });
        }
    }
    Ok(lines)
}

fn stages(bench: &Bench, inputs: &[String], outputs: &[String]) -> Outcome<[Process; 2]> {
    let (inputs, outputs) = (inputs.join(","), outputs.join(","));
    Ok([
        bench.transform(&inputs, GROUP, &[LARGE_BATCHES, LARGE_FETCHES].concat())?,
        bench.stage(
            "influxsink",
            &[&["run", &outputs, "--group", SINK_GROUP][..], &LARGE_FETCHES].concat(),
        )?,
    ])
}

impl Group {
    fn new(bench: &Bench, name: &str, topics: Vec<String>) -> Outcome<Self> {
        Ok(Self {
            client: bench.kafka.member_of(name)?,
            topics,
        })
    }

    /// The committed offsets are queried first: messages that arrive in between make the lag larger, never
    /// negative.
    fn behind(&self, bench: &Bench) -> Outcome<f64> {
        let topics = || self.topics.iter().map(|name| (name.as_str(), 1));
        let committed = Kafka::committed(&self.client, topics())?;
        Ok(bench.kafka.end(topics())?.saturating_sub(committed) as f64)
    }
}

/// The slope of the least-squares line through the points, in messages per second.
fn slope(lags: &[Lag], get: impl Fn(&Lag) -> f64) -> f64 {
    let count = lags.len().max(1) as f64;
    let mean = |of: &dyn Fn(&Lag) -> f64| lags.iter().map(of).sum::<f64>() / count;
    let (at, lag) = (mean(&|lag| lag.at), mean(&|lag| get(lag)));
    let covariance = mean(&|one| (one.at - at) * (get(one) - lag));
    let variance = mean(&|one| (one.at - at).powi(2));
    covariance / variance.max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_fitted_line() {
        let lag = |at: f64| Lag {
            at,
            transform: 7.0 + 3.0 * at,
            sink: 5.0,
        };
        let lags: Vec<Lag> = [0.0, 1.0, 2.0, 5.0].map(lag).into();
        assert!((slope(&lags, |lag| lag.transform) - 3.0).abs() < 1e-9);
        assert!(slope(&lags, |lag| lag.sink).abs() < 1e-9);
    }
}
