//! Looks at the snapshot once an interval, remembers the course of its values, and hands the model to all who show it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use operator::stages::{BrokersWatcher, Snapshot, StageSource, Watch};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::course::Course;
use super::overview::{Overview, StageKind, StageView};
use super::trouble;

const RATES_DURATION: Duration = Duration::from_secs(600);
const LAGS_DURATION: Duration = Duration::from_secs(3_600);
/// The rate at which a group commits is measured over this time.
const COMMITS_DURATION: Duration = Duration::from_secs(60);
/// Samples of a course: as many as a small plot has room for.
const SAMPLES: u32 = 240;
/// Looks in a row in which messages must be missing from the counts, as counters are not read at one moment.
const LOOKS: usize = 10;
/// Groups whose course is remembered.
const MAX_GROUPS: usize = 200;

/// Keeps the model up to date until it is dropped.
pub(crate) struct Hub {
    model: watch::Receiver<Arc<Overview>>,
    task: AbortHandle,
}

/// What is remembered from look to look.
#[derive(Default)]
struct Memory {
    of_stages: BTreeMap<StageKind, StageMemory>,
    of_groups: HashMap<String, GroupMemory>,
}

struct GroupMemory {
    lag: Course,
    committed: Course,
}

impl Default for GroupMemory {
    fn default() -> Self {
        Self {
            lag: Course::new(LAGS_DURATION, SAMPLES),
            committed: Course::new(COMMITS_DURATION, SAMPLES),
        }
    }
}

struct StageMemory {
    input: Course,
    output: Course,
    ages: Course,
    lags: Course,
    dead_letters: Course,
    unaccounted: Course,
}

impl Default for StageMemory {
    fn default() -> Self {
        let course = || Course::new(RATES_DURATION, SAMPLES);
        Self {
            input: course(),
            output: course(),
            ages: course(),
            lags: Course::new(LAGS_DURATION, SAMPLES),
            dead_letters: course(),
            unaccounted: Course::new(RATES_DURATION, u32::MAX),
        }
    }
}

impl Hub {
    /// Begins to look. To be called within a runtime.
    pub(crate) fn start(stages: Vec<StageSource>, brokers: BrokersWatcher, interval: Duration) -> Self {
        let watch = Watch::start(stages, brokers, interval);
        let (sender, model) = watch::channel(Arc::default());
        let task = tokio::spawn(async move {
            let mut memory = Memory::default();
            let mut tick = tokio::time::interval(interval);
            loop {
                tick.tick().await;
                sender.send_replace(Arc::new(memory.look(&watch.latest(), Instant::now())));
            }
        });
        Self {
            model,
            task: task.abort_handle(),
        }
    }

    /// The newest model, and each one that follows.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Overview>> {
        self.model.clone()
    }

    /// The newest model.
    pub(crate) fn latest(&self) -> Arc<Overview> {
        Arc::clone(&self.model.borrow())
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Memory {
    fn look(&mut self, snapshot: &Snapshot, now: Instant) -> Overview {
        let mut view = Overview::of(snapshot);
        for (kind, stage) in &mut view.stages {
            self.of_stages.entry(*kind).or_default().look(stage, now);
        }
        let names: Vec<&str> = view.groups.iter().map(|group| group.name.as_str()).collect();
        self.of_groups.retain(|name, _| names.contains(&name.as_str()));
        let committed = |name: &str| {
            let groups = snapshot.kafka.as_ref().map(|kafka| kafka.groups.as_slice());
            let group = groups?.iter().find(|group| group.group == name)?;
            Some(
                group
                    .partitions
                    .iter()
                    .filter_map(|row| row.committed)
                    .sum::<i64>() as f64,
            )
        };
        for group in view.groups.iter_mut().take(MAX_GROUPS) {
            let memory = self.of_groups.entry(group.name.clone()).or_default();
            memory.lag.push(now, Some(group.lag as f64));
            memory.committed.push(now, committed(&group.name));
            group.course = Some(memory.lag.clone());
            group.seconds = match memory.committed.growth_per_second() {
                _ if group.lag == 0 => Some(0.0),
                Some(rate) if rate > 0.0 => Some(group.lag as f64 / rate),
                _ => None,
            };
        }
        view.own_memory = own_memory();
        view.troubles = trouble::find(&view, snapshot, now);
        view
    }
}

impl StageMemory {
    fn look(&mut self, stage: &mut StageView, now: Instant) {
        self.input.push(now, stage.in_per_second);
        self.output.push(now, stage.out_per_second);
        self.ages.push(now, stage.age.1);
        self.lags.push(now, stage.lag);
        if let Some(counts) = stage.counts {
            self.dead_letters.push(now, Some(counts.dead_letters as f64));
            self.unaccounted.push(now, Some(counts.unaccounted() as f64));
            let newest: Vec<f64> = self.unaccounted.newest(LOOKS).collect();
            // Messages are missing if they are missing at each look, and never too many.
            let is_off = |sign: f64| newest.len() == LOOKS && newest.iter().all(|off| off * sign > 0.0);
            stage.adds_up = Some(!is_off(1.0) && !is_off(-1.0));
        }
        stage.recent_dead_letters = self.dead_letters.growth();
        stage.input = Some(self.input.clone());
        stage.output = Some(self.output.clone());
        stage.ages = Some(self.ages.clone());
        stage.lags = stage.lag.map(|_| self.lags.clone());
    }
}

/// The memory of this process, where the system says it.
fn own_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024.0)
}
