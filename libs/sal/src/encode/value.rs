//! Single values: one step of a plan reads one value with the wire's grammar and writes it as Avro. A value
//! that its Avro type cannot carry is not a structural failure: it is kept as the reading's misfit and the
//! rest is still read, so that the error is about the value and not about another layout.

use super::record::Reading;
use crate::avro_binary as avro;
use crate::plan::{Act, Count, Form, Op, Shift, Sign, Stamp};
use crate::time::{tai_minus_utc, tai_minus_utc_at_tai};
use crate::wire::grammar::{self, Parsed, Symbol, fail, item_separator};
use crate::wire::number::Real;
use crate::wire::{Fault, Problem};

/// Times beyond this many seconds are invalid: the year 5138, where our TAI table ends.
const MAX_SECONDS: f64 = 1e11;

impl<'a> Reading<'_, 'a> {
    /// Runs one step that reads nothing or an unquoted value.
    #[inline(always)]
    pub(super) fn value(&mut self, op: &Op, rest: &'a [u8]) -> Parsed<'a, ()> {
        match op.count {
            Count::Scalar => self.scalar(op, rest),
            Count::Items(items) => self.array(op, items, rest),
            Count::Some => self.array(op, items(rest), rest),
        }
    }

    /// Reads an array as one Avro block.
    #[inline(never)]
    fn array(&mut self, op: &Op, items: u32, rest: &'a [u8]) -> Parsed<'a, ()> {
        if items == 0 {
            return fail(Problem::FieldSeparator, rest);
        }
        avro::long(self.out, i64::from(items));
        // Fast path for nearly all numbers of nearly all arrays; the last item and unusual numbers are read
        // below.
        let (usual, mut rest) = match op.act {
            Act::Double => self.usual(rest, items - 1, avro::double),
            Act::Float => self.usual(rest, items - 1, avro::float),
            _ => (0, rest),
        };
        (rest, ()) = self.item(op, rest)?;
        for found in usual + 1..items {
            let after = match item_separator(rest) {
                Ok((after, ())) => after,
                Err(_) => return fail(missing_item(rest, items, found), rest),
            };
            (rest, ()) = self.item(op, after)?;
        }
        avro::long(self.out, 0);
        Ok((rest, ()))
    }

    #[inline(always)]
    fn usual<R: Real>(
        &mut self,
        rest: &'a [u8],
        max_items: u32,
        write: impl Fn(&mut Vec<u8>, R),
    ) -> (u32, &'a [u8]) {
        // Each item takes at least eight bytes of text.
        self.out
            .reserve((max_items as usize).min(rest.len() / 8) * size_of::<R>());
        grammar::usual_items(rest, max_items, |value| write(self.out, value))
    }

    #[inline(never)]
    fn item(&mut self, op: &Op, rest: &'a [u8]) -> Parsed<'a, ()> {
        self.scalar(op, rest)
    }

    /// Reads one value, or none, as the step says.
    #[inline(always)]
    fn scalar(&mut self, op: &Op, rest: &'a [u8]) -> Parsed<'a, ()> {
        match op.act {
            Act::Double => {
                let (after, value) = grammar::double(rest)?;
                if value.is_infinite() && is_finite_text(rest) {
                    self.misfit(op, Problem::NumberRange { avro: "double" }, rest);
                }
                avro::double(self.out, value);
                Ok((after, ()))
            }
            Act::Float => {
                let (after, value) = grammar::float(rest)?;
                if value.is_infinite() && is_finite_text(rest) {
                    self.misfit(op, Problem::NumberRange { avro: "float" }, rest);
                }
                avro::float(self.out, value);
                Ok((after, ()))
            }
            Act::Int(sign) => {
                let (after, value) = grammar::integer(rest)?;
                let value = restored(value, sign);
                match value.filter(|value| i32::try_from(*value).is_ok()) {
                    Some(value) => avro::long(self.out, value),
                    None => self.misfit(op, Problem::IntegerRange { avro: "int", value }, rest),
                }
                Ok((after, ()))
            }
            Act::Index => {
                let (after, value) = grammar::integer(rest)?;
                match value.filter(|value| i32::try_from(*value).is_ok()) {
                    Some(value) => avro::long(self.out, value),
                    None => self.misfit(op, Problem::IntegerRange { avro: "int", value }, rest),
                }
                self.index = value;
                Ok((after, ()))
            }
            Act::Long(sign) => {
                let (after, value) = grammar::integer(rest)?;
                match restored(value, sign) {
                    Some(value) => avro::long(self.out, value),
                    None => self.misfit(op, Problem::IntegerRange { avro: "long", value }, rest),
                }
                Ok((after, ()))
            }
            Act::Boolean => {
                let (after, value) = grammar::integer(rest)?;
                match value {
                    Some(0 | 1) => avro::boolean(self.out, value == Some(1)),
                    _ => self.misfit(op, Problem::Boolean, rest),
                }
                Ok((after, ()))
            }
            Act::Enum(enumeration) => {
                let (after, symbol) = grammar::symbol(rest)?;
                self.enumeration(op, enumeration, symbol, rest);
                Ok((after, ()))
            }
            Act::Stamp(stamp) => {
                let (after, seconds) = grammar::double(rest)?;
                self.stamp(op, stamp, seconds, rest);
                Ok((after, ()))
            }
            Act::SentStamp(stamp) => {
                let (after, seconds) = grammar::double(rest)?;
                self.sent = seconds;
                self.stamp(op, stamp, seconds, rest);
                Ok((after, ()))
            }
            Act::Sent(stamp) => {
                self.stamp(op, stamp, self.sent, rest);
                Ok((rest, ()))
            }
            Act::Clock(stamp) => {
                self.clock(stamp);
                Ok((rest, ()))
            }
            Act::Literal { start, len } => {
                let bytes = start as usize..(start + len) as usize;
                self.out
                    .extend_from_slice(self.source.plan.literals.get(bytes).unwrap_or_default());
                Ok((rest, ()))
            }
            Act::SkipNumber => grammar::double(rest).map(|(rest, _)| (rest, ())),
            Act::SkipInteger => grammar::integer(rest).map(|(rest, _)| (rest, ())),
            Act::Text | Act::Bytes | Act::Chars | Act::SkipText => fail(Problem::OpeningQuote, rest),
        }
    }

    /// Writes the quoted value in the first `len` bytes of `rest`.
    pub(super) fn text(&mut self, op: Op, rest: &'a [u8], len: usize) {
        let text = rest.get(..len).unwrap_or_default();
        match op.act {
            Act::Text => {
                if let Err(error) = std::str::from_utf8(text) {
                    let rest = rest.get(error.valid_up_to()..).unwrap_or_default();
                    self.misfit(&op, Problem::Utf8, rest);
                }
                avro::bytes(self.out, text);
            }
            Act::Bytes => avro::bytes(self.out, text),
            Act::Chars => {
                if !text.is_empty() {
                    avro::long(self.out, text.len() as i64);
                    text.iter().for_each(|byte| avro::bytes(self.out, &[*byte]));
                }
                avro::long(self.out, 0);
            }
            _ => {}
        }
    }

    fn enumeration(&mut self, op: &Op, enumeration: u16, symbol: Symbol<'a>, rest: &'a [u8]) {
        let enumeration = self.source.plan.enumerations.get(usize::from(enumeration));
        let symbols = enumeration.map_or(&[][..], |enumeration| &enumeration.symbols);
        let position = match symbol {
            Symbol::Value(value) => symbols.iter().position(|(_, known)| Some(*known) == value),
            Symbol::Name(name) => symbols.iter().position(|(known, _)| known.as_bytes() == name),
        };
        match position {
            Some(position) => avro::long(self.out, position as i64),
            None => self.misfit(
                op,
                Problem::Enumeration {
                    symbols: symbols.len() as u32,
                },
                rest,
            ),
        }
    }

    fn stamp(&mut self, op: &Op, stamp: Stamp, seconds: f64, rest: &'a [u8]) {
        let ahead = match stamp.shift {
            Shift::Kept => 0,
            Shift::UtcToTai => tai_minus_utc(seconds),
            Shift::TaiToUtc => -tai_minus_utc_at_tai(seconds),
        };
        match stamp.form {
            Form::Seconds => avro::double(self.out, seconds + ahead as f64),
            // Truncated, as the transformer of 2019 did.
            Form::Millis if seconds.abs() <= MAX_SECONDS => {
                avro::long(self.out, (seconds * 1000.0) as i64 + ahead * 1000);
            }
            Form::Millis => self.misfit(op, Problem::Time, rest),
        }
    }

    fn clock(&mut self, stamp: Stamp) {
        let now = self.source.now_unix_micros;
        let ahead = match stamp.shift {
            Shift::UtcToTai => tai_minus_utc(now as f64 / 1e6),
            Shift::Kept | Shift::TaiToUtc => 0,
        };
        match stamp.form {
            Form::Millis => avro::long(self.out, now.div_euclid(1000).saturating_add(ahead * 1000)),
            Form::Seconds => avro::double(self.out, now.saturating_add(ahead * 1_000_000) as f64 / 1e6),
        }
    }

    /// Keeps the first misfit.
    #[cold]
    fn misfit(&mut self, op: &Op, problem: Problem, rest: &'a [u8]) {
        self.misfit = self.misfit.or(Some((Fault { problem, rest }, op.field)));
    }
}

/// The value before `%d` printed it; `None` if 64 bits cannot hold it.
#[inline]
fn restored(value: Option<i64>, sign: Sign) -> Option<i64> {
    match (value, sign) {
        (Some(value), Sign::Restored(64)) => Some(value).filter(|value| *value >= 0),
        (Some(value), Sign::Restored(bits)) if value < 0 && value >= -(1 << (bits - 1)) => {
            Some(value + (1 << bits))
        }
        (Some(value), Sign::Restored(_)) => Some(value).filter(|value| *value >= 0),
        (value, _) => value,
    }
}

fn is_finite_text(number: &[u8]) -> bool {
    number
        .iter()
        .find(|byte| **byte != b'-')
        .is_some_and(u8::is_ascii_digit)
}

/// The number of items of an array whose schema does not give it. No item contains a separator.
pub(super) fn items(rest: &[u8]) -> u32 {
    let mut items = 1;
    let mut previous = 0;
    for (byte, next) in rest.iter().zip(rest.iter().skip(1).chain(&[0])) {
        match (byte, next) {
            (b',', b' ') if previous != b' ' => items += 1,
            (b' ', b',') | (b')' | b'\'', _) => break,
            _ => {}
        }
        previous = *byte;
    }
    items
}

fn missing_item(rest: &[u8], expected: u32, found: u32) -> Problem {
    match rest {
        [b')', ..] | [b' ', b',', ..] => Problem::ItemCount { expected, found },
        _ => Problem::ItemSeparator,
    }
}
