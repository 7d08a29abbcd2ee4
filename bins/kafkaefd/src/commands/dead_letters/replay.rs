//! `dead-letters replay`: sends dead letters back to the topics that they came from, each original once.

use std::cell::RefCell;
use std::time::Duration;

use clap::Args;
use operator::dead_letters::{Plan, Replayed, Route, Selection, Step, plan, replay};
use operator::failure::Failure;
use serde::Serialize;
use stage::config::KafkaArgs;
use stage::service::Shutdown;

use super::selection::SelectionArgs;
use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{
    AnswerArgs, Cell, Consent, Table, bad, bars, count, good, note, out, plural, spinner, warn,
};

/// How long the transaction under way may take to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// Send dead letters back to the topics that they came from, each once
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "A message is sent with its original bytes, key, headers and partition, with the time of the replay (the \
                  original time could be beyond the topic's retention), and with one more header: replayed-from, the \
                  dead letter's topic/partition/offset. The topic <dead-letter topic>.replayed records which dead letters \
                  were replayed; it is written in the same transaction. A replayed message that is refused again becomes \
                  a new dead letter of the same original, and later replays skip both. Once the cause is fixed, --again \
                  sends the original once more. A message that did not fit into the dead-letter topic is completed from \
                  the topic that it came from, as long as it is retained there.\n\n\
                  On a cluster with ACLs, the user needs to read the dead-letter topic, to write to the topics of origin \
                  and to <dead-letter topic>.replayed (and to create the latter), and to use the transactional id \
                  kafkaefd-replay-<dead-letter topic>.\n\n\
                  Example: kafkaefd dead-letters replay --reason unknown_topic --dry-run"
)]
pub(super) struct ReplayArgs {
    /// Show what would be sent where, without sending anything
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Also replay what was replayed before, whether refused again or not: the newest dead letter of each original
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(Serialize)]
struct Answer {
    dry_run: bool,
    #[serde(flatten)]
    plan: Plan,
    #[serde(flatten)]
    replayed: Replayed,
}

impl ReplayArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let (selection, again, bars) = (Selection::from(&self.selection), self.again, bars());
        let question = move |cluster: &_| plan(cluster, &selection, again, &bars);
        let plan = ask(&self.kafka, question).await?;
        if plan.is_empty()
            && let Some(failure) = self.selection.unmatched(&self.kafka).await?
        {
            return Err(failure);
        }
        if !self.answer.json {
            if !plan.routes.is_empty() {
                out(&table(&plan.routes))?;
            }
            for line in skipped(&plan) {
                note(&line);
            }
        }
        let replayed = if !self.dry_run && plan.replays() > 0 {
            self.replay(&plan).await?
        } else {
            Replayed::default()
        };
        let answer = Answer {
            dry_run: self.dry_run,
            plan,
            replayed,
        };
        self.answer.print(&answer, || summary(&answer))?;
        for refused in answer.replayed.refused.iter().filter(|_| !self.answer.json) {
            note(&bad(stage::Printable(format!(
                "{}: {}",
                refused.letter, refused.reason
            ))));
        }
        Ok(answer.done())
    }

    /// Asks for confirmation, then carries out the plan.
    async fn replay(&self, plan: &Plan) -> Result<Replayed, Failure> {
        let routes: Vec<String> = plan
            .open_routes()
            .map(|route| format!("{} to {}", count(route.letters), route.topic))
            .collect();
        self.consent.ask(&format!(
            "replay {} at {}: {}",
            plural(plan.replays(), "dead letter"),
            self.kafka.shown(),
            routes.join(", ")
        ))?;
        let shutdown = Shutdown::of_command(STOP_TIMEOUT);
        let (plan, on_step) = (plan.clone(), step_reporter());
        ask(&self.kafka, move |cluster| {
            replay(cluster, &plan, &|| shutdown.is_set(), &on_step)
        })
        .await
    }
}

/// Shows the progress of a replay.
fn step_reporter() -> impl Fn(Step<'_>) {
    let (topic, bars) = (RefCell::new(None), bars());
    move |step| match step {
        Step::Topic(name) => {
            topic.replace(Some(spinner(format!("replaying {name}"))));
        }
        Step::Read(progress) => bars(progress),
        Step::Replayed(replayed) => {
            if let Some(spinner) = &*topic.borrow() {
                spinner.set_message(format!("replayed {}", count(replayed)));
            }
        }
    }
}

/// A line for each reason why dead letters are skipped.
fn skipped(plan: &Plan) -> Vec<String> {
    let letters = |count| plural(count, "dead letter");
    let mut lines = Vec::new();
    if plan.replayed_before > 0 {
        let again = match plan.refused_again {
            0 => String::new(),
            again => format!(" ({} refused again)", count(again)),
        };
        lines.push(format!(
            "{} skipped because of an earlier replay{again}; --again sends each original once more",
            letters(plan.replayed_before)
        ));
    }
    if plan.older > 0 {
        lines.push(format!(
            "{} skipped because a newer one of the same original is replayed",
            letters(plan.older)
        ));
    }
    lines
}

impl Answer {
    /// Whether every original is back in its topic, by this replay or by a concurrent one.
    fn done(&self) -> Done {
        let is_complete =
            self.dry_run || (self.replayed.refused.is_empty() && self.replayed.left_of(&self.plan) == 0);
        let is_stuck = self.plan.routes.iter().any(|route| route.obstacle.is_some());
        if is_complete && !is_stuck {
            Done::All
        } else {
            Done::Partly
        }
    }
}

fn table(routes: &[Route]) -> Table {
    let mut table = Table::new(["TO", "LETTERS", "FROM", "STATE"]);
    for route in routes {
        table.row([
            Cell::text(&route.topic),
            Cell::count(route.letters),
            Cell::text(&route.dead_letter_topic),
            Cell::styled(match route.obstacle {
                None => "to replay".to_owned(),
                Some(obstacle) => warn(format!("not replayed: {obstacle}")),
            }),
        ]);
    }
    table
}

fn summary(answer: &Answer) -> String {
    if answer.dry_run {
        return "nothing was replayed (dry run)".to_owned();
    }
    let Replayed {
        replayed,
        replayed_meanwhile,
        refused,
    } = &answer.replayed;
    let mut parts = vec![good(format!("{} replayed", count(*replayed)))];
    if *replayed_meanwhile > 0 {
        parts.push(format!("{} by a concurrent replay", count(*replayed_meanwhile)));
    }
    if !refused.is_empty() {
        parts.push(bad(format!("{} refused", count(refused.len() as u64))));
    }
    let left = answer.replayed.left_of(&answer.plan);
    if left > 0 {
        parts.push(warn(format!(
            "{} left: run the command again to continue",
            count(left)
        )));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_replayed_concurrently_are_not_missing() {
        let route = |letters, obstacle| Route {
            dead_letter_topic: "a.dead-letter".to_owned(),
            topic: "a".to_owned(),
            letters,
            obstacle,
        };
        let mut answer = Answer {
            dry_run: false,
            plan: Plan::default(),
            replayed: Replayed {
                replayed: 1_200,
                replayed_meanwhile: 500,
                refused: Vec::new(),
            },
        };
        answer.plan.routes.push(route(1_700, None));
        assert!(matches!(answer.done(), Done::All));
        assert!(summary(&answer).contains("500 by a concurrent replay"));

        answer.replayed.replayed_meanwhile = 400;
        assert!(matches!(answer.done(), Done::Partly));
        assert!(summary(&answer).contains("100 left"));

        answer.replayed.replayed_meanwhile = 500;
        answer.plan.routes.push(route(1, Some("that topic is gone")));
        assert!(matches!(answer.done(), Done::Partly));
    }

    #[test]
    fn the_answer_is_one_object() {
        let mut plan = Plan::default();
        plan.routes.push(Route {
            dead_letter_topic: "a.dead-letter".to_owned(),
            topic: "a".to_owned(),
            letters: 1,
            obstacle: None,
        });
        let answer = Answer {
            dry_run: true,
            plan,
            replayed: Replayed::default(),
        };
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            r#"{"dry_run":true,"plan":[{"dead_letter_topic":"a.dead-letter","topic":"a","letters":1,"obstacle":null}],"replayed_before":0,"refused_again":0,"older":0,"replayed":0,"replayed_meanwhile":0,"refused":[]}"#
        );
    }
}
