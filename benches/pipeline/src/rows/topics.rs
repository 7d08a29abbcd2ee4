//! `topics-init`, `topics-rss` and `topics-start`: an observatory's 3,348 topics. How long `saltransform
//! init` takes, how much memory the running stage needs once it has seen each topic, and the time from its
//! start to its first record.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::bench::Bench;
use crate::failure::{Doing, Failure, Outcome};
use crate::flow::median;
use crate::kafka::{flush, send};
use crate::report::{Ratio, Section, Target};
use crate::schemas;
use crate::template::{Templates, Topic};
use crate::usage::memory;

const MIB: f64 = 1024.0 * 1024.0;
/// How often each topic sends while memory is measured.
const ROUNDS: u64 = 5;

pub(super) async fn measure(bench: &Bench) -> Outcome<Section> {
    let mut topics = schemas::observatory()?;
    if bench.args.quick {
        topics = topics.into_iter().step_by(10).collect();
    }
    let components = schemas::components().join(",");
    println!(
        "topics: {} topics of {} components",
        topics.len(),
        schemas::components().len()
    );
    let init = init(bench, &topics).await?;
    println!("  init {init:.1} s");
    let loaded = Loaded::new(&topics)?;
    let mut starts = Vec::new();
    for _ in 0..bench.size(3, 7) {
        starts.push(start(bench, &loaded, &components).await?);
        println!(
            "  first record after {:.2} s",
            starts.last().copied().unwrap_or_default()
        );
    }
    let (steady, peak, seconds) = steady(bench, &loaded, &components).await?;
    println!("  {steady:.0} MiB, at most {peak:.0} MiB");
    let first = median(starts.iter().copied());
    let mut text = String::from("| what | measured | target |\n|---|--:|--:|\n");
    for (what, measured, target) in [
        ("`saltransform init`", format!("{init:.1} s"), "60 s"),
        (
            "from exec to the first record, median",
            format!("{first:.2} s"),
            "2 s",
        ),
        (
            "memory after each topic has sent",
            format!("{steady:.0} MiB"),
            "128 MiB",
        ),
        ("its peak", format!("{peak:.0} MiB"), ""),
        (
            "all topics' first messages taken within",
            format!("{seconds:.1} s"),
            "",
        ),
    ] {
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {what} | {measured} | {target} |");
    }
    let row = |row, value, most| Ratio {
        row,
        value,
        target: Target::Most(most),
    };
    Ok(Section {
        name: "topics",
        text,
        ratios: vec![
            row("topics-init", init, 60.0),
            row("topics-rss", steady, 128.0),
            row("topics-start", first, 2.0),
        ],
        json: json!({"topics": topics.len(), "init_s": init, "starts_s": starts, "steady_mib": steady, "peak_mib": peak,
            "all_taken_s": seconds}),
    })
}

/// Topics and one message of each.
struct Loaded<'t> {
    topics: Vec<(&'t Topic, Templates, String)>,
}

impl<'t> Loaded<'t> {
    fn new(topics: &'t [Topic]) -> Outcome<Self> {
        let load = |topic: &'t Topic| {
            let name = &topic.name;
            // Acknowledgements are never sent as text.
            let input = format!("{}_{}", name.component(), name.kind().wire_word());
            Ok((topic, topic.templates(1)?, input))
        };
        let sent = topics.iter().filter(|topic| topic.name.sal_name() != "ackcmd");
        Ok(Self {
            topics: sent.map(load).collect::<Outcome<_>>()?,
        })
    }

    fn outputs(&self) -> impl Iterator<Item = (&str, i32)> {
        self.topics
            .iter()
            .map(|(topic, ..)| (topic.kafka_topic.as_str(), 1))
    }
}

/// The schemas as files, as written by `kafkaefd salschema convert --write`; measures the process from exec
/// to exit.
pub(super) async fn init(bench: &Bench, topics: &[Topic]) -> Outcome<f64> {
    let folder: PathBuf = bench.args.logs.join(bench.fresh("observatory"));
    let doing = || format!("write {}", folder.display());
    std::fs::create_dir_all(&folder).doing(doing())?;
    for topic in topics {
        std::fs::write(folder.join(format!("{}.json", topic.name)), &topic.schema).doing(doing())?;
    }
    let text = folder.display().to_string();
    let arguments = [
        "init",
        "--interfaces",
        &text,
        "--dialect",
        "ts_xml",
        "--replication",
        "1",
    ];
    let mut process = bench.command("saltransform", &arguments)?;
    let status = process.wait(Duration::from_secs(300)).await?;
    let seconds = process.started.elapsed().as_secs_f64();
    std::fs::remove_dir_all(&folder).doing(format!("remove {}", folder.display()))?;
    if status.success() {
        Ok(seconds)
    } else {
        Err(Failure::Unexpected(format!(
            "{} failed: {status}",
            process.name()
        )))
    }
}

/// With a message already in the topic, measures the time from the stage's start to its record. The group's
/// position is known, as in production.
async fn start(bench: &Bench, loaded: &Loaded<'_>, components: &str) -> Outcome<f64> {
    let Some((topic, templates, input)) = loaded.topics.first() else {
        return Err(Failure::Unexpected("no topics".to_owned()));
    };
    let producer = bench.kafka.producer()?;
    let mut text = Vec::new();
    templates.write(1, stage::unix_micros(), &mut text);
    let output = (topic.kafka_topic.as_str(), 1);
    let from = bench.kafka.end([output].into_iter())?;
    send(&producer, input, None, &text)?;
    flush(&producer)?;
    let mut stage = run(bench, components)?;
    let started = stage.started;
    while bench.kafka.end([output].into_iter())? == from {
        stage.check()?;
        if started.elapsed() > Duration::from_secs(180) {
            return Err(Failure::Unexpected("no first record within 180 s".to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let seconds = started.elapsed().as_secs_f64();
    stage.stop().await?;
    Ok(seconds)
}

/// Each topic sends a few times; memory is measured when everything is quiet again, and a minute later.
async fn steady(bench: &Bench, loaded: &Loaded<'_>, components: &str) -> Outcome<(f64, f64, f64)> {
    let mut stage = run(bench, components)?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let producer = bench.kafka.producer()?;
    let mut text = Vec::new();
    let (mut first_round, begun) = (0.0, Instant::now());
    for round in 0..ROUNDS {
        let from = bench.kafka.end(loaded.outputs())?;
        let count = loaded.topics.len() as u64;
        for (_, templates, input) in &loaded.topics {
            templates.write(round, stage::unix_micros(), &mut text);
            send(&producer, input, None, &text)?;
        }
        while bench.kafka.end(loaded.outputs())? < from + count {
            stage.check()?;
            if begun.elapsed() > Duration::from_secs(180) {
                return Err(Failure::Unexpected(
                    "not all topics' records came within 180 s".to_owned(),
                ));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if round == 0 {
            first_round = begun.elapsed().as_secs_f64();
        }
    }
    let mut most = memory(stage.pid())?.resident;
    tokio::time::sleep(Duration::from_secs(bench.size(5, 45))).await;
    let now = memory(stage.pid())?;
    most = most.max(now.resident);
    stage.stop().await?;
    Ok((most as f64 / MIB, now.peak as f64 / MIB, first_round))
}

fn run(bench: &Bench, components: &str) -> Outcome<crate::process::Process> {
    let arguments = [
        "run",
        "--subsystem",
        components,
        "--dialect",
        "ts_xml",
        "--group",
        "bench-topics",
    ];
    bench.stage(
        "saltransform",
        &[&arguments[..], &["--auto-offset-reset", "earliest"]].concat(),
    )
}
