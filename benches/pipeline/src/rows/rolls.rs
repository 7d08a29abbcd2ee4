//! `rolls`: how Kafka distributes the topics of a subsystem over replicas of a stage, and how long a rolling update of
//! influxsink stops a topic: replicas that leave their group (a Deployment), that stay members while they restart (a
//! StatefulSet, static membership), and both under KIP-848's protocol.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::endpoint::Endpoint;
use crate::failure::{Failure, Outcome};
use crate::metrics::Metrics;
use crate::process::Process;
use crate::report::Section;
use crate::rows::whole::Whole;

/// Replicas of the distribution; a roll replaces two.
const REPLICAS: usize = 4;
const BUSY_PARTITIONS: i32 = 2;
/// Each topic has a message this often, in seconds.
const PERIOD: &str = "0.2";
const READY_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How replicas are members of their group, and in which order they are replaced.
struct Roll {
    what: &'static str,
    protocol: &'static str,
    /// The replacement takes the place of the stopped replica, with its `group.instance.id`, as in a StatefulSet;
    /// otherwise it is ready before the old one is stopped, as in a Deployment.
    is_static: bool,
}

const ROLLS: [Roll; 4] = [
    Roll {
        what: "Deployment",
        protocol: "classic",
        is_static: false,
    },
    Roll {
        what: "StatefulSet, static members",
        protocol: "classic",
        is_static: true,
    },
    Roll {
        what: "Deployment, `--group-protocol consumer`",
        protocol: "consumer",
        is_static: false,
    },
    Roll {
        what: "StatefulSet, static members, `--group-protocol consumer`",
        protocol: "consumer",
        is_static: true,
    },
];

/// What a roll did to the topics.
struct Stops {
    what: &'static str,
    median: Duration,
    longest: Duration,
    topics: usize,
}

pub(super) async fn measure(bench: &Bench) -> Outcome<Section> {
    let busy = busy_topic(bench).await?;
    let whole = Whole::init(bench, "rolls").await?;
    let many = many_topics(bench, &whole).await?;
    println!("rolls: partitions of {REPLICAS} replicas: one busy topic {busy:?}, many topics {many:?}");
    let transform = whole.transform(&[])?;
    let salmock = whole.salmock(PERIOD, &[])?;
    let mut all = Vec::new();
    for roll in &ROLLS {
        let stops = run(bench, roll, &whole).await?;
        println!(
            "  {:<58} a topic stops for {:.1} s, the longest for {:.1} s",
            stops.what,
            stops.median.as_secs_f64(),
            stops.longest.as_secs_f64()
        );
        all.push(stops);
    }
    salmock.stop().await?;
    transform.stop().await?;
    Ok(section(&busy, &many, &all))
}

/// The partitions of each replica of saltransform if they share one topic.
async fn busy_topic(bench: &Bench) -> Outcome<Vec<usize>> {
    let input = bench.fresh("rolls-input");
    bench.kafka.create(&input, BUSY_PARTITIONS).await?;
    let group = bench.fresh("rolls-busy");
    let replicas = (0..REPLICAS).map(|_| bench.transform(&input, &group, &[]));
    distribution(bench, replicas.collect::<Outcome<_>>()?, BUSY_PARTITIONS as usize).await
}

/// The partitions of each replica of influxsink if they share the record topics of all subsystems.
async fn many_topics(bench: &Bench, whole: &Whole<'_>) -> Outcome<Vec<usize>> {
    let endpoint = Endpoint::discarding(&bench.http).await?;
    let group = bench.fresh("rolls-many");
    let one = whole.sink(&endpoint, &group, &[])?;
    let partitions = settled(bench, std::slice::from_ref(&one), None)
        .await?
        .iter()
        .sum();
    let mut replicas = vec![one];
    for _ in 1..REPLICAS {
        replicas.push(whole.sink(&endpoint, &group, &[])?);
    }
    distribution(bench, replicas, partitions).await
}

async fn distribution(bench: &Bench, replicas: Vec<Process>, partitions: usize) -> Outcome<Vec<usize>> {
    let mut shares = settled(bench, &replicas, Some(partitions)).await?;
    shares.sort_unstable_by(|one, other| other.cmp(one));
    for replica in replicas {
        replica.stop().await?;
    }
    Ok(shares)
}

async fn run(bench: &Bench, roll: &Roll, whole: &Whole<'_>) -> Outcome<Stops> {
    let endpoint = Endpoint::watching(&bench.http).await?;
    let group = bench.fresh("rolls-group");
    let start = |name: &str| {
        let mut more = vec!["--group-protocol", roll.protocol];
        more.extend(
            roll.is_static
                .then_some(["--group-instance-id", name])
                .iter()
                .flatten(),
        );
        whole.sink(&endpoint, &group, &more)
    };
    let names = ["one", "two"];
    let mut replicas: Vec<Process> = names.iter().map(|name| start(name)).collect::<Outcome<_>>()?;
    settled(bench, &replicas, None).await?;
    // The first points arrive, and what each topic had waiting.
    tokio::time::sleep(Duration::from_secs(bench.size(3, 10))).await;
    drop(endpoint.take_waits());
    for name in names {
        let old = replicas.remove(0);
        if roll.is_static {
            old.stop().await?;
            replicas.push(start(name)?);
        } else {
            replicas.push(start(name)?);
            ready(bench, &replicas).await?;
            old.stop().await?;
        }
        ready(bench, &replicas).await?;
    }
    // Every topic has arrived again.
    tokio::time::sleep(Duration::from_secs(bench.size(3, 10))).await;
    let waits = endpoint.take_waits();
    for replica in replicas {
        replica.stop().await?;
    }
    let last = waits.last().copied();
    let longest = last.ok_or_else(|| Failure::Unexpected("no point arrived during a roll".to_owned()))?;
    Ok(Stops {
        what: roll.what,
        median: waits.get(waits.len() / 2).copied().unwrap_or(longest),
        longest,
        topics: waits.len(),
    })
}

/// Waits until `/ready` of each answers 200.
async fn ready(bench: &Bench, replicas: &[Process]) -> Outcome<()> {
    let begun = Instant::now();
    for replica in replicas {
        let url = format!("http://127.0.0.1:{}/ready", replica.port);
        // Its port opens a moment after the start.
        while !matches!(bench.http.get(&url).send().await, Ok(answer) if answer.status().is_success()) {
            timely(begun, replica)?;
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
    Ok(())
}

/// Waits until the replicas are ready and their shares have not changed for three heartbeats; with `partitions`, also
/// until they have that many in all.
async fn settled(bench: &Bench, replicas: &[Process], partitions: Option<usize>) -> Outcome<Vec<usize>> {
    const SETTLED: Duration = Duration::from_secs(10);
    ready(bench, replicas).await?;
    let (begun, mut since, mut last) = (Instant::now(), Instant::now(), Vec::new());
    loop {
        let mut shares = Vec::new();
        for replica in replicas {
            shares.push(
                Metrics::of(bench, replica)
                    .await?
                    .get("kafka_assigned_partitions") as usize,
            );
            timely(begun, replica)?;
        }
        if shares != last {
            (since, last) = (Instant::now(), shares);
        }
        let sum = last.iter().sum::<usize>();
        if sum > 0 && partitions.is_none_or(|wanted| sum == wanted) && since.elapsed() > SETTLED {
            return Ok(last);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn timely(begun: Instant, replica: &Process) -> Outcome<()> {
    if begun.elapsed() < READY_TIMEOUT {
        return Ok(());
    }
    Err(Failure::Unexpected(format!(
        "{} is not ready, or has no stable share, after {READY_TIMEOUT:?}",
        replica.name()
    )))
}

fn section(busy: &[usize], many: &[usize], all: &[Stops]) -> Section {
    let mut text = format!(
        "| {REPLICAS} replicas share | partitions of each |\n|---|---|\n| one topic of {BUSY_PARTITIONS} partitions | {} |\n\
         | {} topics of one partition | {} |\n\n",
        listed(busy),
        many.iter().sum::<usize>(),
        listed(many)
    );
    text.push_str("| two replicas are replaced, one after the other | a topic stops for (median) | the longest |\n|---|--:|--:|\n");
    for stops in all {
        let [median, longest] = [stops.median, stops.longest].map(|time| time.as_secs_f64());
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {} | {median:.1} s | {longest:.1} s |", stops.what);
    }
    let stops = all.iter().map(|stops| {
        json!({"roll": stops.what, "median_s": stops.median.as_secs_f64(), "longest_s": stops.longest.as_secs_f64(),
            "topics": stops.topics})
    });
    Section {
        name: "rolls",
        text,
        ratios: Vec::new(),
        json: json!({"busy": busy, "many": many, "stops": stops.collect::<Vec<Value>>()}),
    }
}

fn listed(shares: &[usize]) -> String {
    let shares: Vec<String> = shares.iter().map(usize::to_string).collect();
    shares.join(", ")
}
