//! The columns of the groups' table: two names and three numbers, or, on a narrow terminal, one name and the lag.

use operator::groups::GroupState;
use operator::stages::{GroupRow, PartitionRow};
use ratatui::layout::Constraint;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Row};
use stage::Printable;

use super::rows::{Shown, fitted};
use super::style::{FAINT, GOOD, STRONG, WARN, lag_style, right};
use crate::terminal::count;

/// From this width on, the committed offset and the end are shown.
const MIN_WIDE_WIDTH: u16 = 110;
const OFFSET_WIDTH: u16 = 13;
const LAG_WIDTH: u16 = 11;
/// `rebalancing, members 99`.
const STATE_WIDTH: u16 = 23;

/// The widths of the names, in characters.
#[derive(Debug, Clone, Copy)]
pub(super) enum GroupColumns {
    Wide { group: u16, topic: u16 },
    Narrow { name: u16 },
}

impl GroupColumns {
    /// For a terminal of this many columns; one is left between each two.
    pub(super) fn of(width: u16) -> Self {
        if width < MIN_WIDE_WIDTH {
            let name = width.saturating_sub(STATE_WIDTH + LAG_WIDTH + 2);
            return Self::Narrow { name };
        }
        let names = width.saturating_sub(2 * OFFSET_WIDTH + LAG_WIDTH + 4);
        let group = names / 3;
        Self::Wide {
            group,
            topic: names - group,
        }
    }

    pub(super) fn widths(self) -> Vec<Constraint> {
        let lengths = match self {
            Self::Wide { group, topic } => vec![group, topic, OFFSET_WIDTH, OFFSET_WIDTH, LAG_WIDTH],
            Self::Narrow { name } => vec![name, STATE_WIDTH, LAG_WIDTH],
        };
        lengths.into_iter().map(Constraint::Length).collect()
    }

    pub(super) fn head(self) -> Row<'static> {
        let number = |name: &str| right(name.to_owned(), Style::new());
        match self {
            Self::Wide { .. } => Row::new([
                Cell::from("GROUP"),
                Cell::from("TOPIC"),
                number("COMMITTED"),
                number("END"),
                number("LAG"),
            ]),
            Self::Narrow { .. } => {
                Row::new([Cell::from("GROUP / TOPIC"), Cell::from("STATE"), number("LAG")])
            }
        }
    }

    pub(super) fn row(self, shown: &Shown<'_>) -> Row<'static> {
        match shown {
            Shown::Group(group) => self.group(group),
            Shown::Partition(partition) => self.partition(partition),
        }
    }

    fn group(self, row: &GroupRow) -> Row<'static> {
        let (state, style) = match row.state {
            GroupState::Stable => ("stable", GOOD),
            GroupState::Rebalancing => ("rebalancing", WARN),
            other => (other.word(), FAINT),
        };
        let members = row.members.map_or("?".to_owned(), count);
        let state = Cell::from(Line::from(vec![
            Span::styled(state, style),
            Span::raw(format!(", members {members}")),
        ]));
        let name = |width| Cell::from(Span::styled(cut(&row.group, width), STRONG));
        let lag = right(count(row.lag), lag_style(row.lag).add_modifier(Modifier::BOLD));
        match self {
            Self::Wide { group, .. } => Row::new([name(group), state, Cell::from(""), Cell::from(""), lag]),
            Self::Narrow { name: width } => Row::new([name(width), state, lag]),
        }
    }

    fn partition(self, row: &PartitionRow) -> Row<'static> {
        let number = |number: Option<i64>| number.map_or("-".to_owned(), count);
        let name = format!("{}[{}]", row.topic, row.partition);
        let lag = right(number(row.lag), lag_style(row.lag.unwrap_or(0)));
        match self {
            Self::Wide { topic, .. } => Row::new([
                Cell::from(""),
                Cell::from(cut(&name, topic)),
                right(number(row.committed), FAINT),
                right(number(Some(row.end)), FAINT),
                lag,
            ]),
            Self::Narrow { name: width } => {
                let name = cut(&name, width.saturating_sub(2));
                Row::new([Cell::from(format!("  {name}")), Cell::from(""), lag])
            }
        }
    }
}

/// A name from the network in a column.
fn cut(name: &str, width: u16) -> String {
    fitted(&Printable(name).to_string(), usize::from(width))
}
