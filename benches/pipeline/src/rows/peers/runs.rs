//! The runs of one contest: saltransform produces the records once, and each writer consumes them in turn.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rdkafka::consumer::BaseConsumer;
use serde_json::Value;

use super::database::Database;
use super::telegraf::{self, Into};
use crate::bench::Bench;
use crate::endpoint::Endpoint;
use crate::failure::{Doing, Failure, Outcome};
use crate::flow::{Pace, cpu_of, since, watch};
use crate::kafka::Kafka;
use crate::metrics::Metrics;
use crate::process::Process;
use crate::template::Topic;
use crate::usage::{cpu, memory};

/// influxsink with its defaults, and with settings for a remote database.
pub(super) const OURS: &str = "influxsink";
pub(super) const OURS_GZIP: &str = "influxsink --gzip";
const MIB: f64 = 1024.0 * 1024.0;
/// The interval for polling a writer's progress. Polling influxsink costs it CPU time: with InfluxDB, whose
/// runs take tens of seconds, it is polled less often, except at the beginning and the end.
const LOOK: Duration = Duration::from_millis(50);
const LOOK_INFLUXDB: Duration = Duration::from_millis(500);
const STALLED: Duration = Duration::from_secs(90);

/// One writer's run.
pub(super) struct Run {
    pub(super) who: &'static str,
    pub(super) into: &'static str,
    pub(super) pace: Pace,
    /// CPU time per record since the start of the process, because a writer that reads ahead has done work
    /// before its first point is written.
    pub(super) cpu_micros: f64,
    pub(super) peak_mib: f64,
}

/// All runs with one kind of record.
pub(super) struct Contest {
    pub(super) what: &'static str,
    pub(super) runs: Vec<Run>,
    /// The contents of InfluxDB afterwards, as text.
    pub(super) check: String,
    topic: Topic,
    count: u64,
    lines: PathBuf,
}

/// The source of a writer's progress.
enum Progress {
    /// influxsink's counter of points stored by the database.
    Metric,
    /// The offset that Telegraf has committed.
    Committed(BaseConsumer),
}

impl Contest {
    /// Produces the records, and the lines for the bare loop.
    pub(super) async fn new(bench: &Bench, what: &'static str, topic: &Topic, count: u64) -> Outcome<Self> {
        let input = bench.load(topic, &topic.templates(2_000)?, 1, count).await?;
        let group = bench.fresh("bench-peers");
        let arguments = [
            "run",
            "--topic",
            &input,
            "--group",
            &group,
            "--auto-offset-reset",
            "earliest",
        ];
        let transform = bench.stage(
            "saltransform",
            &[&arguments[..], &["--dialect", "ts_xml"]].concat(),
        )?;
        let mut processes = [transform];
        watch(
            &bench.kafka,
            (&topic.kafka_topic, 1),
            0,
            count,
            &mut processes,
            &[],
        )
        .await?;
        let [transform] = processes;
        transform.stop().await?;
        let contest = Self {
            what,
            runs: Vec::new(),
            check: String::new(),
            topic: topic.clone(),
            count,
            lines: bench.args.logs.join(bench.fresh("lines")),
        };
        let endpoint = Endpoint::keeping(&contest.lines, &bench.http).await?;
        contest
            .influxsink(bench, OURS, "file", &endpoint.url(), "none")
            .await?;
        Ok(contest)
    }

    /// Runs every writer once per round; each round starts with a different one.
    pub(super) async fn round(&mut self, bench: &Bench, round: usize) -> Outcome<()> {
        let discard = Endpoint::discarding(&bench.http).await?;
        let nowhere = discard.url();
        let (influxdb, token) = (
            bench.services.get("INFLUXDB_URL")?,
            bench.services.get("INFLUXDB_TOKEN")?,
        );
        let org = bench.services.get("INFLUXDB_ORG")?;
        for who in [OURS, OURS_GZIP] {
            let ours = self.influxsink(bench, who, "discard", &nowhere, "none").await?;
            self.note(ours);
        }
        let to = Into::Influx {
            url: &nowhere,
            token,
            org,
            bucket: "none",
        };
        let theirs = self.telegraf(bench, "discard", &to).await?;
        self.note(theirs);
        let theirs = self.telegraf(bench, "its own discard", &Into::Nowhere).await?;
        self.note(theirs);
        let bare = self.bare(bench, "discard", &nowhere, "none").await?;
        self.note(bare);

        let database = Database::new(bench)?;
        let mut fields = Vec::new();
        // The database's heap is not the same for the first and the last writer of a round.
        let mut order = [OURS, OURS_GZIP, "Telegraf", "bare loop"];
        order.rotate_left(round % 4);
        for who in order {
            let bucket = bench.fresh("bench");
            let id = database.create(&bucket).await?;
            let to = Into::Influx {
                url: influxdb,
                token,
                org,
                bucket: &bucket,
            };
            let run = match who {
                OURS | OURS_GZIP => self.influxsink(bench, who, "InfluxDB", influxdb, &bucket).await?,
                "Telegraf" => self.telegraf(bench, "InfluxDB", &to).await?,
                _ => self.bare(bench, "InfluxDB", influxdb, &bucket).await?,
            };
            self.note(run);
            if round == 0 && (who == OURS || who == "Telegraf") {
                let measurement = format!(
                    "lsst.sal.{}.{}",
                    self.topic.name.component(),
                    self.topic.name.sal_name()
                );
                fields.push(database.fields(&bucket, &measurement).await?);
            }
            database.remove(&id).await?;
        }
        if let [ours, theirs] = fields.as_slice() {
            let points =
                |of: &std::collections::BTreeMap<String, u64>| of.values().copied().max().unwrap_or_default();
            let only = |one: &std::collections::BTreeMap<String, u64>,
                        other: &std::collections::BTreeMap<String, u64>| {
                one.iter()
                    .filter(|(name, count)| other.get(*name) != Some(count))
                    .count()
            };
            self.check = format!(
                "influxsink {} points of {} fields, Telegraf {} points of {} fields; {} fields differ in name or count",
                points(ours),
                ours.len(),
                points(theirs),
                theirs.len(),
                only(ours, theirs).max(only(theirs, ours)),
            );
            println!("  {}", self.check);
        }
        Ok(())
    }

    /// Removes the lines.
    pub(super) fn tidy_up(&self) -> Outcome<()> {
        std::fs::remove_file(&self.lines).doing(format!("remove {}", self.lines.display()))
    }

    fn note(&mut self, run: Run) {
        println!(
            "  {:<17} into {:<15} {:>7.0}/s {:>8.2} µs {:>6.0} MiB, influxdb {:.2} cores",
            run.who,
            run.into,
            run.pace.rate(),
            run.cpu_micros,
            run.peak_mib,
            run.pace.cores("influxdb"),
        );
        self.runs.push(run);
    }

    async fn influxsink(
        &self,
        bench: &Bench,
        who: &'static str,
        into: &'static str,
        url: &str,
        bucket: &str,
    ) -> Outcome<Run> {
        let group = bench.fresh("bench-influxsink");
        let topic = self.topic.kafka_topic.as_str();
        let mut arguments = vec!["run", topic, "--group", &group, "--into", url, "--bucket", bucket];
        arguments.extend((who == OURS_GZIP).then_some("--gzip"));
        let process = bench.stage("influxsink", &arguments)?;
        self.finish(bench, who, into, process, &Progress::Metric).await
    }

    async fn telegraf(&self, bench: &Bench, into: &'static str, to: &Into<'_>) -> Outcome<Run> {
        let group = bench.fresh("bench-telegraf");
        let (broker, registry) = (
            bench.services.get("BROKER")?,
            bench.services.get("SCHEMAREGISTRY")?,
        );
        let text = telegraf::configuration(broker, registry, &self.topic.kafka_topic, &group, to);
        let file = bench.args.logs.join("telegraf.toml");
        std::fs::write(&file, text).doing(format!("write {}", file.display()))?;
        let program = bench.services.get("TELEGRAF")?;
        let arguments = ["--config".to_owned(), file.display().to_string()];
        let process = bench.start("telegraf", std::path::Path::new(program), &arguments, 0)?;
        let progress = Progress::Committed(bench.kafka.member_of(&group)?);
        self.finish(bench, "Telegraf", into, process, &progress).await
    }

    /// Watches a writer until it has written everything.
    async fn finish(
        &self,
        bench: &Bench,
        who: &'static str,
        into: &'static str,
        mut process: Process,
        progress: &Progress,
    ) -> Outcome<Run> {
        let watched = [
            ("writer", process.pid()),
            ("influxdb", bench.services.pid("influxdb2")?),
        ];
        let look = if into == "InfluxDB" { LOOK_INFLUXDB } else { LOOK };
        let (mut first, mut last, mut moved) = (None, 0, Instant::now());
        let pace = loop {
            let written = match progress {
                Progress::Metric => match Metrics::of(bench, &process).await {
                    Ok(metrics) => metrics.get("influxsink_written_total") as u64,
                    // Its port opens a moment after the start.
                    Err(_) => 0,
                },
                Progress::Committed(client) => {
                    Kafka::committed(client, [(self.topic.kafka_topic.as_str(), 1)].into_iter())?
                }
            };
            let now = Instant::now();
            if written > last {
                (last, moved) = (written, now);
            }
            match &first {
                None if written > 0 => first = Some((now, written, cpu_of(&watched)?)),
                Some((begun, at_first, before)) if written >= self.count => {
                    break Pace {
                        messages: written - at_first,
                        seconds: now.duration_since(*begun).as_secs_f64(),
                        cpu: since(before, cpu_of(&watched)?),
                    };
                }
                _ => {}
            }
            process.check()?;
            if moved.elapsed() > STALLED {
                return Err(Failure::Unexpected(format!(
                    "{} has written {last} of {} records, and no more",
                    process.name(),
                    self.count
                )));
            }
            let pause = first.as_ref().map_or(LOOK, |(begun, at_first, _)| {
                let done = written.saturating_sub(*at_first).max(1) as f64;
                let left = self.count.saturating_sub(written) as f64;
                now.duration_since(*begun).mul_f64(left / done / 2.0)
            });
            tokio::time::sleep(pause.clamp(LOOK, look)).await;
        };
        let peak_mib = memory(process.pid())?.peak as f64 / MIB;
        let cpu_micros = cpu(process.pid())?.as_secs_f64() * 1e6 / self.count as f64;
        process.stop().await?;
        Ok(Run {
            who,
            into,
            pace,
            cpu_micros,
            peak_mib,
        })
    }

    /// The yardstick itself reports how long it took.
    async fn bare(&self, bench: &Bench, into: &'static str, url: &str, bucket: &str) -> Outcome<Run> {
        let org = bench.services.get("INFLUXDB_ORG")?;
        let url = format!("{url}/api/v2/write?org={org}&bucket={bucket}&precision=us");
        let (lines, result) = (
            self.lines.display().to_string(),
            bench.args.logs.join(bench.fresh("posted")),
        );
        let result_text = result.display().to_string();
        let influxdb = [("influxdb", bench.services.pid("influxdb2")?)];
        let before = cpu_of(&influxdb)?;
        let mut process = bench.yardstick(
            "post",
            &["--lines", &lines, "--url", &url, "--result", &result_text],
        )?;
        let status = process.wait(Duration::from_secs(300)).await?;
        let mut used = since(&before, cpu_of(&influxdb)?);
        let doing = || format!("read what {} did ({status})", process.name());
        let text = std::fs::read(&result).doing(doing())?;
        let said: Value = serde_json::from_slice(&text).doing(doing())?;
        std::fs::remove_file(&result).doing(doing())?;
        let number = |key: &str| said[key].as_f64().unwrap_or_default();
        let own = number("cpu_s");
        used.insert("writer".to_owned(), own);
        Ok(Run {
            who: "bare loop",
            into,
            pace: Pace {
                messages: number("points") as u64,
                seconds: number("seconds"),
                cpu: used,
            },
            cpu_micros: own * 1e6 / self.count as f64,
            // All lines are in its memory, so it is not comparable.
            peak_mib: 0.0,
        })
    }
}
