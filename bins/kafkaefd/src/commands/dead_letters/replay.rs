//! `dead-letters replay`: puts dead letters back where they came from, each original once.

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

/// Put dead letters back to the topics that they came from, each once
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "A message goes back with its own bytes, key, headers and partition, with the time of the replay (an old \
                  one could be beyond the topic's retention), and with one more header: replayed-from, the letter's \
                  topic/partition/offset. Which letters were replayed is kept in the topic <dead-letter topic>.replayed, \
                  written in the same transaction. A replayed message that is refused again becomes a new letter of the same original, \
                  and both are passed over from then on: when what refused it is mended, --again puts the original back once \
                  more. A letter that its topic did not take whole is completed from where it came from, as long as it is \
                  there. \
                  Where users have rights, it takes those to read the dead letters, to write their topics and <dead-letter \
                  topic>.replayed (and to create that), and the transactional id kafkaefd-replay-<dead-letter topic>.\n\n\
                  Example: kafkaefd dead-letters replay --reason unknown_topic --dry-run"
)]
pub(super) struct ReplayArgs {
    /// Say what would go where, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Also what was replayed before, refused again or not: of each original the newest letter
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
        if !self.answer.json {
            if !plan.routes.is_empty() {
                out(&table(&plan.routes))?;
            }
            for passed_over in passed_over(&plan) {
                note(&passed_over);
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

    /// Does what was planned, if somebody agrees to it.
    async fn replay(&self, plan: &Plan) -> Result<Replayed, Failure> {
        let routes: Vec<String> = plan
            .open_routes()
            .map(|route| format!("{} to {}", count(route.letters), route.topic))
            .collect();
        self.consent.ask(&format!(
            "replay {} at {}: {}",
            plural(
                usize::try_from(plan.replays()).unwrap_or(usize::MAX),
                "dead letter"
            ),
            self.kafka.broker,
            routes.join(", ")
        ))?;
        let shutdown = Shutdown::new(Duration::ZERO);
        shutdown.ask_on_signals();
        let (plan, steps) = (plan.clone(), steps());
        ask(&self.kafka, move |cluster| {
            replay(cluster, &plan, &|| shutdown.is_set(), &steps)
        })
        .await
    }
}

/// Shows how far a replay has come.
fn steps() -> impl Fn(Step<'_>) {
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

/// What is passed over, for people.
fn passed_over(plan: &Plan) -> Vec<String> {
    let letters = |count| plural(usize::try_from(count).unwrap_or(usize::MAX), "letter");
    let mut lines = Vec::new();
    if plan.replayed_before > 0 {
        let again = match plan.refused_again {
            0 => String::new(),
            again => format!(" ({} of replays that were refused again)", count(again)),
        };
        lines.push(format!(
            "{} replayed before{again}: passed over; --again puts each original back once more",
            letters(plan.replayed_before)
        ));
    }
    if plan.older > 0 {
        lines.push(format!(
            "{} of the same originals: passed over, each goes back by its newest letter",
            letters(plan.older)
        ));
    }
    lines
}

impl Answer {
    /// Whether every original is where it came from, whoever put it there.
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
                Some(obstacle) => warn(format!("stays: {obstacle}")),
            }),
        ]);
    }
    table
}

fn summary(answer: &Answer) -> String {
    if answer.dry_run {
        return "nothing was replayed: a dry run".to_owned();
    }
    let Replayed {
        replayed,
        replayed_meanwhile,
        refused,
    } = &answer.replayed;
    let mut parts = vec![good(format!("{} replayed", count(*replayed)))];
    if *replayed_meanwhile > 0 {
        parts.push(format!(
            "{} by another replay meanwhile",
            count(*replayed_meanwhile)
        ));
    }
    if !refused.is_empty() {
        parts.push(bad(format!("{} refused", count(refused.len() as u64))));
    }
    let left = answer.replayed.left_of(&answer.plan);
    if left > 0 {
        parts.push(warn(format!(
            "{} not reached: run it again, it goes on there",
            count(left)
        )));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_replay_put_back_is_not_missing() {
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
        assert!(summary(&answer).contains("500 by another replay meanwhile"));

        answer.replayed.replayed_meanwhile = 400;
        assert!(matches!(answer.done(), Done::Partly));
        assert!(summary(&answer).contains("100 not reached"));

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
