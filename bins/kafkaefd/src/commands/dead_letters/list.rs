//! `dead-letters list`: counts dead letters by stage, reason and origin.

use clap::Args;
use operator::dead_letters::{Row, list};
use operator::failure::Failure;
use stage::config::{KafkaArgs, Timestamp};

use super::selection::SelectionArgs;
use crate::commands::ask;
use crate::exit::{Done, print};
use crate::terminal::{AnswerArgs, Cell, Table, bars, count, note, plural, warn};

/// Count dead letters by stage, reason and topic of origin
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd dead-letters list --stage parse --from -24h")]
pub(super) struct ListArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

impl ListArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let (selection, bars) = ((&self.selection).into(), bars());
        let rows = ask(&self.kafka, move |cluster| list(cluster, &selection, &bars)).await?;
        self.answer.print(&rows, || table(&rows))?;
        if rows.is_empty()
            && let Some(failure) = self.selection.unmatched(&self.kafka).await?
        {
            // The list is empty and complete: a remark, not a failure.
            print(&failure);
        }
        if !self.answer.json {
            let letters: u64 = rows.iter().map(|row| row.letters).sum();
            note(&plural(letters, "dead letter"));
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
        let letters = count(row.letters);
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
        // Seconds are enough to see when the dead letters began and whether there are still new ones.
        Some(millis) => Cell::text(Timestamp(millis.div_euclid(1_000) * 1_000)),
        None => Cell::text("-"),
    }
}
