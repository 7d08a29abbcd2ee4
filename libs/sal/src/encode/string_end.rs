//! Decides where a string ends, for `record`, which reads everything else.
//!
//! SAL does not escape strings: quotes, commas and parentheses can appear in them verbatim. A string ends at
//! the first quote after which the values up to the next string's opening quote (or up to the end) parse.
//! This finds the split in which the first string ends earliest, then the second, and so on, without ever
//! backtracking beyond the last string: no value except a string contains a quote, so an earlier end leaves
//! the next string at least as many ends to choose from. If the rest fails after the earlier end, it also
//! fails after the later one. Time grows with the length of the message, not with the number of splits.

use memchr::{memchr, memchr_iter};

use super::record::{Failure, Reached, Reading, Text};
use crate::plan::Op;
use crate::wire::{Fault, Problem};

impl<'a> Reading<'_, 'a> {
    /// Ends the string at the first quote.
    pub(super) fn first_end(
        &mut self,
        at: usize,
        op: Op,
        rest: &'a [u8],
    ) -> Result<(usize, Reached<'a>), Failure<'a>> {
        let before = (self.out.len(), self.misfit);
        let Some(len) = memchr(b'\'', rest) else {
            return Err(self.failure(
                at,
                Fault {
                    problem: Problem::ClosingQuote,
                    rest,
                },
            ));
        };
        self.text(op, rest, len);
        let reached = self.up_to_text(at + 1, rest.get(len + 1..).unwrap_or_default());
        if reached.is_err() {
            self.out.truncate(before.0);
            self.misfit = before.1;
        }
        Ok((len, reached?))
    }

    /// Ends the string at the first later quote after which the values up to the next string parse.
    pub(super) fn later_end(
        &mut self,
        at: usize,
        op: Op,
        rest: &'a [u8],
        mut furthest: Failure<'a>,
    ) -> Result<(usize, Reached<'a>), Failure<'a>> {
        for len in memchr_iter(b'\'', rest).skip(1) {
            match self.probe(at + 1, rest.get(len + 1..).unwrap_or_default()) {
                Ok(_) => {
                    self.text(op, rest, len);
                    return Ok((
                        len,
                        self.up_to_text(at + 1, rest.get(len + 1..).unwrap_or_default())?,
                    ));
                }
                Err(failure) if failure.is_further(&furthest) => furthest = failure,
                Err(_) => {}
            }
        }
        Err(furthest)
    }

    /// As [`Self::up_to_text`], but without side effects.
    fn probe(&mut self, from: usize, rest: &'a [u8]) -> Result<Reached<'a>, Failure<'a>> {
        let before = (self.out.len(), self.misfit);
        let reached = self.up_to_text(from, rest);
        self.out.truncate(before.0);
        self.misfit = before.1;
        reached
    }

    /// Whether some string could swallow the start of the next one while all others stay the same. If any
    /// other split exists, then one of this kind exists, for the last string in which the two differ.
    pub(super) fn is_ambiguous(&mut self) -> bool {
        // The record has been read and its marks are still needed: probing must not move them.
        self.marks = None;
        for next in 1..self.texts.len() {
            let (Some(&Text { op, end, .. }), Some(&following)) =
                (self.texts.get(next - 1), self.texts.get(next))
            else {
                continue;
            };
            let between = self.source.values.get(end + 1..following.end).unwrap_or_default();
            for quote in memchr_iter(b'\'', between) {
                let rest = self.source.values.get(end + 1 + quote + 1..).unwrap_or_default();
                if let Ok((reached, rest)) = self.probe(op + 1, rest)
                    && reached == following.op
                    && self.source.values.len() - rest.len() <= following.end
                {
                    return true;
                }
            }
        }
        false
    }
}
