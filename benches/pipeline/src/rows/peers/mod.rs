//! `peers-…`: influxsink compared with Telegraf, which does the same work at the observatory today, and with
//! a bare loop that posts prepared lines. The same records, the same InfluxDB or a discarding endpoint, in
//! turns, on one partition.

mod database;
mod runs;
mod telegraf;

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::failure::Outcome;
use crate::flow::median;
use crate::report::{Ratio, Section, Target, number};
use crate::schemas;
use crate::template::Topic;
use runs::{Contest, OURS, OURS_GZIP, Run};

pub(super) async fn measure(bench: &Bench) -> Outcome<Section> {
    let mut contests = Vec::new();
    let kinds = [
        (
            "azimuth, 23 fields",
            schemas::azimuth("PeerMount")?,
            bench.size(60_000, 300_000),
        ),
        (
            "forceActuatorData, 820 fields",
            schemas::force_actuators("PeerM1M3")?,
            bench.size(6_000, 12_000),
        ),
    ];
    for (what, topic, count) in kinds {
        contests.push(contest(bench, what, &topic, count).await?);
    }
    Ok(section(&contests))
}

async fn contest(bench: &Bench, what: &'static str, topic: &Topic, count: u64) -> Outcome<Contest> {
    println!("peers: {count} records of {what}");
    let mut contest = Contest::new(bench, what, topic, count).await?;
    for round in 0..bench.size(1, 3) {
        contest.round(bench, round).await?;
    }
    contest.tidy_up()?;
    Ok(contest)
}

/// The median of a contestant's runs.
fn middle(runs: &[Run], who: &str, into: &str, get: impl Fn(&Run) -> f64) -> f64 {
    let of = |run: &&Run| run.who == who && run.into == into;
    median(runs.iter().filter(of).map(get))
}

fn section(contests: &[Contest]) -> Section {
    let mut text = String::from(
        "| records | writer | into | messages/s | CPU µs a message | its cores | InfluxDB's cores | peak RSS MiB |\n\
         |---|---|---|--:|--:|--:|--:|--:|\n",
    );
    let (mut cpu, mut rate, mut bare, mut peak) = (f64::INFINITY, f64::INFINITY, f64::INFINITY, 0.0_f64);
    let mut checks = String::new();
    for contest in contests {
        let runs = &contest.runs;
        for (who, into) in [
            (OURS, "discard"),
            (OURS_GZIP, "discard"),
            ("Telegraf", "discard"),
            ("Telegraf", "its own discard"),
            ("bare loop", "discard"),
            (OURS, "InfluxDB"),
            (OURS_GZIP, "InfluxDB"),
            ("Telegraf", "InfluxDB"),
            ("bare loop", "InfluxDB"),
        ] {
            let of = |get: fn(&Run) -> f64| middle(runs, who, into, get);
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "| {} | {who} | {into} | {:.0} | {} | {:.2} | {:.2} | {:.0} |",
                contest.what,
                of(|run| run.pace.rate()),
                number(of(|run| run.cpu_micros)),
                of(|run| run.pace.cores("writer")),
                of(|run| run.pace.cores("influxdb")),
                of(|run| run.peak_mib),
            );
        }
        for into in ["discard", "InfluxDB"] {
            let of = |who, get: fn(&Run) -> f64| middle(runs, who, into, get);
            let rate_of = |who| of(who, |run| run.pace.rate());
            let cpu_of = |who| of(who, |run| run.cpu_micros);
            let less = cpu_of("Telegraf") / cpu_of(OURS);
            let less_gzip = cpu_of("Telegraf") / cpu_of(OURS_GZIP);
            let faster = rate_of(OURS) / rate_of("Telegraf");
            let of_bare = rate_of(OURS) / rate_of("bare loop");
            let _ = writeln!(
                text,
                "| | **ratio** | {into} | **{}** × Telegraf, **{}** × bare loop | **{}** × less (with gzip {} ×) | | | |",
                number(faster),
                number(of_bare),
                number(less),
                number(less_gzip)
            );
            cpu = cpu.min(less);
            if into == "InfluxDB" {
                (rate, bare) = (rate.min(faster), bare.min(of_bare));
            }
        }
        let peaks = runs
            .iter()
            .filter(|run| run.who == OURS || run.who == OURS_GZIP)
            .map(|run| run.peak_mib);
        peak = peaks.fold(peak, f64::max);
        let _ = writeln!(checks, "- {}: {}", contest.what, contest.check);
    }
    let row = |row, value, target| Ratio { row, value, target };
    Section {
        name: "peers",
        text: format!("{text}\nWhat InfluxDB holds afterwards, each writer's bucket for itself:\n\n{checks}"),
        ratios: vec![
            row("peers-cpu", cpu, Target::Least(20.0)),
            row("peers-rss", peak, Target::Most(64.0)),
            row("peers-throughput", rate, Target::Least(2.5)),
            row("peers-bare-loop", bare, Target::Least(0.9)),
        ],
        json: contests.iter().map(json).collect(),
    }
}

fn json(contest: &Contest) -> Value {
    let one = |run: &Run| {
        json!({"writer": run.who, "into": run.into, "messages_s": run.pace.rate(),
            "cpu_us": run.cpu_micros, "influxdb_cores": run.pace.cores("influxdb"), "peak_mib": run.peak_mib})
    };
    let runs: Vec<Value> = contest.runs.iter().map(one).collect();
    json!({"records": contest.what, "check": contest.check, "runs": runs})
}
