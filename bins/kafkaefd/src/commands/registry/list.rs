//! `registry list`: all subjects, optionally with their versions and compatibility levels.

use clap::Args;
use regex::Regex;
use stage::config::RegistryArgs;

use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Table, bar, faint};
use operator::failure::Failure;
use operator::subjects::{self, SubjectSummary, Subjects};

/// List subjects
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd registry list --version --compatibility --filter Test")]
pub(super) struct ListArgs {
    /// Show each subject's versions
    #[arg(long)]
    version: bool,
    /// Show each subject's compatibility level; dimmed if it is inherited from the registry
    #[arg(long)]
    compatibility: bool,
    /// Only subjects whose names match this regular expression anywhere
    #[arg(long, value_name = "REGEX")]
    filter: Option<Regex>,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl ListArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let registry = super::client(&self.registry)?;
        let wanted = Subjects {
            name: self.filter.clone(),
            versions: self.version,
            compatibility: self.compatibility,
        };
        let bar = bar(0, "subjects");
        let rows = subjects::list(&registry, &wanted, |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
        .await;
        bar.finish_and_clear();
        let rows = rows?;
        self.answer.print(&rows, || self.shown(&rows))?;
        Ok(Done::All)
    }

    fn shown(&self, rows: &[SubjectSummary]) -> String {
        if rows.is_empty() {
            let matching = if self.filter.is_some() { " that match" } else { "" };
            return format!("{} has no subjects{matching}", self.registry.schema_registry);
        }
        let versions =
            |row: &SubjectSummary| Cell::text(row.versions.as_deref().map(ranges).unwrap_or_default());
        let compatibility = |row: &SubjectSummary| {
            Cell::styled(match &row.compatibility {
                Some(found) if found.inherited => faint(&found.level),
                Some(found) => found.level.clone(),
                None => String::new(),
            })
        };
        let subject = |row: &SubjectSummary| Cell::text(&row.subject);
        let mut table;
        match (self.version, self.compatibility) {
            (false, false) => {
                table = Table::new(["SUBJECT"]);
                rows.iter().for_each(|row| table.row([subject(row)]));
            }
            (true, false) => {
                table = Table::new(["SUBJECT", "VERSIONS"]);
                rows.iter()
                    .for_each(|row| table.row([subject(row), versions(row)]));
            }
            (false, true) => {
                table = Table::new(["SUBJECT", "COMPATIBILITY"]);
                rows.iter()
                    .for_each(|row| table.row([subject(row), compatibility(row)]));
            }
            (true, true) => {
                table = Table::new(["SUBJECT", "VERSIONS", "COMPATIBILITY"]);
                rows.iter()
                    .for_each(|row| table.row([subject(row), versions(row), compatibility(row)]));
            }
        }
        table.to_string()
    }
}

/// Ascending numbers with consecutive ones as ranges, such as `1-4,6`.
fn ranges(numbers: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if number == last.saturating_add(1) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let texts: Vec<String> = ranges
        .into_iter()
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        })
        .collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_versions_are_shown_as_a_range() {
        assert_eq!(ranges(&[1]), "1");
        assert_eq!(ranges(&[1, 2, 3, 5, 7, 8]), "1-3,5,7-8");
        assert_eq!(ranges(&[]), "");
    }
}
