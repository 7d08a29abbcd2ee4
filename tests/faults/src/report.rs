//! The measurements: the table, the summary line, and the files that contain both.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::config::Args;
use crate::failure::Outcome;
use crate::kind::Kind;
use crate::ledger::{Due, Entry};
use crate::report_files::{around_the_marks, marks, read, write};
use crate::world::World;
use stage::lock;

#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) kind: Kind,
    /// The ledger's number of the window in which it happened.
    pub(crate) window: usize,
    pub(crate) victim: String,
    /// The faults that it consisted of, if there were several.
    pub(crate) parts: Vec<Kind>,
    pub(crate) lasted: Duration,
    /// The time from its end until everything sent before had its outcome; `None` if that did not happen.
    pub(crate) recovered: Option<Duration>,
    /// The time from its end until all replicas of every partition were in sync as well.
    pub(crate) healed: Duration,
    /// The time from its beginning to the end of the check at rest.
    pub(crate) took: Duration,
    pub(crate) complaints: Vec<String>,
    pub(crate) stuck: Vec<String>,
}

/// The account of a whole run.
#[derive(Debug)]
pub(crate) struct Report {
    measured: Vec<Measured>,
    /// Window 0 has what was sent outside of any fault.
    tallies: Vec<Tally>,
    repeated_letters: u64,
    stuck: Vec<String>,
    complaints: Vec<String>,
    /// The number of all complaints, including those not kept as text.
    complained: usize,
    took: Duration,
    command: String,
    exactly_once: bool,
}

/// The outcomes of the messages in a window, or in several.
#[derive(Debug, Default, Clone)]
struct Tally {
    sent: u64,
    arrived: u64,
    dead: u64,
    skipped: u64,
    /// Deleted by retention before their stage read them.
    taken: u64,
    /// Without their own point, because another message with the same time has it.
    overwritten: u64,
    lost: u64,
    duplicated: u64,
    /// Records in the output topics beyond the first of their message.
    repeated: u64,
}

impl Measured {
    /// For the progress output.
    pub(crate) fn line(&self) -> String {
        let recovered = self.recovered.map_or("NOT RECOVERED".to_owned(), |time| {
            format!("back after {:5.1} s", time.as_secs_f64())
        });
        let [lasted, healed, took] = [self.lasted, self.healed, self.took].map(|time| time.as_secs_f64());
        format!(
            "lasted {lasted:4.1} s  {recovered}  in step {healed:5.1} s  all {took:5.1} s  {}",
            self.victim
        )
    }
}

impl Tally {
    fn add(&mut self, entry: &Entry, exactly_once: bool) {
        let has_fate = match entry.due {
            Due::Stored => entry.stored || entry.taken,
            Due::Dead(..) => entry.letters > 0 || entry.taken,
            Due::Shares => entry.stored || entry.overwritten,
            Due::Skipped(_) => entry.skipped || entry.taken,
        };
        let repeated = u64::from(entry.records.saturating_sub(1));
        let weight = entry.weight;
        self.sent += weight;
        self.arrived += weight * u64::from(entry.stored);
        self.dead += weight * u64::from(entry.letters > 0);
        self.skipped += weight * u64::from(entry.skipped);
        self.taken += weight * u64::from(entry.taken);
        self.overwritten += weight * u64::from(entry.overwritten);
        self.repeated += repeated;
        if !has_fate {
            self.lost += weight;
        } else if entry.wrong > 0 || exactly_once && repeated > 0 && !entry.may_repeat {
            self.duplicated += weight;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.arrived += other.arrived;
        self.dead += other.dead;
        self.skipped += other.skipped;
        self.taken += other.taken;
        self.overwritten += other.overwritten;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.repeated += other.repeated;
    }

    fn json(&self) -> Value {
        json!({
            "sent": self.sent, "arrived": self.arrived, "dead_lettered": self.dead, "skipped": self.skipped,
            "taken_by_retention": self.taken, "overwritten": self.overwritten,
            "lost": self.lost, "duplicated": self.duplicated, "records_repeated_in_kafka": self.repeated,
        })
    }
}

impl Report {
    /// Reads the ledger.
    pub(crate) fn new(world: &World, measured: Vec<Measured>, took: Duration, args: &Args) -> Self {
        let ledger = lock(&world.ledger);
        let windows = measured.iter().map(|one| one.window).max().unwrap_or_default();
        let mut tallies = vec![Tally::default(); windows + 1];
        for entry in &ledger.entries {
            if let Some(tally) = tallies.get_mut(entry.window) {
                tally.add(entry, args.exactly_once);
            }
        }
        let command: Vec<String> = std::env::args().skip(1).collect();
        Self {
            measured,
            tallies,
            repeated_letters: ledger.repeated_letters,
            stuck: ledger.stuck().to_vec(),
            complaints: ledger.complaints().0.to_vec(),
            complained: ledger.complaints().0.len() + ledger.complaints().1,
            took,
            command: format!("faults {}", command.join(" ")),
            exactly_once: args.exactly_once,
        }
    }

    /// Whether nothing was lost, duplicated or stuck, and there were no complaints.
    pub(crate) fn is_clean(&self) -> bool {
        let all = self.all();
        all.lost == 0 && all.duplicated == 0 && self.stuck.is_empty() && self.complained == 0
    }

    /// Prints the account and writes the requested files.
    pub(crate) fn write(&self, args: &Args) -> Outcome<()> {
        println!("\n{}", self.table());
        for stuck in &self.stuck {
            println!("stuck: {stuck}");
        }
        for complaint in &self.complaints {
            println!("complaint: {complaint}");
        }
        if self.complained > self.complaints.len() {
            println!("complaints: {} in all", self.complained);
        }
        println!("{}", self.verdict());
        if let Some(path) = &args.json {
            write(path, &format!("{:#}\n", self.json()))?;
        }
        if let Some(path) = &args.report {
            let text = read(path)?;
            write(path, &self.put_between_the_marks(&text, path)?)?;
        }
        Ok(())
    }

    fn all(&self) -> Tally {
        let mut all = Tally::default();
        self.tallies.iter().for_each(|tally| all.merge(tally));
        all
    }

    fn kinds(&self) -> Vec<Kind> {
        let happened = |kind: &Kind| self.measured.iter().any(|one| one.kind == *kind);
        Kind::value_variants().iter().copied().filter(happened).collect()
    }

    /// The summary line.
    fn verdict(&self) -> String {
        let all = self.all();
        format!(
            "FAULTS injected={} kinds={} lost={} duplicated={} stuck={}",
            self.measured.len(),
            self.kinds().len(),
            all.lost,
            all.duplicated,
            self.stuck.len()
        )
    }

    /// A row for each kind, one for the time between faults, and the sum.
    fn table(&self) -> String {
        let mut text = String::from(
            "| fault | times | sent | arrived | dead-lettered | skipped | taken by retention | overwritten | lost | duplicated | repeated in Kafka | recovery p50 | max |\n\
             |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        );
        for kind in self.kinds() {
            let ones: Vec<&Measured> = self.measured.iter().filter(|one| one.kind == kind).collect();
            let mut tally = Tally::default();
            for one in &ones {
                tally.merge(self.tallies.get(one.window).unwrap_or(&Tally::default()));
            }
            row(
                &mut text,
                kind.name(),
                &ones.len().to_string(),
                &tally,
                &recoveries(&ones),
            );
        }
        let none = [String::new(), String::new()];
        row(
            &mut text,
            "between faults",
            "",
            self.tallies.first().unwrap_or(&Tally::default()),
            &none,
        );
        let all: Vec<&Measured> = self.measured.iter().collect();
        row(
            &mut text,
            "**all**",
            &all.len().to_string(),
            &self.all(),
            &recoveries(&all),
        );
        text
    }

    fn section(&self) -> String {
        let minutes = self.took.as_secs_f64() / 60.0;
        format!(
            "`{}`: {minutes:.0} minutes, {} messages.\n\n{}\nDead letters beyond the first of their origin (at-least-once may repeat \
             them): {}. Complaints (counts that do not add up, processes that ended by themselves, fates that nobody \
             expected): {}.\n\n```text\n{}\n```\n",
            self.command,
            self.all().sent,
            self.table(),
            self.repeated_letters,
            self.complained,
            self.verdict(),
        )
    }

    fn put_between_the_marks(&self, text: &str, path: &Path) -> Outcome<String> {
        let (head, tail) = around_the_marks(text, path, self.exactly_once)?;
        let [begin, end] = marks(self.exactly_once);
        Ok(format!("{head}{begin}\n{}{end}{tail}", self.section()))
    }

    fn json(&self) -> Value {
        let faults: Vec<Value> = self
            .measured
            .iter()
            .map(|one| {
                json!({
                    "fault": one.kind.name(), "victim": one.victim,
                    "parts": one.parts.iter().map(|kind| kind.name()).collect::<Vec<_>>(), "stuck": one.stuck, "lasted_s": one.lasted.as_secs_f64(),
                    "in_step_s": one.healed.as_secs_f64(),
                    "recovered_s": one.recovered.map(|time| time.as_secs_f64()), "complaints": one.complaints,
                    "messages": self.tallies.get(one.window).map(Tally::json),
                })
            })
            .collect();
        json!({
            "verdict": self.verdict(), "command": self.command, "seconds": self.took.as_secs_f64(),
            "messages": self.all().json(), "dead_letters_repeated": self.repeated_letters,
            "complaints": self.complaints, "stuck": self.stuck, "faults": faults,
        })
    }
}

fn row(text: &mut String, name: &str, times: &str, tally: &Tally, [p50, max]: &[String; 2]) {
    let Tally {
        sent,
        arrived,
        dead,
        skipped,
        taken,
        overwritten,
        lost,
        duplicated,
        repeated,
    } = tally;
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "| {name} | {times} | {sent} | {arrived} | {dead} | {skipped} | {taken} | {overwritten} | {lost} | {duplicated} | {repeated} | {p50} | {max} |"
    );
}

/// The median and the longest time to recover.
fn recoveries(ones: &[&Measured]) -> [String; 2] {
    let mut times: Vec<Duration> = ones.iter().filter_map(|one| one.recovered).collect();
    times.sort_unstable();
    let seconds = |time: Option<&Duration>| {
        time.map_or("never".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()))
    };
    let max = if times.len() < ones.len() {
        None
    } else {
        times.last()
    };
    [seconds(times.get(times.len() / 2)), seconds(max)]
}
