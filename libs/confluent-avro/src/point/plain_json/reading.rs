//! Walks a JSON text once, as serde_json reads it, and keeps the flattened name of the value that comes next. serde_json
//! limits the nesting to 128.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::scalar::Scalar;
use super::state::Reading;
use super::{JsonError, JsonFault, MAX_NAME_BYTES, PlainJson};
use crate::frame::{self, Frame};
use crate::point::PointSink;
use crate::read::MAX_VALUES;

/// Some editors and libraries put it before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

pub(super) fn read<S: PointSink>(plan: &PlainJson, record: &[u8], sink: &mut S) -> Result<(), JsonError> {
    // Senders with a schema registry put it before JSON as well.
    let is_framed = Frame::read(Some(record)).is_ok();
    let skipped = match record {
        _ if is_framed => frame::LENGTH,
        record if record.starts_with(BYTE_ORDER_MARK) => BYTE_ORDER_MARK.len(),
        _ => 0,
    };
    let json = record.get(skipped..).unwrap_or_default();
    let mut reading = Reading {
        plan,
        sink,
        name: String::new(),
        known: HashSet::new(),
        tags: HashSet::new(),
        depth: 0,
        is_element: false,
        only_tags: false,
        copy: None,
        values: 0,
        names: 0,
        time: None,
        tiebreaker: None,
        has_measurement: plan.measurement_field.is_none(),
        fault: None,
    };
    let mut text = serde_json::Deserializer::from_slice(json);
    let read = Next(&mut reading)
        .deserialize(&mut text)
        .and_then(|()| text.end());
    if let Err(error) = read {
        let syntax = || {
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or_default().to_owned();
            JsonFault::Syntax(match is_framed {
                true => {
                    format!("{what}; the value has Confluent's frame, as Avro has: --format avro reads that")
                }
                false => what,
            })
        };
        return Err(JsonError {
            fault: reading.fault.take().unwrap_or_else(syntax),
            field: reading.name,
            byte: skipped + position(json, &error),
        });
    }
    if !reading.has_measurement {
        return Err(JsonError {
            field: plan.measurement_field.clone().unwrap_or_default(),
            byte: record.len(),
            fault: JsonFault::Measurement,
        });
    }
    reading.end();
    Ok(())
}

/// The position of a byte from its line and column.
fn position(json: &[u8], error: &serde_json::Error) -> usize {
    if error.is_eof() {
        return json.len();
    }
    let lines = json.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    (before + error.column().saturating_sub(1)).min(json.len())
}

impl<S: PointSink> Reading<'_, S> {
    /// Hands over what is known only at the end.
    fn end(self) {
        if let Some((_, time)) = self.time {
            if let Some((unit, nanos)) = time.detail {
                self.sink.time_detail(unit, nanos);
            }
            self.sink.time(time.micros);
        }
        if let Some((_, value)) = self.tiebreaker {
            self.sink.tiebreaker(value);
        }
    }

    /// Counts a value and its name, which no other has.
    fn count(&mut self) -> Result<(), JsonFault> {
        self.values += 1;
        self.names += self.name.len();
        if self.values > MAX_VALUES || self.names > MAX_NAME_BYTES {
            return Err(JsonFault::TooLarge);
        }
        match self.known.insert(self.name.clone()) {
            true => Ok(()),
            false => Err(JsonFault::SameName),
        }
    }

    /// Remembers a fault; serde's own error has its position.
    fn or_fault<T, E: Error>(&mut self, result: Result<T, JsonFault>) -> Result<T, E> {
        result.map_err(|fault| {
            self.fault = Some(fault);
            E::custom("refused")
        })
    }

    fn scalar<E: Error>(&mut self, value: Scalar<'_>) -> Result<(), E> {
        let taken = match self.depth {
            0 => Err(JsonFault::NotAnObject),
            _ => self.count().and_then(|()| self.take(value)),
        };
        self.or_fault(taken)
    }

    fn push_key(&mut self, key: &str) -> Result<(), JsonFault> {
        if key.contains(|c: char| c.is_control() || matches!(c, '"' | '\\')) {
            return Err(JsonFault::Key);
        }
        self.is_element = false;
        if self.depth > 1 {
            self.name.push('_');
        }
        self.name
            .extend(key.chars().map(|c| if c == ' ' { '_' } else { c }));
        match self.name.is_empty() {
            true => Err(JsonFault::Key),
            false => self.is_not_too_long(),
        }
    }

    fn is_not_too_long(&self) -> Result<(), JsonFault> {
        match self.name.len() > MAX_NAME_BYTES {
            true => Err(JsonFault::TooLarge),
            false => Ok(()),
        }
    }

    /// Runs `inner` within an object or an array.
    fn within<E: Error>(&mut self, inner: impl FnOnce(&mut Self) -> Result<(), E>) -> Result<(), E> {
        let (only_tags, copy) = (self.only_tags, self.copy);
        if self.depth > 0 {
            let entered = self.count().and_then(|()| self.enter());
            self.or_fault(entered)?;
        }
        self.depth += 1;
        inner(self)?;
        self.depth -= 1;
        (self.only_tags, self.copy) = (only_tags, copy);
        Ok(())
    }
}

/// The next value.
struct Next<'n, 'r, S>(&'n mut Reading<'r, S>);

impl<'de, S: PointSink> DeserializeSeed<'de> for Next<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        text.deserialize_any(self)
    }
}

impl<'de, S: PointSink> Visitor<'de> for Next<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        let counted = match self.0.depth {
            0 => Err(JsonFault::NotAnObject),
            _ => self.0.count(),
        };
        self.0.or_fault(counted)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.scalar(Scalar::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.0.scalar(Scalar::Whole(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.0.scalar(Scalar::Whole(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.0.scalar(Scalar::Decimal(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.0.scalar(Scalar::Text(value))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.within(|reading| {
            let outer = reading.name.len();
            while map.next_key_seed(NextKey(reading))?.is_some() {
                map.next_value_seed(Next(reading))?;
                reading.name.truncate(outer);
            }
            Ok(())
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if self.0.depth == 0 {
            return self.0.or_fault(Err(JsonFault::NotAnObject));
        }
        // An array in an array: `a` `1` and then `1` would be `a11`.
        let separator = if self.0.is_element { "_" } else { "" };
        self.0.within(|reading| {
            let outer = reading.name.len();
            let mut index = 0;
            loop {
                reading.name.push_str(separator);
                reading.name.push_str(itoa::Buffer::new().format(index));
                reading.is_element = true;
                if items.next_element_seed(Next(reading))?.is_none() {
                    reading.name.truncate(outer);
                    return Ok(());
                }
                reading.name.truncate(outer);
                index += 1;
            }
        })
    }
}

/// The next key of an object.
struct NextKey<'n, 'r, S>(&'n mut Reading<'r, S>);

impl<'de, S: PointSink> DeserializeSeed<'de> for NextKey<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        text.deserialize_str(self)
    }
}

impl<'de, S: PointSink> Visitor<'de> for NextKey<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<(), E> {
        let pushed = self.0.push_key(key);
        self.0.or_fault(pushed)
    }
}
