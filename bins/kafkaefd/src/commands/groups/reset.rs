//! `groups reset`: shows where a group would resume, and with `--execute` moves its offsets there.

use clap::Args;
use stage::config::KafkaArgs;

use super::MEMBERS_UNKNOWN;
use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Consent, Table, bad, count, good, note, plural, warn};
use operator::cluster::Cluster;
use operator::failure::Failure;
use operator::groups::{self, Group, GroupState, IsNew, PlannedMove, ResetPlan, ResetRequest, Target};

/// Show where a group would resume reading, and with --execute move it there
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "A group is moved only while it has no members. An offset that a partition does not hold is replaced by the \
                  nearest one that it does. With --topic, a group that does not exist yet gets its first offsets.\n\n\
                  Example: kafkaefd groups reset saltransform --to datetime=2026-11-21T10:00:00Z --execute"
)]
pub(super) struct ResetArgs {
    /// Name of the group
    group: String,
    /// earliest, latest, offset=N, datetime=MOMENT (2026-11-21T10:00:00Z, 2026-11-21, -90m) or shift=±N
    #[arg(long, value_name = "TARGET")]
    to: Target,
    /// Only this topic, including its partitions without a committed offset; may be repeated [default: all partitions
    /// with a committed offset]
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Show the plan without changing anything; this is also the default
    #[arg(long, conflicts_with = "execute")]
    dry_run: bool,
    /// Carry out the plan
    #[arg(long)]
    execute: bool,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

impl ResetArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let args = self.clone();
        ask(&self.kafka, move |cluster| args.reset(cluster)).await
    }

    fn reset(&self, cluster: &Cluster) -> Result<Done, Failure> {
        let (group, is_new) = cluster
            .group_or_new(&self.group, &self.topics)
            .map_err(|failure| self.explained(failure))?;
        if let IsNew::Yes { nearest } = is_new {
            note(&warn(new_group(&group.name, &nearest, self.execute)));
        }
        if self.execute {
            group.refuse_active("moving")?;
        }
        warn_if_refused(&group);
        let request = ResetRequest {
            to: self.to,
            topics: self.topics.clone(),
        };
        let plan = groups::plan(cluster, &group, &request)?;
        if plan.left_out > 0 {
            note(&warn(format!(
                "{} left out: no committed offset to shift",
                plural(plan.left_out, "partition")
            )));
        }
        plan.refuse_empty()?;
        let reset = if self.execute {
            self.confirm(&plan)?;
            groups::execute(cluster, plan)?
        } else {
            plan.into_reset()
        };
        self.answer.print(&reset, || table(&reset.moves))?;
        if !self.execute {
            note(&"nothing was changed; --execute carries out the plan");
        }
        Ok(if reset.is_complete() {
            Done::All
        } else {
            Done::Partly
        })
    }

    /// A group that does not exist has no offsets to move, and names of topics are what is missing to give it some.
    fn explained(&self, failure: Failure) -> Failure {
        let Failure::Unknown { name, nearest, .. } = failure else {
            return failure;
        };
        let meant = if nearest.is_empty() {
            String::new()
        } else {
            format!("did you mean {}? ", nearest.join(", "))
        };
        Failure::Refused {
            what: format!("moving {name}"),
            reason: "there is no group of this name".to_owned(),
            hint: format!(
                "{meant}`kafkaefd groups list` lists all; --topic gives a group that does not exist yet its first offsets"
            ),
        }
    }

    fn confirm(&self, plan: &ResetPlan) -> Result<(), Failure> {
        if !self.answer.json {
            note(&table(&plan.clone().into_reset().moves));
        }
        self.consent.ask(&format!(
            "move {} to {} in {} at {}",
            self.group,
            self.named_target(),
            plural(plan.moves.len(), "partition"),
            self.kafka.shown()
        ))
    }

    fn named_target(&self) -> String {
        let messages = |by: i64| plural(by.unsigned_abs(), "message");
        match self.to {
            Target::Earliest => "the earliest messages".to_owned(),
            Target::Latest => "the latest messages".to_owned(),
            Target::Offset(offset) => format!("offset {}", count(offset)),
            Target::Datetime(moment) => format!("the messages at {moment}"),
            Target::Shift(by) if by < 0 => format!("{} earlier", messages(by)),
            Target::Shift(by) => format!("{} later", messages(by)),
        }
    }
}

fn new_group(name: &str, nearest: &[String], is_executed: bool) -> String {
    let meant = if nearest.is_empty() {
        String::new()
    } else {
        format!(" (did you mean {}?)", nearest.join(", "))
    };
    let will = if is_executed { "is" } else { "would be" };
    let text = format!("there is no group {name} yet{meant}: it {will} created with these offsets");
    stage::Printable(text).to_string()
}

/// Warns of reasons for which the brokers will or may refuse to move the group.
fn warn_if_refused(group: &Group) {
    if group.is_active() {
        note(&warn(format!(
            "--execute will be refused: {}",
            stage::Printable(group.who_is_in())
        )));
    }
    if group.state == GroupState::Untold {
        note(&warn(format!(
            "{MEMBERS_UNKNOWN}; if it has any, the broker refuses to move it"
        )));
    }
}

fn table(rows: &[PlannedMove]) -> Table {
    let mut table = Table::new(["TOPIC", "PARTITION", "FROM", "TO", "LAG BEFORE", "LAG AFTER", ""]);
    let number = |number: Option<i64>| match number {
        Some(number) => Cell::count(number),
        None => Cell::right("-"),
    };
    for PlannedMove { planned, moved } in rows {
        let mut remark = Vec::new();
        match moved {
            Some(true) => remark.push(good("moved")),
            Some(false) => remark.push(bad("not moved")),
            None => {}
        }
        if let Some(wanted) = planned.wanted {
            remark.push(warn(format!("{} does not exist", count(wanted))));
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
