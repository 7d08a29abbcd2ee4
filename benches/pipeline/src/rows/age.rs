//! `age-p50` and `age-p99`: the age of a point when InfluxDB has stored it, counted from SAL's own timestamp,
//! at 1,330 messages per second over 100 topics. It is measured for each point by an endpoint in front of
//! InfluxDB; influxsink's own metric is shown as well. A run at a third of that rate shows how much of the
//! age is due to the machine, all of whose cores the full rate needs.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::config::RunArgs;
use crate::endpoint::Endpoint;
use crate::failure::Outcome;
use crate::flow::{cpu_of, since};
use crate::metrics::Metrics;
use crate::report::{Ratio, Section, Target};
use crate::rows::whole::{TOPICS, Whole};

/// With this period, 100 topics send 1,330 messages per second.
const PERIOD: &str = "0.0752";
/// With this one, 443.
const CALM_PERIOD: &str = "0.2256";
/// Each fetch asks for all partitions, including those without messages, and librdkafka and the broker go
/// through every one of them. With four milliseconds between fetches, this work leaves the cores free for the
/// messages.
const FEWER_FETCHES: [&str; 4] = ["-X", "fetch.min.bytes=100000", "-X", "fetch.wait.max.ms=4"];
const AGE: &str = "influxsink_point_age_seconds";

/// Settings of each process that differ from the defaults.
struct Settings<'a> {
    what: &'static str,
    period: &'static str,
    salmock: Vec<&'a str>,
    saltransform: Vec<&'a str>,
    influxsink: Vec<&'a str>,
}

impl<'a> Settings<'a> {
    fn defaults() -> Self {
        Self {
            what: "defaults",
            period: PERIOD,
            salmock: Vec::new(),
            saltransform: Vec::new(),
            influxsink: Vec::new(),
        }
    }

    /// Batching waits only a few milliseconds. Includes the arguments given for trying.
    fn for_latency(args: &'a RunArgs) -> Self {
        let more = |own: &[&[&'a str]], given: &'a [String]| {
            let own = own.iter().flat_map(|flags| flags.iter().copied());
            own.chain(given.iter().map(String::as_str)).collect()
        };
        let transform = ["--workers", "1", "-X", "linger.ms=0"];
        // While both requests of a worker are in flight, points are batched anyway: a longer interval only
        // adds to that.
        let sink = ["--flush-interval", "0.001"];
        Self {
            what: "for latency",
            period: PERIOD,
            salmock: more(&[&["-X", "linger.ms=2"]], &args.salmock_arg),
            saltransform: more(&[&transform, &FEWER_FETCHES], &args.transform_arg),
            influxsink: more(&[&sink, &FEWER_FETCHES], &args.sink_arg),
        }
    }

    /// The same settings with spare cores.
    fn calm(args: &'a RunArgs) -> Self {
        Self {
            what: "for latency, 443 messages/s",
            period: CALM_PERIOD,
            ..Self::for_latency(args)
        }
    }
}

/// The results with one of them.
struct Seen {
    what: &'static str,
    ages_ms: Vec<f64>,
    own: [f64; 2],
    rate: f64,
    cores: Vec<(String, f64)>,
}

pub(super) async fn measure(bench: &Bench) -> Outcome<Section> {
    let mut all = Vec::new();
    let args = &bench.args;
    for settings in [
        Settings::defaults(),
        Settings::calm(args),
        Settings::for_latency(args),
    ] {
        let seen = run(bench, &settings).await?;
        println!("{}", seen.line());
        all.push(seen);
    }
    Ok(section(&all))
}

async fn run(bench: &Bench, settings: &Settings<'_>) -> Outcome<Seen> {
    println!("age: {}, {TOPICS} topics", settings.what);
    let whole = Whole::init(bench, "age").await?;
    let endpoint = Endpoint::forwarding(bench.services.get("INFLUXDB_URL")?, &bench.http).await?;
    let sink = whole.sink(&endpoint, &whole.subname, &settings.influxsink)?;
    let transform = whole.transform(&settings.saltransform)?;
    // Both have joined their groups before the first message, so that no message waits for that.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let salmock = whole.salmock(settings.period, &settings.salmock)?;
    tokio::time::sleep(Duration::from_secs(bench.size(8, 30))).await;

    let watched = [
        ("salmock", salmock.pid()),
        ("saltransform", transform.pid()),
        ("influxsink", sink.pid()),
        ("kafka", bench.services.pid("kafka")?),
        ("influxdb", bench.services.pid("influxdb2")?),
        ("this harness", std::process::id()),
    ];
    let (metrics, cpu) = (Metrics::of(bench, &sink).await?, cpu_of(&watched)?);
    drop(endpoint.take_ages());
    let span = Duration::from_secs(bench.size(15, 60));
    tokio::time::sleep(span).await;
    let ages = endpoint.take_ages();
    let (later, used) = (Metrics::of(bench, &sink).await?, since(&cpu, cpu_of(&watched)?));
    for stage in [salmock, transform, sink] {
        stage.stop().await?;
    }
    let mut ages_ms: Vec<f64> = ages.iter().map(|micros| *micros as f64 / 1e3).collect();
    ages_ms.sort_by(f64::total_cmp);
    Ok(Seen {
        what: settings.what,
        rate: ages_ms.len() as f64 / span.as_secs_f64(),
        ages_ms,
        own: [0.5, 0.99].map(|share| 1e3 * later.quantile_since(&metrics, AGE, share)),
        cores: used
            .into_iter()
            .map(|(name, seconds)| (name, seconds / span.as_secs_f64()))
            .collect(),
    })
}

impl Seen {
    fn quantile(&self, share: f64) -> f64 {
        let at = (share * self.ages_ms.len() as f64) as usize;
        self.ages_ms
            .get(at.min(self.ages_ms.len().saturating_sub(1)))
            .copied()
            .unwrap_or(f64::INFINITY)
    }

    fn line(&self) -> String {
        let [p50, p99, most] = [0.5, 0.99, 1.0].map(|share| self.quantile(share));
        let [own_p50, own_p99] = self.own;
        format!(
            "| {} | {:.0} | {p50:.1} | {p99:.1} | {most:.1} | {own_p50:.1} | {own_p99:.1} | {} |",
            self.what,
            self.rate,
            self.cores
                .iter()
                .map(|(name, cores)| format!("{name} {cores:.2}"))
                .collect::<Vec<_>>()
                .join(", "),
        )
    }

    fn json(&self) -> Value {
        json!({"settings": self.what, "points_s": self.rate, "p50_ms": self.quantile(0.5), "p99_ms": self.quantile(0.99),
            "max_ms": self.quantile(1.0), "own_metric_ms": self.own, "cores": self.cores})
    }
}

fn section(all: &[Seen]) -> Section {
    let mut text = String::from(
        "| settings | points/s | age p50 ms | p99 | max | metric's p50 | p99 | cores |\n|---|--:|--:|--:|--:|--:|--:|---|\n",
    );
    for seen in all {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", seen.line());
    }
    let of_default = |share| all.first().map_or(f64::INFINITY, |seen| seen.quantile(share));
    let best = |share| all.last().map_or(f64::INFINITY, |seen| seen.quantile(share));
    Section {
        name: "age",
        text,
        ratios: vec![
            Ratio {
                row: "age-default-p50",
                value: of_default(0.5),
                target: Target::Most(30.0),
            },
            Ratio {
                row: "age-default-p99",
                value: of_default(0.99),
                target: Target::Most(120.0),
            },
            Ratio {
                row: "age-p50",
                value: best(0.5),
                target: Target::Most(20.0),
            },
            Ratio {
                row: "age-p99",
                value: best(0.99),
                target: Target::Most(100.0),
            },
        ],
        json: all.iter().map(Seen::json).collect(),
    }
}
