//! The model of the Overview: the stages, the arrows between them, the groups, and what needs attention.

use std::collections::BTreeMap;
use std::time::Instant;

use operator::groups::GroupState;
use operator::stages::{DeadLetterCount, Snapshot, StageCounts, StageRow};

use super::course::Course;
use crate::params::link;

/// What the names of the topics have in common to which components send their telemetry as text.
const TELEMETRY_TOPICS: &str = "_telemetry";

/// The three stages that the pipeline has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StageKind {
    /// Stands for SAL.
    Salmock,
    /// Text to Avro.
    Saltransform,
    /// Avro to the database.
    Influxsink,
}

/// All processes of one stage.
#[derive(Debug, Clone, Default)]
pub(crate) struct StageView {
    /// How many processes are watched.
    pub(crate) processes: usize,
    /// Those that do not answer, and why.
    pub(crate) away: Vec<(String, String)>,
    /// What those that answer wait for.
    pub(crate) waiting: Vec<String>,
    /// How many have paused consuming.
    pub(crate) paused: usize,
    pub(crate) in_per_second: Option<f64>,
    pub(crate) out_per_second: Option<f64>,
    pub(crate) lag: Option<f64>,
    pub(crate) lag_seconds: Option<f64>,
    /// Time to transform a message, or of a request to the database: the slowest process.
    pub(crate) work: (Option<f64>, Option<f64>),
    /// Age of a point when the database has it.
    pub(crate) age: (Option<f64>, Option<f64>),
    pub(crate) counts: Option<StageCounts>,
    pub(crate) dead_letters: Vec<DeadLetterCount>,
    pub(crate) memory: Option<f64>,
    /// Dead letters of the last ten minutes.
    pub(crate) recent_dead_letters: f64,
    /// Whether all that was consumed is accounted for; none while that is not known.
    pub(crate) adds_up: Option<bool>,
    pub(crate) input: Option<Course>,
    pub(crate) output: Option<Course>,
    pub(crate) ages: Option<Course>,
    /// The lag of the last hour.
    pub(crate) lags: Option<Course>,
}

/// A consumer group.
#[derive(Debug, Clone)]
pub(crate) struct GroupView {
    pub(crate) name: String,
    pub(crate) state: GroupState,
    pub(crate) members: Option<usize>,
    pub(crate) lag: i64,
    /// How long its members need for the lag at the rate at which they commit; none while that is not known.
    pub(crate) seconds: Option<f64>,
    /// The last hour.
    pub(crate) course: Option<Course>,
}

/// Everything that the page shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overview {
    /// RFC 3339, in UTC.
    pub(crate) at: String,
    pub(crate) broker: String,
    /// None before the brokers have answered.
    pub(crate) brokers: Option<usize>,
    /// Why the brokers are unknown.
    pub(crate) brokers_away: Option<String>,
    /// Whether the brokers answer, but do not list groups.
    pub(crate) lists_no_groups: bool,
    pub(crate) stages: BTreeMap<StageKind, StageView>,
    /// Addresses that have not yet said what they are, or do not answer, and why.
    pub(crate) unknown: Vec<(String, String)>,
    pub(crate) groups: Vec<GroupView>,
    /// What needs attention, the worst first.
    pub(crate) troubles: Vec<Trouble>,
    /// The memory of the console's own process, in bytes.
    pub(crate) own_memory: Option<f64>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Data does not flow, or is lost.
    Bad,
    /// Somebody should look.
    Warning,
}

/// One thing that needs attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) severity: Severity,
    /// What it is about: `saltransform`.
    pub(crate) what: String,
    /// What is wrong, made safe to read.
    pub(crate) text: String,
    /// The page that shows more.
    pub(crate) page: String,
}

impl StageKind {
    /// All of them, in the order of the data flow.
    pub(crate) const ALL: [Self; 3] = [Self::Salmock, Self::Saltransform, Self::Influxsink];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Salmock => "salmock",
            Self::Saltransform => "saltransform",
            Self::Influxsink => "influxsink",
        }
    }

    /// Whether a group has the name of this stage in its own, as groups of stages do by default.
    fn reads_as(self, group: &GroupView) -> bool {
        group.name.contains(self.name())
    }

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Overview {
    /// What a snapshot says by itself; courses and troubles come from the hub.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let mut view = Self {
            at: snapshot.at.clone(),
            broker: snapshot.broker.clone(),
            ..Self::default()
        };
        for row in &snapshot.stages {
            match StageKind::of(&row.stage) {
                Some(kind) => view.stages.entry(kind).or_default().add(row),
                None => {
                    let why = row
                        .away
                        .clone()
                        .unwrap_or_else(|| "has not answered yet".to_owned());
                    view.unknown.push((row.url.clone(), why));
                }
            }
        }
        if let Some(kafka) = &snapshot.kafka {
            view.brokers = (kafka.away.is_none() || kafka.lists_no_groups).then_some(kafka.brokers);
            view.brokers_away = kafka.away.clone().filter(|_| !kafka.lists_no_groups);
            view.lists_no_groups = kafka.lists_no_groups;
            view.groups = kafka
                .groups
                .iter()
                .map(|group| GroupView {
                    name: group.group.clone(),
                    state: group.state,
                    members: group.members,
                    lag: group.lag,
                    seconds: None,
                    course: None,
                })
                .collect();
        }
        view
    }

    pub(crate) fn stage(&self, kind: StageKind) -> Option<&StageView> {
        self.stages.get(&kind)
    }

    /// The page that shows what a stage does: the text that SAL sends, or the group that reads; all groups where it is not
    /// known which of them is the stage's.
    pub(crate) fn page_of(&self, kind: StageKind) -> String {
        if kind == StageKind::Salmock {
            return link("topics", &[("q", TELEMETRY_TOPICS)]);
        }
        let mut groups = self.groups.iter().filter(|group| kind.reads_as(group));
        match (groups.next(), groups.next()) {
            (Some(group), None) => link("group", &[("name", &group.name)]),
            _ => "groups".to_owned(),
        }
    }
}

impl StageView {
    fn add(&mut self, row: &StageRow) {
        let most = |one: Option<f64>, other: Option<f64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        };
        let sum = |one: Option<f64>, other: Option<f64>| match (one, other) {
            (Some(one), Some(other)) => Some(one + other),
            (one, other) => one.or(other),
        };
        self.processes += 1;
        if let Some(why) = &row.away {
            self.away.push((row.url.clone(), why.clone()));
            return;
        }
        self.waiting.extend(row.waiting_for.iter().flatten().cloned());
        self.paused += usize::from(row.paused);
        self.in_per_second = sum(self.in_per_second, row.in_per_second);
        self.out_per_second = sum(self.out_per_second, row.out_per_second);
        self.lag = sum(self.lag, row.lag);
        self.lag_seconds = most(self.lag_seconds, row.lag_seconds);
        self.work = (most(self.work.0, row.work_p50), most(self.work.1, row.work_p99));
        self.age = (most(self.age.0, row.age_p50), most(self.age.1, row.age_p99));
        self.memory = sum(self.memory, row.memory_bytes);
        self.counts = match (self.counts, row.counts) {
            (Some(one), Some(other)) => Some(one.plus(other)),
            (one, other) => one.or(other),
        };
        for found in &row.dead_letter_counts {
            let same =
                |known: &&mut DeadLetterCount| known.step == found.step && known.reason == found.reason;
            match self.dead_letters.iter_mut().find(same) {
                Some(known) => known.count += found.count,
                None => self.dead_letters.push(found.clone()),
            }
        }
    }

    /// Whether all its processes answer, are ready and consume.
    pub(crate) fn is_well(&self) -> bool {
        self.away.is_empty() && self.waiting.is_empty() && self.paused == 0
    }
}

/// When a source that was asked at `now` had its last answer, as text.
pub(super) fn since(now: Instant, answered: Option<Instant>) -> String {
    match answered {
        Some(answered) => format!("for {} s", now.duration_since(answered).as_secs()),
        None => "since the start".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_leads_to_its_group_where_that_is_known() {
        let with = |names: &[&str]| Overview {
            groups: names
                .iter()
                .map(|name| GroupView {
                    name: (*name).to_owned(),
                    state: GroupState::Stable,
                    members: None,
                    lag: 0,
                    seconds: None,
                    course: None,
                })
                .collect(),
            ..Overview::default()
        };
        let page = |names: &[&str], kind| with(names).page_of(kind);
        let names = ["other", "influxsink-tucson", "saltransform"];
        assert_eq!(
            page(&names, StageKind::Influxsink),
            "group?name=influxsink-tucson"
        );
        assert_eq!(page(&names, StageKind::Saltransform), "group?name=saltransform");
        assert_eq!(
            page(&["a-influxsink", "b-influxsink"], StageKind::Influxsink),
            "groups"
        );
        assert_eq!(page(&[], StageKind::Saltransform), "groups");
        assert_eq!(page(&[], StageKind::Salmock), "topics?q=_telemetry");
    }
}
