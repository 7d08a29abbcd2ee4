//! The colours, by what they mean. Whoever prints them takes them away where they are not wanted (`anstream`).

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

fn in_style(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// As it should be.
pub fn good(text: impl Display) -> String {
    in_style(AnsiColor::Green.on_default(), text)
}

/// To be looked at today.
pub fn warn(text: impl Display) -> String {
    in_style(AnsiColor::Yellow.on_default(), text)
}

/// To be acted on now.
pub fn bad(text: impl Display) -> String {
    in_style(AnsiColor::Red.on_default().bold(), text)
}

/// What is looked for first.
pub fn strong(text: impl Display) -> String {
    in_style(Style::new().bold(), text)
}

/// What is there for completeness.
pub fn faint(text: impl Display) -> String {
    in_style(Style::new().dimmed(), text)
}
