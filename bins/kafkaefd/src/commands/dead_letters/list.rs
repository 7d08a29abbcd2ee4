//! `dead-letters list`: how many there are, by why and from where.

use std::collections::{BTreeMap, HashSet};

use clap::Args;
use serde::Serialize;
use stage::config::{KafkaArgs, Moment};

use super::lineage::Lineage;
use super::replay_log::Marks;
use super::selection::ChoiceArgs;
use crate::commands::reach;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Table, note, plural, warn};
use operator::failure::Failure;

/// Count dead letters by stage, reason and the topic that they came from
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd dead-letters list --stage parse --from -24h")]
pub(super) struct ListArgs {
    #[command(flatten)]
    choice: ChoiceArgs,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(Serialize)]
struct Row {
    dead_letter_topic: String,
    stage: String,
    reason: String,
    topic: String,
    letters: u64,
    /// The messages that these letters are of: one that was replayed and refused again has several.
    originals: u64,
    replayed: u64,
    /// Letters of replays that were refused again.
    refused_again: u64,
    /// Milliseconds since 1970.
    first: Option<i64>,
    last: Option<i64>,
}

impl ListArgs {
    pub(super) fn run(&self) -> Result<Done, Failure> {
        let cluster = reach(&self.kafka)?;
        let mut rows: BTreeMap<[String; 4], Row> = BTreeMap::new();
        let mut lineage = Lineage::default();
        for topic in self.choice.topics(&cluster)? {
            let mut originals = HashSet::new();
            let marks = Marks::read(&cluster, &topic.name)?;
            self.choice.read(&cluster, topic, |letter| {
                let names = [
                    &topic.name,
                    letter.said("stage"),
                    letter.said("reason"),
                    letter.topic(),
                ];
                let [dead_letter_topic, stage, reason, from] = names.map(str::to_owned);
                let row = rows.entry(names.map(str::to_owned)).or_insert_with(|| Row {
                    dead_letter_topic,
                    stage,
                    reason,
                    topic: from,
                    letters: 0,
                    originals: 0,
                    replayed: 0,
                    refused_again: 0,
                    first: None,
                    last: None,
                });
                let time = letter.message.timestamp;
                row.letters += 1;
                row.originals +=
                    u64::from(originals.insert((names.map(str::to_owned), lineage.original(&letter))));
                row.replayed += u64::from(marks.has(&letter));
                row.refused_again += u64::from(letter.replay_of().is_some());
                row.first = row.first.into_iter().chain(time).min();
                row.last = row.last.max(time);
                Ok(())
            })?;
        }
        let rows: Vec<Row> = rows.into_values().collect();
        self.answer.print(&rows, || table(&rows))?;
        if !self.answer.json {
            let letters: u64 = rows.iter().map(|row| row.letters).sum();
            note(&plural(
                usize::try_from(letters).unwrap_or(usize::MAX),
                "dead letter",
            ));
        }
        Ok(Done::All)
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new([
        "STAGE",
        "REASON",
        "FROM",
        "LETTERS",
        "ORIGINALS",
        "REPLAYED",
        "REFUSED AGAIN",
        "FIRST",
        "LAST",
        "IN",
    ]);
    for row in rows {
        let letters = crate::terminal::count(row.letters);
        table.row([
            Cell::text(&row.stage),
            Cell::text(&row.reason),
            Cell::text(&row.topic),
            Cell::right(if row.letters > row.replayed {
                warn(letters)
            } else {
                letters
            }),
            Cell::count(row.originals),
            Cell::count(row.replayed),
            Cell::count(row.refused_again),
            time(row.first),
            time(row.last),
            Cell::text(&row.dead_letter_topic),
        ]);
    }
    table
}

fn time(millis: Option<i64>) -> Cell {
    match millis {
        // To the second: what is looked for is when it began and whether it goes on.
        Some(millis) => Cell::text(Moment(millis.div_euclid(1_000) * 1_000)),
        None => Cell::text("-"),
    }
}
