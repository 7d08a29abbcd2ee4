//! `scaling`, `scaling-in-turn` and `scaling-partitions`: two replicas of saltransform on two partitions
//! compared with one on one, both at once and, as if each had its own cores, one after the other; and the
//! cost of a message with 64 partitions.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use sal::name::Dialect;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::failure::{Failure, Outcome};
use crate::flow::{Pace, median, watch};
use crate::metrics::Metrics;
use crate::process::Process;
use crate::report::{Ratio, Section, Target, number};
use crate::template::Topic;
use crate::turns::Turns;

/// A member learns about another one at its next heartbeat, and the default of 3 s is longer than a run.
const SOON_JOINED: [&str; 2] = ["-X", "heartbeat.interval.ms=100"];
const JOINED_WITHIN: Duration = Duration::from_secs(30);
/// The percentage of the remaining messages that counts: towards the end, one partition is finished before
/// the other.
const COUNTED: u64 = 85;

/// A setup: the number of input and output partitions, and of replicas.
struct Shape {
    what: &'static str,
    component: &'static str,
    partitions: i32,
    replicas: usize,
    /// Each replica runs half of the time, never two at once.
    in_turn: bool,
    count: u64,
}

pub(super) async fn measure(bench: &Bench) -> Outcome<Section> {
    let count = bench.size(120_000, 400_000);
    let shapes = [
        ("1 replica, 1 partition", "ScaleOne", 1, 1, false),
        ("2 replicas, 2 partitions", "ScaleTwo", 2, 2, false),
        ("1 replica, half of the time", "ScaleOne", 1, 1, true),
        ("2 replicas, in turn", "ScaleTwo", 2, 2, true),
        ("1 replica, 64 partitions", "ScaleMany", 64, 1, false),
    ];
    let shapes = shapes.map(|(what, component, partitions, replicas, in_turn)| Shape {
        what,
        component,
        partitions,
        replicas,
        in_turn,
        count: count * replicas as u64,
    });
    let mut inputs: Vec<String> = Vec::new();
    for shape in &shapes {
        let mut before = shapes.iter().zip(&inputs);
        let input = match before.find(|(other, _)| other.component == shape.component) {
            Some((_, input)) => input.clone(),
            None => load(bench, shape).await?,
        };
        inputs.push(input);
    }
    let mut paces: Vec<Vec<Pace>> = vec![Vec::new(); shapes.len()];
    // The first round warms up the broker.
    for round in 0..=bench.size(1, 3) {
        for ((shape, input), paces) in shapes.iter().zip(&inputs).zip(&mut paces) {
            let pace = run(bench, shape, input).await?;
            println!(
                "  {:<27} {:>7.0}/s {:>6.2} µs, broker {:.2} cores",
                shape.what,
                pace.rate(),
                pace.cpu_micros("stage"),
                pace.cores("broker")
            );
            if round > 0 {
                paces.push(pace);
            }
        }
    }
    Ok(section(&shapes, &paces))
}

fn topic(component: &str) -> Outcome<Topic> {
    let schema = efd_benches::thermal_data().schema.replace("MTM1M3TS", component);
    Topic::new(&format!("{component}_thermalData"), schema, Dialect::Efd)
}

async fn load(bench: &Bench, shape: &Shape) -> Outcome<String> {
    let (topic, count) = (topic(shape.component)?, shape.count);
    println!("scaling: {count} messages in {} partitions", shape.partitions);
    let templates = topic.templates(10_000)?;
    bench.load(&topic, &templates, shape.partitions, count).await
}

async fn run(bench: &Bench, shape: &Shape, input: &str) -> Outcome<Pace> {
    let (group, topic) = (bench.fresh("bench-scaling"), topic(shape.component)?);
    let output = (topic.kafka_topic.as_str(), shape.partitions);
    let from = bench.kafka.end([output].into_iter())?;
    let replicas = (0..shape.replicas).map(|_| bench.transform(input, &group, &SOON_JOINED));
    let mut replicas: Vec<Process> = replicas.collect::<Outcome<_>>()?;
    all_assigned(bench, &replicas, shape).await?;
    let turns = shape.in_turn.then(|| Turns::of(&replicas, 2)).transpose()?;
    let begun = bench.kafka.end([output].into_iter())?;
    let counted = (from + shape.count).saturating_sub(begun) * COUNTED / 100;
    let mut watched = vec![("broker", bench.services.pid("kafka")?)];
    watched.extend(replicas.iter().map(|replica| ("stage", replica.pid())));
    let pace = watch(&bench.kafka, output, begun, counted, &mut replicas, &watched).await?;
    drop(turns);
    for replica in replicas {
        replica.stop().await?;
    }
    Ok(pace)
}

/// Waits until every replica has its share of the partitions: until then the first one works for all.
async fn all_assigned(bench: &Bench, replicas: &[Process], shape: &Shape) -> Outcome<()> {
    let share = shape.partitions as usize / shape.replicas;
    let begun = Instant::now();
    for replica in replicas {
        loop {
            // Its port opens a moment after the start.
            let assigned = match Metrics::of(bench, replica).await {
                Ok(metrics) => metrics.get("kafka_assigned_partitions") as usize,
                Err(_) => 0,
            };
            if assigned == share {
                break;
            }
            if begun.elapsed() > JOINED_WITHIN {
                return Err(Failure::Unexpected(format!(
                    "{} has {assigned} of its {share} partitions after {JOINED_WITHIN:?}",
                    replica.name()
                )));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    Ok(())
}

fn section(shapes: &[Shape], paces: &[Vec<Pace>]) -> Section {
    let mut text = String::from(
        "| | messages/s | CPU µs a message | replicas' cores | broker's cores |\n|---|--:|--:|--:|--:|\n",
    );
    let of = |at: usize, get: &dyn Fn(&Pace) -> f64| median(paces.get(at).into_iter().flatten().map(get));
    for (at, shape) in shapes.iter().enumerate() {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {} | {:.0} | {} | {:.2} | {:.2} |",
            shape.what,
            of(at, &Pace::rate),
            number(of(at, &|pace| pace.cpu_micros("stage"))),
            of(at, &|pace| pace.cores("stage")),
            of(at, &|pace| pace.cores("broker")),
        );
    }
    let json = shapes.iter().enumerate().map(|(at, shape)| {
        json!({"shape": shape.what, "messages_s": of(at, &Pace::rate),
            "cpu_us": of(at, &|pace| pace.cpu_micros("stage")), "cores": of(at, &|pace| pace.cores("stage")),
            "broker_cores": of(at, &|pace| pace.cores("broker"))})
    });
    let cpu = |at| of(at, &|pace: &Pace| pace.cpu_micros("stage"));
    Section {
        name: "scaling",
        text,
        ratios: vec![
            Ratio {
                row: "scaling",
                value: of(1, &Pace::rate) / of(0, &Pace::rate),
                target: Target::Least(1.7),
            },
            Ratio {
                row: "scaling-in-turn",
                value: of(3, &Pace::rate) / of(2, &Pace::rate),
                target: Target::Least(1.7),
            },
            Ratio {
                row: "scaling-partitions",
                value: cpu(4) / cpu(0),
                target: Target::Most(1.2),
            },
        ],
        json: json.collect::<Vec<Value>>().into(),
    }
}
