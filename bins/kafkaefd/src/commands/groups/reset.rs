//! `groups reset`: shows where a group would go on, and moves it there if asked to.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use serde::Serialize;
use stage::config::KafkaArgs;

use super::reset_plan::{Move, Target};
use super::{UNTOLD, refuse_active, who_is_in};
use crate::commands::reach;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Consent, Table, bad, count, good, note, plural, warn};
use operator::cluster::{Cluster, Group, GroupState, Place, Position};
use operator::failure::Failure;

/// Show where a group would go on reading, and with --execute move it there
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "A group is moved only while nobody is in it. Offsets that a partition does not hold become the nearest one \
                  that it does.\n\n\
                  Example: kafkaefd groups reset saltransform --to datetime=2026-11-21T10:00:00Z --execute"
)]
pub(super) struct ResetArgs {
    /// Name of the group
    group: String,
    /// earliest, latest, offset=N, datetime=MOMENT (2026-11-21T10:00:00Z, 2026-11-21, -90m) or shift=±N
    #[arg(long, value_name = "TARGET")]
    to: Target,
    /// Only this topic, as often as needed, with its partitions that have no offset yet; without it, all partitions that
    /// have one
    #[arg(long = "topic", value_name = "NAME")]
    topics: Vec<String>,
    /// Show the plan and change nothing; that is what happens without --execute, too
    #[arg(long, conflicts_with = "execute")]
    dry_run: bool,
    /// Do it
    #[arg(long)]
    execute: bool,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(Serialize)]
struct Answer {
    group: String,
    state: GroupState,
    executed: bool,
    moves: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    planned: Move,
    /// Whether the group has the offset now; null in a plan.
    moved: Option<bool>,
}

impl ResetArgs {
    pub(super) fn run(&self) -> Result<Done, Failure> {
        let cluster = reach(&self.kafka)?;
        let group = cluster.group(&self.group)?;
        if self.execute {
            refuse_active(&group, "moving")?;
        } else if group.is_active() {
            note(&warn(format!(
                "--execute will be refused: {}",
                stage::Printable(who_is_in(&group))
            )));
        }
        if group.state == GroupState::Untold {
            note(&warn(format!(
                "{UNTOLD}; if there are any, the broker refuses to move it"
            )));
        }
        let moves = self.plan(&cluster, &group)?;
        let mut rows: Vec<Row> = moves
            .into_iter()
            .map(|planned| Row { planned, moved: None })
            .collect();
        if self.execute {
            self.execute(&cluster, &mut rows)?;
        }
        let answer = Answer {
            group: group.name,
            state: group.state,
            executed: self.execute,
            moves: rows,
        };
        self.answer.print(&answer, || table(&answer.moves))?;
        if !self.execute {
            note(&"nothing was changed; --execute does it");
        }
        let all = answer.moves.iter().all(|row| row.moved != Some(false));
        Ok(if all { Done::All } else { Done::Partly })
    }

    fn plan(&self, cluster: &Cluster, group: &Group) -> Result<Vec<Move>, Failure> {
        let committed = cluster.committed(&group.name)?;
        let mut places: BTreeSet<Place> = BTreeSet::new();
        if self.topics.is_empty() {
            places.extend(committed.keys().cloned());
        }
        for name in &self.topics {
            let topic = cluster.topic(name)?;
            places.extend(topic.numbers().map(|number| (name.clone(), number)));
        }
        let at = self.offsets_at(cluster, &places)?;
        let mut moves = Vec::new();
        let mut fresh = 0;
        for (place, (oldest, newest)) in cluster.bounds(&places)? {
            let position = Position {
                committed: committed.get(&place).copied(),
                oldest,
                newest,
                nothing_to_read: false,
                topic: place.0.clone(),
                partition: place.1,
            };
            match self.to.of(&position, at.get(&place).copied()) {
                Some(planned) => moves.push(planned),
                None => fresh += 1,
            }
        }
        if fresh > 0 {
            note(&warn(format!(
                "{} left out: nothing is committed there that could be shifted",
                plural(fresh, "partition")
            )));
        }
        if moves.is_empty() {
            return Err(Failure::Refused {
                what: format!("moving {}", group.name),
                reason: "it has no offsets there".to_owned(),
                hint: "name topics with --topic to give it offsets in them".to_owned(),
            });
        }
        Ok(moves)
    }

    /// The partitions' first offsets at or after the moment, if the target is one.
    fn offsets_at(
        &self,
        cluster: &Cluster,
        places: &BTreeSet<Place>,
    ) -> Result<BTreeMap<Place, i64>, Failure> {
        let Target::Datetime(moment) = self.to else {
            return Ok(BTreeMap::new());
        };
        cluster.offsets_of(places, moment)
    }

    /// Commits in the group's name without joining it, which the broker takes from nobody while the group has members:
    /// whoever joined since we looked is safe. What the group has then is read back.
    fn execute(&self, cluster: &Cluster, rows: &mut [Row]) -> Result<(), Failure> {
        if !self.answer.json {
            note(&table(rows));
        }
        self.consent.ask(&format!(
            "move {} to {} in {} at {}",
            self.group,
            self.named_target(),
            plural(rows.len(), "partition"),
            self.kafka.broker
        ))?;
        let what = || format!("moving {}", self.group);
        let mut wanted = TopicPartitionList::new();
        for Row { planned, .. } in rows.iter() {
            wanted
                .add_partition_offset(&planned.topic, planned.partition, Offset::Offset(planned.to))
                .map_err(Failure::kafka(what()))?;
        }
        let consumer = cluster.consumer_of(&self.group)?;
        consumer
            .commit(&wanted, CommitMode::Sync)
            .map_err(|error| refused(what(), error))?;
        let committed = cluster.committed(&self.group)?;
        for Row { planned, moved } in rows {
            let now = committed.get(&(planned.topic.clone(), planned.partition));
            *moved = Some(now == Some(&planned.to));
        }
        Ok(())
    }

    fn named_target(&self) -> String {
        match self.to {
            Target::Earliest => "the earliest messages".to_owned(),
            Target::Latest => "the latest messages".to_owned(),
            Target::Offset(offset) => format!("offset {}", count(offset)),
            Target::Datetime(moment) => format!("the messages of {moment}"),
            Target::Shift(by) if by < 0 => format!("{} messages earlier", count(by.unsigned_abs())),
            Target::Shift(by) => format!("{} messages later", count(by)),
        }
    }
}

fn refused(what: String, error: KafkaError) -> Failure {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(
            Code::UnknownMemberId
            | Code::IllegalGeneration
            | Code::RebalanceInProgress
            | Code::StaleMemberEpoch,
        ) => Failure::Refused {
            what,
            reason: "somebody is in the group".to_owned(),
            hint: "stop its clients and wait until the broker has missed them (session.timeout.ms)"
                .to_owned(),
        },
        _ => Failure::Kafka {
            doing: what,
            source: error,
        },
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(["TOPIC", "PARTITION", "FROM", "TO", "LAG BEFORE", "LAG AFTER", ""]);
    let number = |number: Option<i64>| match number {
        Some(number) => Cell::count(number),
        None => Cell::right("-"),
    };
    for Row { planned, moved } in rows {
        let mut remark = Vec::new();
        match moved {
            Some(true) => remark.push(good("moved")),
            Some(false) => remark.push(bad("not moved")),
            None => {}
        }
        if let Some(wanted) = planned.wanted {
            remark.push(warn(format!("{} is not there", count(wanted))));
        }
        table.row([
            Cell::text(&planned.topic),
            Cell::right(planned.partition),
            number(planned.from),
            Cell::count(planned.to),
            number(planned.lag_before),
            Cell::count(planned.lag_after),
            Cell::styled(remark.join(", ")),
        ]);
    }
    table
}
