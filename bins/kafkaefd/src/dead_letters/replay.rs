//! `dead-letters replay`: puts letters back where they came from, each once.

use std::collections::{BTreeMap, HashSet};

use clap::Args;
use pipeline::config::KafkaArgs;
use pipeline::service::Shutdown;
use serde::Serialize;

use super::choice::ChoiceArgs;
use super::letter::{Letter, Place};
use super::marks::{self, Marks};
use super::transaction::{self, Outcome, Transactions};
use crate::cluster::Cluster;
use crate::failure::{Done, Failure};
use crate::screen::{AnswerArgs, Cell, Consent, Table, bad, count, good, note, out, plural, spinner, warn};

/// Put dead letters back to the topics that they came from, each once
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "A message goes back with its own bytes, key, headers and partition, with the time of the replay (an old \
                  one could be beyond the topic's retention), and with one more header: replayed-from, the letter's \
                  topic/partition/offset. Which letters were replayed is kept in the topic <dead-letter topic>.replayed, \
                  written in the same transaction. A replayed message that is refused again becomes a new letter. \
                  Where users have rights, it takes those to read the dead letters, to write their topics and <dead-letter \
                  topic>.replayed (and to create that), and the transactional id kafkaefd-replay-<dead-letter topic>.\n\n\
                  Example: kafkaefd dead-letters replay --reason unknown_topic --dry-run"
)]
pub(super) struct ReplayArgs {
    /// Say what would go where, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Also letters that were replayed before
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
    chosen: HashSet<Place>,
}

#[derive(Serialize, Default)]
struct Answer {
    dry_run: bool,
    plan: Vec<Way>,
    /// Letters that stay, as they were replayed before.
    replayed_before: u64,
    replayed: u64,
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
        let cluster = Cluster::reach(&self.kafka)?;
        let mut answer = Answer {
            dry_run: self.dry_run,
            ..Answer::default()
        };
        let plans = self.plan(&cluster, &mut answer)?;
        let going: usize = plans.iter().map(|plan| plan.chosen.len()).sum();
        let staying = answer.plan.iter().any(|way| way.obstacle.is_some());
        if !self.answer.json {
            if !answer.plan.is_empty() {
                out(&table(&answer.plan));
            }
            if answer.replayed_before > 0 {
                let before = plural(
                    usize::try_from(answer.replayed_before).unwrap_or(usize::MAX),
                    "letter",
                );
                note(&format!(
                    "{before} replayed before; --again would replay them once more"
                ));
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
                answer.refused.extend(
                    outcome
                        .refused
                        .into_iter()
                        .map(|(letter, reason)| Refused { letter, reason }),
                );
            }
        }
        self.answer.print(&answer, || summary(&answer));
        for refused in answer.refused.iter().filter(|_| !self.answer.json) {
            note(&bad(pipeline::Printable(format!(
                "{}: {}",
                refused.letter, refused.reason
            ))));
        }
        let all = self.dry_run || answer.replayed == going as u64;
        Ok(if all && !staying { Done::All } else { Done::Partly })
    }

    /// Finds out what goes where.
    fn plan(&self, cluster: &Cluster, answer: &mut Answer) -> Result<Vec<Plan>, Failure> {
        let mut plans = Vec::new();
        for topic in self.choice.topics(cluster)? {
            let marks = if self.again {
                Marks::default()
            } else {
                Marks::read(cluster, &topic.name)?
            };
            let mut ways: BTreeMap<(String, Option<&'static str>), u64> = BTreeMap::new();
            let mut chosen = HashSet::new();
            self.choice.read(cluster, topic, |letter| {
                if marks.has(&letter) {
                    answer.replayed_before += 1;
                    return Ok(());
                }
                let obstacle = obstacle(cluster, &letter);
                if obstacle.is_none() {
                    chosen.insert(letter.place());
                }
                *ways.entry((letter.topic().to_owned(), obstacle)).or_default() += 1;
                Ok(())
            })?;
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
        marks::make(cluster, &plan.topic).await?;
        // From here on nobody else's replay of this topic can commit: what is marked now is all that there is.
        let sender = transaction::begin(cluster, &plan.topic)?;
        let cluster = Cluster::reach(&self.kafka)?;
        let marks = if self.again {
            Marks::default()
        } else {
            Marks::read(&cluster, &plan.topic)?
        };
        let topic = cluster.topic(&plan.topic)?;
        let progress = spinner(format!("replaying {}", plan.topic));
        let mut transactions = Transactions::new(&cluster, sender, &plan.topic);
        self.choice.read(&cluster, topic, |letter| {
            if shutdown.is_set() || marks.has(&letter) || !plan.chosen.contains(&letter.place()) {
                return Ok(());
            }
            transactions.add(letter)?;
            progress.set_message(format!("replayed {}", count(transactions.replayed())));
            Ok(())
        })?;
        let outcome = transactions.finish();
        progress.finish_and_clear();
        outcome
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
    let replayed = good(format!("{} replayed", count(answer.replayed)));
    match answer.refused.len() {
        0 => replayed,
        refused => format!("{replayed}, {}", bad(format!("{refused} refused"))),
    }
}
