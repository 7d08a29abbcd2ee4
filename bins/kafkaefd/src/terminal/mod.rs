//! The output of the commands: tables for people, JSON for programs, requests for confirmation, progress on stderr.
//! Colours appear on terminals only, and never with `NO_COLOR`; text from the network is sanitized.

mod ask;
mod outcomes;
mod progress;
mod style;
mod table;

use std::fmt::Display;
use std::io::Write;

use clap::Args;
use serde::Serialize;
use stage::stdout::{self, StdoutError};

pub use ask::Consent;
pub use operator::text::{count, plural};
pub use outcomes::{done, print_outcomes};
pub use progress::{bar, bars, spinner};
pub use style::{bad, faint, good, strong, warn};
pub use table::{Cell, Table};

/// The flag of every command that prints an answer.
#[derive(Args, Debug, Clone, Copy, Default)]
pub struct AnswerArgs {
    /// Print the answer as one JSON document on stdout, for programs
    #[arg(long)]
    pub json: bool,
}

impl AnswerArgs {
    /// Prints `value` as JSON with `--json`, otherwise the result of `text`.
    pub fn print<T: Serialize, D: Display>(
        &self,
        value: &T,
        text: impl FnOnce() -> D,
    ) -> Result<(), StdoutError> {
        if self.json { json(value) } else { out(&text()) }
    }

    /// The same text, for an answer that does not go to stdout.
    pub fn text<T: Serialize, D: Display>(
        &self,
        value: &T,
        text: impl FnOnce() -> D,
    ) -> Result<String, StdoutError> {
        if self.json {
            json_text(value)
        } else {
            Ok(text().to_string())
        }
    }
}

/// Prints text and a line feed on stdout.
pub fn out(text: &dyn Display) -> Result<(), StdoutError> {
    stdout::written(writeln!(anstream::stdout(), "{text}"))
}

/// Prints a line on stderr, for information that is not part of the answer.
pub fn note(text: &dyn Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints a JSON document on one line of stdout.
pub fn json<T: Serialize>(value: &T) -> Result<(), StdoutError> {
    out(&json_text(value)?)
}

fn json_text<T: Serialize>(value: &T) -> Result<String, StdoutError> {
    match serde_json::to_string(value) {
        Ok(text) => Ok(stage::sanitize::json(&text).to_string()),
        // Only keys that are not strings can fail, and no answer has any.
        Err(error) => stdout::written(Err(error.into())).map(|()| String::new()),
    }
}

/// A readable duration: `1.5 ms`, `2.25 s`, `3 min 20 s`, `5 d 3 h`.
pub fn span(seconds: f64) -> String {
    match seconds {
        s if s.is_nan() => "-".to_owned(),
        s if s < 0.0 => format!("-{}", span(-s)),
        s if s < 1e-3 => format!("{:.0} µs", s * 1e6),
        s if s < 0.1 => format!("{:.1} ms", s * 1e3),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 60.0 => format!("{s:.2} s"),
        s if s < 3_600.0 => format!("{} min {} s", (s / 60.0).floor(), (s % 60.0).floor()),
        s if s < 86_400.0 => format!("{} h {} min", (s / 3_600.0).floor(), (s % 3_600.0 / 60.0).floor()),
        s => format!(
            "{} d {} h",
            (s / 86_400.0).floor(),
            (s % 86_400.0 / 3_600.0).floor()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_spans_are_readable() {
        assert_eq!(count(0), "0");
        assert_eq!(count(-1_234_567), "-1,234,567");
        assert_eq!(count(999_999), "999,999");
        assert_eq!(plural(1, "topic"), "1 topic");
        assert_eq!(plural(1_000, "topic"), "1,000 topics");
        assert_eq!(span(0.000_25), "250 µs");
        assert_eq!(span(0.0123), "12.3 ms");
        assert_eq!(span(0.123), "123 ms");
        assert_eq!(span(59.5), "59.50 s");
        assert_eq!(span(200.0), "3 min 20 s");
        assert_eq!(span(90_000.0), "1 d 1 h");
    }
}
