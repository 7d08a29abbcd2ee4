//! Runs a plan on one record's bytes. This is the sink's hot path: it allocates only for arrays of records.

use super::plan::{Plan, Scalar, Step};
use super::{Key, Name, PointSink, time};
use crate::read::{Cursor, DecodeError, Fault};

impl Plan {
    /// Reads one record to exactly the last byte and hands its values to `sink` in schema order. After an
    /// error the sink has received part of the record.
    pub fn decode<S: PointSink>(&self, avro: &[u8], sink: &mut S) -> Result<(), DecodeError> {
        let mut cursor = Cursor::new(avro);
        run(&self.steps, "", &mut cursor, sink)?;
        match cursor.remaining() {
            0 => Ok(()),
            trailing => Err(DecodeError {
                field: String::new(),
                byte: cursor.position(),
                fault: Fault::Trailing(trailing),
            }),
        }
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
            Step::Time(key, unit) => {
                let name = Name {
                    prefix,
                    key,
                    index: None,
                };
                let point_time = match unit {
                    time::TimeUnit::Seconds => cursor.double().map(|seconds| {
                        sink.double(name, seconds);
                        time::from_seconds(seconds)
                    }),
                    unit => cursor.long().map(|value| {
                        sink.integer(name, value);
                        sink.time_detail(*unit, time::nanos_below_micros(value, *unit));
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
                let value = match of {
                    Scalar::Int => cursor.int(),
                    _ => cursor.long(),
                };
                let value = value.map_err(|fault| at(name, cursor, fault))?;
                sink.integer(name, value);
                sink.tiebreaker(value);
            }
            Step::Tag(key, of) => {
                tag(of, key, cursor, sink).map_err(|fault| at_key(prefix, Some(key), cursor, fault))?;
            }
            Step::Reserved(of) => {
                skip(of, cursor).map_err(|fault| at_key("time", None, cursor, fault))?;
                sink.reserved_name();
            }
            Step::Items { key, items } => {
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

fn tag<S: PointSink>(of: &Scalar, key: &Key, cursor: &mut Cursor<'_>, sink: &mut S) -> Result<(), Fault> {
    match of {
        Scalar::Text => sink.tag(key, cursor.text()?),
        Scalar::Enum(symbols) => sink.tag(key, cursor.choose(symbols)?),
        Scalar::Int => sink.tag(key, itoa::Buffer::new().format(cursor.int()?)),
        Scalar::Long => sink.tag(key, itoa::Buffer::new().format(cursor.long()?)),
        Scalar::Boolean => sink.tag(key, if cursor.boolean()? { "true" } else { "false" }),
        // The plan never makes a tag of these.
        Scalar::Double | Scalar::Float | Scalar::Bytes | Scalar::Fixed(_) => skip(of, cursor)?,
    }
    Ok(())
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

impl Step {
    fn key(&self) -> Option<&Key> {
        match self {
            Step::Field(key, _) | Step::Tag(key, _) | Step::Time(key, _) | Step::Tiebreaker(key, _) => {
                Some(key)
            }
            Step::Array { key, .. } | Step::Items { key, .. } => Some(key),
            Step::Union(branches) => branches.iter().flatten().find_map(Step::key),
            Step::Null | Step::Reserved(_) => None,
        }
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
