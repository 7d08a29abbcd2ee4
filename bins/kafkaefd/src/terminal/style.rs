//! Text styles by meaning. `anstream` removes them on output where colours are not wanted.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

fn in_style(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Everything is as it should be.
pub fn good(text: impl Display) -> String {
    in_style(AnsiColor::Green.on_default(), text)
}

/// Should be looked at soon.
pub fn warn(text: impl Display) -> String {
    in_style(AnsiColor::Yellow.on_default(), text)
}

/// Requires action now.
pub fn bad(text: impl Display) -> String {
    in_style(AnsiColor::Red.on_default().bold(), text)
}

/// The most important text.
pub fn strong(text: impl Display) -> String {
    in_style(Style::new().bold(), text)
}

/// Less important text.
pub fn faint(text: impl Display) -> String {
    in_style(Style::new().dimmed(), text)
}
