//! The colours of `top`, and cells that both tables have.

use operator::stages::NOTABLE_LAG;
use ratatui::layout::Alignment;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Cell;

pub(super) const GOOD: Style = Style::new().fg(Color::Green);
pub(super) const WARN: Style = Style::new().fg(Color::Yellow);
pub(super) const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
pub(super) const FAINT: Style = Style::new().add_modifier(Modifier::DIM);
pub(super) const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);

/// A cell of a column of numbers.
pub(super) fn right(text: String, style: Style) -> Cell<'static> {
    Cell::from(Line::from(Span::styled(text, style)).alignment(Alignment::Right))
}

/// The style of a lag, by its size.
pub(super) fn lag_style(lag: i64) -> Style {
    match lag {
        ..NOTABLE_LAG => Style::new(),
        NOTABLE_LAG..10_000 => WARN,
        _ => BAD,
    }
}
