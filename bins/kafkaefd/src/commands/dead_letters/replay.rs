//! `dead-letters replay`: puts letters back where they came from, each once.

use std::collections::HashMap;

use clap::Args;
use serde::Serialize;
use stage::config::KafkaArgs;
use stage::service::Shutdown;

use super::dead_letter::{Letter, Place};
use super::original::{self, Held};
use super::plan::Planning;
use super::replay_log::{self, Marks};
use super::replay_transaction::{self, Outcome, Transactions};
use super::selection::ChoiceArgs;
use crate::commands::reach;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Consent, Table, bad, count, good, note, out, plural, spinner, warn};
use operator::cluster::Cluster;
use operator::failure::Failure;

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
    choice: ChoiceArgs,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

/// What is to be done with the letters of one dead-letter topic.
#[derive(Default)]
struct Plan {
    topic: String,
    /// The letters that go back, each with its original.
    chosen: HashMap<Place, String>,
}

#[derive(Serialize, Default)]
struct Answer {
    dry_run: bool,
    plan: Vec<Way>,
    /// Letters that stay, as their original was replayed before.
    replayed_before: u64,
    /// Of these, the letters of replays that were refused again.
    refused_again: u64,
    /// Letters that stay, as their original goes back by a newer one.
    older: u64,
    replayed: u64,
    /// Letters that another replay put back between this one's plan and its turn.
    replayed_meanwhile: u64,
    refused: Vec<Refused>,
}

/// Letters of one dead-letter topic and one origin.
#[derive(Serialize)]
struct Way {
    dead_letter_topic: String,
    topic: String,
    letters: u64,
    /// Why they cannot go.
    obstacle: Option<&'static str>,
}

#[derive(Serialize)]
struct Refused {
    letter: String,
    reason: String,
}

impl ReplayArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let cluster = reach(&self.kafka)?;
        let mut answer = Answer {
            dry_run: self.dry_run,
            ..Answer::default()
        };
        let plans = self.plan(&cluster, &mut answer)?;
        let going: usize = plans.iter().map(|plan| plan.chosen.len()).sum();
        if !self.answer.json {
            if !answer.plan.is_empty() {
                out(&table(&answer.plan))?;
            }
            for passed_over in answer.passed_over() {
                note(&passed_over);
            }
        }
        if !self.dry_run && going > 0 {
            let ways = answer.plan.iter().filter(|way| way.obstacle.is_none());
            let ways: Vec<String> = ways
                .map(|way| format!("{} to {}", count(way.letters), way.topic))
                .collect();
            self.consent.ask(&format!(
                "replay {} at {}: {}",
                plural(going, "dead letter"),
                self.kafka.broker,
                ways.join(", ")
            ))?;
            let shutdown = Shutdown::new(std::time::Duration::ZERO);
            shutdown.ask_on_signals();
            for plan in &plans {
                let outcome = self.replay(&cluster, plan, &shutdown).await?;
                answer.replayed += outcome.replayed;
                answer.replayed_meanwhile += outcome.meanwhile;
                answer.refused.extend(
                    outcome
                        .refused
                        .into_iter()
                        .map(|(letter, reason)| Refused { letter, reason }),
                );
            }
        }
        self.answer.print(&answer, || summary(&answer))?;
        for refused in answer.refused.iter().filter(|_| !self.answer.json) {
            note(&bad(stage::Printable(format!(
                "{}: {}",
                refused.letter, refused.reason
            ))));
        }
        Ok(answer.done())
    }

    /// Finds out what goes where.
    fn plan(&self, cluster: &Cluster, answer: &mut Answer) -> Result<Vec<Plan>, Failure> {
        let (mut plans, mut held) = (Vec::new(), Held::default());
        for topic in self.choice.topics(cluster)? {
            let mut planning = Planning::new(Marks::read(cluster, &topic.name)?, self.again);
            self.choice.read(cluster, topic, |letter| {
                let obstacle = match obstacle(cluster, &letter) {
                    None => held.obstacle(cluster, &letter)?,
                    known => known,
                };
                planning.note(&letter, obstacle);
                Ok(())
            })?;
            let (chosen, ways, passed_over) = planning.end();
            answer.replayed_before += passed_over.replayed_before;
            answer.refused_again += passed_over.refused_again;
            answer.older += passed_over.older;
            answer
                .plan
                .extend(ways.into_iter().map(|((to, obstacle), letters)| Way {
                    dead_letter_topic: topic.name.clone(),
                    topic: to,
                    letters,
                    obstacle,
                }));
            if !chosen.is_empty() {
                plans.push(Plan {
                    topic: topic.name.clone(),
                    chosen,
                });
            }
        }
        Ok(plans)
    }

    /// Replays what was planned, without what somebody else has replayed meanwhile.
    async fn replay(&self, cluster: &Cluster, plan: &Plan, shutdown: &Shutdown) -> Result<Outcome, Failure> {
        replay_log::make(cluster, &plan.topic).await?;
        // From here on nobody else's replay of this topic can commit: what is marked now is all that there is.
        let sender = replay_transaction::begin(cluster, &plan.topic)?;
        let cluster = reach(&self.kafka)?;
        let marks = if self.again {
            Marks::default()
        } else {
            Marks::read(&cluster, &plan.topic)?
        };
        let topic = cluster.topic(&plan.topic)?;
        let progress = spinner(format!("replaying {}", plan.topic));
        let mut transactions = Transactions::new(&cluster, sender, &plan.topic);
        self.choice.read(&cluster, topic, |letter| {
            let Some(original) = plan.chosen.get(&letter.place()) else {
                return Ok(());
            };
            if marks.has(&letter) || marks.has_original(original) {
                transactions.pass_over();
                return Ok(());
            }
            if shutdown.is_set() {
                return Ok(());
            }
            let address = letter.address();
            match original::complete(&cluster, letter)? {
                Ok(letter) => transactions.add(letter, original.clone())?,
                Err(why) => transactions.refuse(address, why),
            }
            progress.set_message(format!("replayed {}", count(transactions.replayed())));
            Ok(())
        })?;
        let outcome = transactions.finish();
        progress.finish_and_clear();
        outcome
    }
}

impl Answer {
    /// What stays here and need not, for people.
    fn passed_over(&self) -> Vec<String> {
        let letters = |count| plural(usize::try_from(count).unwrap_or(usize::MAX), "letter");
        let mut lines = Vec::new();
        if self.replayed_before > 0 {
            let again = match self.refused_again {
                0 => String::new(),
                again => format!(" ({} of replays that were refused again)", count(again)),
            };
            lines.push(format!(
                "{} replayed before{again}: passed over; --again puts each original back once more",
                letters(self.replayed_before)
            ));
        }
        if self.older > 0 {
            lines.push(format!(
                "{} of the same originals: passed over, each goes back by its newest letter",
                letters(self.older)
            ));
        }
        lines
    }

    /// Letters that were to go and did not, without a refusal: the replay was interrupted, or retention was faster.
    fn left(&self) -> u64 {
        let ways = self.plan.iter().filter(|way| way.obstacle.is_none());
        let going: u64 = ways.map(|way| way.letters).sum();
        going.saturating_sub(self.replayed + self.replayed_meanwhile + self.refused.len() as u64)
    }

    /// Whether every letter is where it came from, whoever put it there.
    fn done(&self) -> Done {
        let staying = self.plan.iter().any(|way| way.obstacle.is_some());
        let all = self.dry_run || (self.refused.is_empty() && self.left() == 0);
        if all && !staying { Done::All } else { Done::Partly }
    }
}

/// Why a letter cannot go back.
fn obstacle(cluster: &Cluster, letter: &Letter) -> Option<&'static str> {
    match &letter.origin {
        None => Some("nobody can tell where it came from"),
        Some(origin) if cluster.topic(&origin.topic).is_err() => Some("that topic is gone"),
        Some(_) => None,
    }
}

fn table(plan: &[Way]) -> Table {
    let mut table = Table::new(["TO", "LETTERS", "FROM", "STATE"]);
    for way in plan {
        table.row([
            Cell::text(&way.topic),
            Cell::count(way.letters),
            Cell::text(&way.dead_letter_topic),
            Cell::styled(match way.obstacle {
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
    let mut parts = vec![good(format!("{} replayed", count(answer.replayed)))];
    if answer.replayed_meanwhile > 0 {
        parts.push(format!(
            "{} by another replay meanwhile",
            count(answer.replayed_meanwhile)
        ));
    }
    if !answer.refused.is_empty() {
        parts.push(bad(format!("{} refused", count(answer.refused.len() as u64))));
    }
    if answer.left() > 0 {
        parts.push(warn(format!(
            "{} not reached: run it again, it goes on there",
            count(answer.left())
        )));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_replay_put_back_is_not_missing() {
        let way = |letters, obstacle| Way {
            dead_letter_topic: "a.dead-letter".to_owned(),
            topic: "a".to_owned(),
            letters,
            obstacle,
        };
        let mut answer = Answer {
            plan: vec![way(1_700, None)],
            replayed: 1_200,
            replayed_meanwhile: 500,
            ..Answer::default()
        };
        assert!(matches!(answer.done(), Done::All));
        assert!(summary(&answer).contains("500 by another replay meanwhile"));

        answer.replayed_meanwhile = 400;
        assert!(matches!(answer.done(), Done::Partly));
        assert!(summary(&answer).contains("100 not reached"));

        answer.replayed_meanwhile = 500;
        answer.plan.push(way(1, Some("that topic is gone")));
        assert!(matches!(answer.done(), Done::Partly));
    }
}
