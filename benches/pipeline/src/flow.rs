//! The rate at which records come out: watches the end offsets of the output topics, and the CPU used
//! meanwhile.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Outcome};
use crate::kafka::Kafka;
use crate::process::Process;
use crate::usage;

/// The polling interval: a hundredth of a short measurement, and a negligible load for the broker.
const LOOK: Duration = Duration::from_millis(10);
/// The run fails after this long without a new record.
const STALLED: Duration = Duration::from_secs(60);

/// Measurements between the first poll that saw a record and the poll that saw the last one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pace {
    /// The number of messages in between.
    pub(crate) messages: u64,
    /// The time in between.
    pub(crate) seconds: f64,
    /// CPU seconds in between, by name.
    pub(crate) cpu: BTreeMap<String, f64>,
}

impl Pace {
    /// Messages per second.
    pub(crate) fn rate(&self) -> f64 {
        self.messages as f64 / self.seconds.max(1e-9)
    }

    /// CPU time per message, in microseconds.
    pub(crate) fn cpu_micros(&self, name: &str) -> f64 {
        self.cpu.get(name).copied().unwrap_or_default() * 1e6 / (self.messages as f64).max(1.0)
    }

    /// The number of cores used.
    pub(crate) fn cores(&self, name: &str) -> f64 {
        self.cpu.get(name).copied().unwrap_or_default() / self.seconds.max(1e-9)
    }
}

/// Readings of the CPU time of several processes, summed by name.
pub(crate) fn cpu_of(watched: &[(&str, u32)]) -> Outcome<BTreeMap<String, f64>> {
    let mut seconds = BTreeMap::new();
    for (name, pid) in watched {
        *seconds.entry((*name).to_owned()).or_insert(0.0) += usage::cpu(*pid)?.as_secs_f64();
    }
    Ok(seconds)
}

/// The difference of two readings.
pub(crate) fn since(before: &BTreeMap<String, f64>, mut now: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    for (name, seconds) in &mut now {
        *seconds -= before.get(name).copied().unwrap_or_default();
    }
    now
}

/// Watches a topic that already has `from` records until it has `count` more.
pub(crate) async fn watch(
    kafka: &Kafka,
    (topic, partitions): (&str, i32),
    from: u64,
    count: u64,
    processes: &mut [Process],
    watched: &[(&str, u32)],
) -> Outcome<Pace> {
    let mut first: Option<(Instant, u64, BTreeMap<String, f64>)> = None;
    let (mut last, mut moved) = (0, Instant::now());
    loop {
        let seen = kafka.end([(topic, partitions)].into_iter())?.saturating_sub(from);
        let now = Instant::now();
        if seen > last {
            (last, moved) = (seen, now);
        }
        match &first {
            None if seen > 0 => first = Some((now, seen, cpu_of(watched)?)),
            Some((since_when, at_first, before)) if seen >= count => {
                return Ok(Pace {
                    messages: seen - at_first,
                    seconds: now.duration_since(*since_when).as_secs_f64(),
                    cpu: since(before, cpu_of(watched)?),
                });
            }
            _ => {}
        }
        for process in processes.iter_mut() {
            process.check()?;
        }
        if moved.elapsed() > STALLED {
            let names: Vec<&str> = processes.iter().map(Process::name).collect();
            return Err(Failure::Unexpected(format!(
                "{last} of {count} records are in {topic}, and no more come from {}",
                names.join(", ")
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The median.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied().unwrap_or_default();
    if values.len() % 2 == 1 {
        return upper;
    }
    let lower = middle.checked_sub(1).and_then(|at| values.get(at));
    f64::midpoint(lower.copied().unwrap_or_default(), upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
    }
}
