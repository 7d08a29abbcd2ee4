//! Runs a plan on one record's bytes. This is the sink's hot path: it allocates only for arrays of records and
//! for maps.

use std::sync::Arc;

use super::distinct::Distinct;
use super::plan::Plan;
use super::step::{Scalar, Step};
use super::time::{self, TimeForm};
use super::{Key, Name, PointSink, Records};
use crate::read::{Cursor, DecodeError, Fault};

impl Plan {
    /// Reads one record to exactly the last byte and hands its values to `sink` in schema order. After an
    /// error the sink has received part of the record.
    pub fn decode<S: PointSink>(&self, avro: &[u8], sink: &mut S) -> Result<(), DecodeError> {
        let mut cursor = Cursor::new(avro);
        if let Some((record, branches)) = self.branch {
            let found = cursor.index(branches).map_err(|fault| whole(&cursor, fault))?;
            if found != record {
                return Err(whole(&cursor, Fault::OtherBranch(found)));
            }
        }
        if self.has_maps {
            let mut distinct = Distinct::new(sink);
            run(&self.steps, "", &mut cursor, &mut distinct)?;
            if let Some(field) = distinct.twice() {
                return Err(DecodeError {
                    field,
                    ..whole(&cursor, Fault::SameName)
                });
            }
        } else {
            run(&self.steps, "", &mut cursor, sink)?;
        }
        match cursor.remaining() {
            0 => Ok(()),
            trailing => Err(whole(&cursor, Fault::Trailing(trailing))),
        }
    }
}

impl Records for Plan {
    type Error = DecodeError;

    fn measurement(&self) -> &Arc<str> {
        Plan::measurement(self)
    }

    fn read<S: PointSink>(&self, record: &[u8], sink: &mut S) -> Result<(), DecodeError> {
        self.decode(record, sink)
    }
}

/// `prefix` is the name of the array element that contains the steps.
fn run<S: PointSink>(
    steps: &[Step],
    prefix: &str,
    cursor: &mut Cursor<'_>,
    sink: &mut S,
) -> Result<(), DecodeError> {
    for step in steps {
        match step {
            Step::Field(key, of) => {
                let name = Name {
                    prefix,
                    key,
                    index: None,
                };
                field(of, name, cursor, sink).map_err(|fault| at(name, cursor, fault))?;
            }
            Step::Array { key, items, limit } => {
                let mut index = 0;
                loop {
                    let head = Name {
                        prefix,
                        key,
                        index: Some(index),
                    };
                    let end = match cursor.block().map_err(|fault| at(head, cursor, fault))? {
                        0 => break,
                        count => index + count,
                    };
                    if end > *limit {
                        return Err(at(head, cursor, Fault::NameCollision(*limit)));
                    }
                    while index < end {
                        let name = Name {
                            prefix,
                            key,
                            index: Some(index),
                        };
                        field(items, name, cursor, sink).map_err(|fault| at(name, cursor, fault))?;
                        index += 1;
                    }
                }
            }
            Step::Union(branches) => {
                let branch = cursor.choose(branches).map_err(|fault| {
                    let key = branches.iter().flatten().find_map(Step::key);
                    at_key(prefix, key, cursor, fault)
                })?;
                run(branch, prefix, cursor, sink)?;
            }
            Step::Time(key, form, of) => {
                let name = Name {
                    prefix,
                    key,
                    index: None,
                };
                let point_time = match form {
                    TimeForm::Double => cursor.double().map(|seconds| {
                        sink.double(name, seconds);
                        time::from_seconds(seconds)
                    }),
                    TimeForm::Integer(unit) => integer(of, cursor).map(|value| {
                        sink.integer(name, value);
                        sink.time_detail(*unit, time::nanos_beyond_micros(value, *unit));
                        time::from_integer(value, *unit)
                    }),
                };
                sink.time(point_time.map_err(|fault| at(name, cursor, fault))?);
            }
            Step::Tiebreaker(key, of) => {
                let name = Name {
                    prefix,
                    key,
                    index: None,
                };
                let value = integer(of, cursor).map_err(|fault| at(name, cursor, fault))?;
                sink.integer(name, value);
                sink.tiebreaker(value);
            }
            Step::Tag(key, of) => {
                let name = Name {
                    prefix,
                    key,
                    index: None,
                };
                tag(of, name, cursor, sink).map_err(|fault| at(name, cursor, fault))?;
            }
            Step::Reserved(of) => {
                skip(of, cursor).map_err(|fault| at_key("time", None, cursor, fault))?;
                sink.reserved_name();
            }
            Step::Items { key, items, limit } => {
                let mut index = 0;
                loop {
                    let head = Name {
                        prefix,
                        key,
                        index: Some(index),
                    };
                    let count = cursor.block().map_err(|fault| at(head, cursor, fault))?;
                    if count == 0 {
                        break;
                    }
                    if index + count > *limit {
                        return Err(at(head, cursor, Fault::NameCollision(*limit)));
                    }
                    for index in index..index + count {
                        let element = Name {
                            prefix,
                            key,
                            index: Some(index),
                        }
                        .flat();
                        run(items, &element, cursor, sink)?;
                    }
                    index += count;
                }
            }
            Step::Map { key, values } => loop {
                let count = cursor
                    .block()
                    .map_err(|fault| at_key(prefix, Some(key), cursor, fault))?;
                if count == 0 {
                    break;
                }
                for _ in 0..count {
                    let entry = entry(cursor).map_err(|fault| at_key(prefix, Some(key), cursor, fault))?;
                    run(values, &format!("{prefix}{}{entry}", key.name()), cursor, sink)?;
                }
            },
            Step::Copy { tag, field } => {
                run(tag, prefix, &mut cursor.clone(), sink)?;
                run(field, prefix, cursor, sink)?;
            }
            Step::Null => {}
        }
    }
    Ok(())
}

#[inline]
fn field<S: PointSink>(
    of: &Scalar,
    name: Name<'_>,
    cursor: &mut Cursor<'_>,
    sink: &mut S,
) -> Result<(), Fault> {
    match of {
        Scalar::Double => sink.double(name, cursor.double()?),
        Scalar::Float => sink.float(name, cursor.float()?),
        Scalar::Int => sink.integer(name, cursor.int()?),
        Scalar::Long => sink.integer(name, cursor.long()?),
        Scalar::Boolean => sink.boolean(name, cursor.boolean()?),
        Scalar::Text => sink.text(name, cursor.text()?),
        Scalar::Enum(symbols) => sink.text(name, cursor.choose(symbols)?),
        Scalar::Bytes => sink.text(name, utf8(cursor.bytes()?)?),
        Scalar::Fixed(size) => sink.text(name, utf8(cursor.fixed(*size)?)?),
    }
    Ok(())
}

/// A tag's text. Floats are in their shortest decimal form, without an exponent, as Telegraf writes them.
fn tag<S: PointSink>(
    of: &Scalar,
    name: Name<'_>,
    cursor: &mut Cursor<'_>,
    sink: &mut S,
) -> Result<(), Fault> {
    match of {
        Scalar::Text => sink.tag(name, cursor.text()?),
        Scalar::Enum(symbols) => sink.tag(name, cursor.choose(symbols)?),
        Scalar::Int | Scalar::Long => sink.tag(name, itoa::Buffer::new().format(integer(of, cursor)?)),
        Scalar::Boolean => sink.tag(name, if cursor.boolean()? { "true" } else { "false" }),
        Scalar::Double => match cursor.double()? {
            value if value.is_finite() => sink.tag(name, &value.to_string()),
            value => sink.double(name, value),
        },
        Scalar::Float => match cursor.float()? {
            value if value.is_finite() => sink.tag(name, &value.to_string()),
            value => sink.float(name, value),
        },
        Scalar::Bytes => sink.tag(name, utf8(cursor.bytes()?)?),
        Scalar::Fixed(size) => sink.tag(name, utf8(cursor.fixed(*size)?)?),
    }
    Ok(())
}

#[inline]
fn integer(of: &Scalar, cursor: &mut Cursor<'_>) -> Result<i64, Fault> {
    match of {
        Scalar::Int => cursor.int(),
        _ => cursor.long(),
    }
}

/// The key of a map's entry, which becomes part of a name. Line protocol has no form for control characters in
/// names, and its readers disagree on quotes and backslashes.
fn entry<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, Fault> {
    let key = cursor.text()?;
    match key.contains(|c: char| c.is_control() || matches!(c, '"' | '\\')) {
        true => Err(Fault::MapKey),
        false => Ok(key),
    }
}

fn skip(of: &Scalar, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    match of {
        Scalar::Double => cursor.double().map(drop),
        Scalar::Float => cursor.float().map(drop),
        Scalar::Int => cursor.int().map(drop),
        Scalar::Long => cursor.long().map(drop),
        Scalar::Boolean => cursor.boolean().map(drop),
        Scalar::Text | Scalar::Bytes => cursor.bytes().map(drop),
        Scalar::Enum(symbols) => cursor.choose(symbols).map(drop),
        Scalar::Fixed(size) => cursor.fixed(*size).map(drop),
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::BinaryBytes)
}

#[cold]
fn whole(cursor: &Cursor<'_>, fault: Fault) -> DecodeError {
    DecodeError {
        field: String::new(),
        byte: cursor.position(),
        fault,
    }
}

#[cold]
fn at(name: Name<'_>, cursor: &Cursor<'_>, fault: Fault) -> DecodeError {
    DecodeError {
        field: name.flat(),
        byte: cursor.position(),
        fault,
    }
}

#[cold]
fn at_key(prefix: &str, key: Option<&Key>, cursor: &Cursor<'_>, fault: Fault) -> DecodeError {
    let field = format!("{prefix}{}", key.map(Key::name).unwrap_or_default());
    DecodeError {
        field,
        byte: cursor.position(),
        fault,
    }
}
