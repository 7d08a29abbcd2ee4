//! Which points of a refused request the database's message names, so that a thousand refused points cost three
//! requests instead of two thousand.
//!
//! This is a guess, except for the two unambiguous answers: as many points dropped, or as many lines named, as were
//! sent. Whatever is guessed, the suspects and the others are sent again separately, and each answer is judged
//! independently: a point is written when its request was answered 204, and refused when its own request reports that
//! for all its points. The databases' messages (2.7.12 and 1.8.10 were run, 3 is from its documentation):
//!
//! | message | points |
//! |---|---|
//! | `points beyond retention policy dropped=3` (1.8), `dropped 3 points outside retention policy of …` (2.7) | the oldest three |
//! | `input field "v" on measurement "m" is type integer, already exists as type float` | points of `m` whose `v` is an integer |
//! | `input field "s" on measurement "m" is too long, …` | points of `m` with a string `s` that is longer than a MiB |
//! | `unable to parse 'LINE': …` for each | these lines |
//! | `line 2: …` (as [`super::WriteResult`] words 3's list) | these lines, counted from 1 |

use std::collections::{BTreeSet, HashSet};

use crate::line::parse::{self, FieldValue};

/// InfluxDB's own limit of a string field (`MaxFieldValueLength`).
const MAX_TEXT_BYTES: usize = 1 << 20;

/// A point as it was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct SentLine<'l> {
    /// Its line, with the newline.
    pub(super) line: &'l str,
    /// Its time, microseconds since 1970 UTC.
    pub(super) time_micros: i64,
}

/// The suspects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Accused {
    /// Certainly every point of the request.
    All,
    /// These positions, ascending; neither none nor all.
    Some(Vec<usize>),
    /// The message names none.
    Unknown,
}

/// Interprets the message of a refusal.
pub(super) fn accused(message: &str, sent: &[SentLine<'_>]) -> Accused {
    let dropped = dropped(message);
    if sent.len() == 1 || dropped == Some(sent.len()) {
        return Accused::All;
    }
    let named: BTreeSet<usize> = malformed(message, sent)
        .chain(numbered(message, sent.len()))
        .collect();
    if named.len() == sent.len() {
        return Accused::All;
    }
    let positions = if !named.is_empty() {
        named.into_iter().collect()
    } else if let Some(field) = FieldAtFault::read(message) {
        (0..sent.len())
            .filter(|position| sent.get(*position).is_some_and(|sent| field.is_in(sent.line)))
            .collect()
    } else {
        match dropped {
            Some(dropped @ 1..) if message.contains("retention policy") => oldest(dropped, sent),
            _ => Vec::new(),
        }
    };
    if positions.is_empty() || positions.len() == sent.len() {
        Accused::Unknown
    } else {
        Accused::Some(positions)
    }
}

/// `… partial write: … dropped=3 …`
fn dropped(message: &str) -> Option<usize> {
    let (_, partial) = message.split_once("partial write")?;
    let (_, number) = partial.rsplit_once("dropped=")?;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// `unable to parse 'LINE': reason` for each such line. Control characters in the message were replaced.
fn malformed<'m>(message: &'m str, sent: &'m [SentLine<'m>]) -> impl Iterator<Item = usize> + 'm {
    let pieces = message.split("unable to parse '").skip(1);
    let quoted: HashSet<&str> = pieces
        .filter_map(|piece| Some(piece.rsplit_once("': ")?.0))
        .collect();
    let is_quoted = move |sent: &SentLine<'_>| {
        let line = sent.line.trim_end_matches('\n');
        !quoted.is_empty()
            && (quoted.contains(line) || quoted.contains(line.replace(char::is_control, " ").as_str()))
    };
    sent.iter()
        .enumerate()
        .filter(move |(_, sent)| is_quoted(sent))
        .map(|(position, _)| position)
}

/// `; line 2: reason` for each such line.
fn numbered(message: &str, sent: usize) -> impl Iterator<Item = usize> {
    let numbers = message.split("; line ").skip(1);
    numbers
        .filter_map(|piece| piece.split_once(": ")?.0.parse::<usize>().ok()?.checked_sub(1))
        .filter(move |position| *position < sent)
}

/// The field that the message names, and what is wrong with it.
struct FieldAtFault<'m> {
    field: &'m str,
    measurement: &'m str,
    fault: Fault<'m>,
}

enum Fault<'m> {
    IsType(&'m str),
    IsTooLong,
}

impl<'m> FieldAtFault<'m> {
    fn read(message: &'m str) -> Option<Self> {
        let (_, rest) = message.split_once("input field \"")?;
        let (field, rest) = rest.split_once("\" on measurement \"")?;
        let (measurement, rest) = rest.split_once("\" is ")?;
        let fault = if rest.starts_with("too long") {
            Fault::IsTooLong
        } else {
            Fault::IsType(rest.strip_prefix("type ")?.split([',', ' ']).next()?)
        };
        Some(Self {
            field,
            measurement,
            fault,
        })
    }

    fn is_in(&self, line: &str) -> bool {
        let Ok((point, _)) = parse::line(line) else {
            return false;
        };
        let is_at_fault = |value: &FieldValue<'_>| match (&self.fault, value) {
            (Fault::IsType(name), value) => *name == type_of(value),
            (Fault::IsTooLong, FieldValue::Text(text)) => text.len() > MAX_TEXT_BYTES,
            (Fault::IsTooLong, _) => false,
        };
        point.measurement == self.measurement
            && point
                .fields
                .iter()
                .any(|(name, value)| *name == self.field && is_at_fault(value))
    }
}

/// InfluxDB's name of a field's type.
fn type_of(value: &FieldValue<'_>) -> &'static str {
    match value {
        FieldValue::Float(_) => "float",
        FieldValue::Integer(_) => "integer",
        FieldValue::Boolean(_) => "boolean",
        FieldValue::Text(_) => "string",
    }
}

/// The positions of the `count` oldest points, and of those that are as old as the last of them.
fn oldest(count: usize, sent: &[SentLine<'_>]) -> Vec<usize> {
    let mut times: Vec<i64> = sent.iter().map(|sent| sent.time_micros).collect();
    times.sort_unstable();
    let Some(limit) = count.checked_sub(1).and_then(|last| times.get(last)) else {
        return Vec::new();
    };
    let positions = sent.iter().enumerate();
    positions
        .filter(|(_, sent)| sent.time_micros <= *limit)
        .map(|(position, _)| position)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines whose time is the number at their end.
    fn among(message: &str, lines: &[&str]) -> Accused {
        let sent: Vec<_> = lines
            .iter()
            .map(|line| SentLine {
                line,
                time_micros: line.trim().rsplit(' ').next().unwrap().parse().unwrap(),
            })
            .collect();
        accused(message, &sent)
    }

    const FIVE: [&str; 5] = [
        "m v=1 90\n",
        "m v=2 20\n",
        "m v=3 80\n",
        "m v=4 10\n",
        "m v=5 20\n",
    ];

    #[test]
    fn beyond_retention_are_the_oldest() {
        // As 2.7.12 and 1.8.10 said it of such lines.
        let v2 = "422: failure writing points to database: partial write: dropped 3 points outside retention policy of duration \
                  1h0m0s - oldest point m at 2026-11-29T07:43:42Z dropped because it violates a Retention Policy Lower Bound at \
                  2026-11-29T09:13:42.421586681Z, newest point m at 2026-11-29T08:13:42Z dropped because it violates a Retention \
                  Policy Lower Bound at 2026-11-29T09:13:42.421586681Z dropped=3 for database: d218a093e8f26e49 for retention \
                  policy: autogen";
        let v1 = "400: partial write: points beyond retention policy dropped=3";
        for message in [v1, v2] {
            assert_eq!(among(message, &FIVE), Accused::Some(vec![1, 3, 4]));
            assert_eq!(among(message, &FIVE[..3]), Accused::All);
        }
        let of = |dropped| format!("400: partial write: points beyond retention policy dropped={dropped}");
        assert_eq!(
            among(&of(2), &FIVE),
            Accused::Some(vec![1, 3, 4]),
            "as old as the second"
        );
        assert_eq!(among(&of(9), &FIVE), Accused::Unknown);
        assert_eq!(among(&of(0), &FIVE), Accused::Unknown);
        assert_eq!(
            among("400: points beyond retention policy", &FIVE),
            Accused::Unknown
        );
        assert_eq!(among("anything", &FIVE[..1]), Accused::All);
    }

    #[test]
    fn a_conflict_names_measurement_field_and_type() {
        let message = "422: failure writing points to database: partial write: field type conflict: input field \"v\" on \
                       measurement \"m\" is type integer, already exists as type float dropped=3";
        let lines = [
            "m v=1i 1\n",
            "m v=2 1\n",
            "n v=2i 1\n",
            "m w=2i 1\n",
            "m,t=a w=1,v=7i 1\n",
        ];
        assert_eq!(among(message, &lines), Accused::Some(vec![0, 4]));
        assert_eq!(
            among(message, &lines[1..4]),
            Accused::All,
            "three of three, whichever they are"
        );
        let lines = ["m v=1i 1\n", "m v=2i 1\n", "m v=3i 1\n", "m v=4i 1\n"];
        assert_eq!(among(message, &lines), Accused::Unknown, "three of these four");
    }

    #[test]
    fn a_string_that_is_too_long_is_found() {
        let message = "422: partial write: input field \"s\" on measurement \"m\" is too long, 1048577 > 1048576 dropped=1";
        let long = format!("m s=\"{}\" 1\n", "x".repeat(MAX_TEXT_BYTES + 1));
        assert_eq!(among(message, &["m s=\"x\" 1\n", &long]), Accused::Some(vec![1]));
    }

    #[test]
    fn lines_are_named_whole_or_by_number() {
        let quoted = "400: unable to parse 'm v=2 20': invalid boolean unable to parse 'm v=3 80': missing field value";
        assert_eq!(among(quoted, &FIVE), Accused::Some(vec![1, 2]));
        assert_eq!(among(quoted, &FIVE[1..3]), Accused::All);
        let cut = "400: partial write: unable to parse 'm v=2 20': invalid boolean unable to parse 'm v=3 8";
        assert_eq!(among(cut, &FIVE), Accused::Some(vec![1]));
        let numbered = "400: partial write of line protocol occurred; line 2: invalid column type; line 4: other; line 9: x";
        assert_eq!(among(numbered, &FIVE), Accused::Some(vec![1, 3]));
    }
}
