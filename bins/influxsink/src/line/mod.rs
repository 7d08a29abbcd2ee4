//! Line protocol, the third step of the data flow. [`LineEncoder`] runs a schema's [`Plan`] over a record's bytes and
//! writes the values into a batch's buffer as they are read: one pass, without intermediate values. Records in JSON take
//! the same way ([`PlainJson`](confluent_avro::point::PlainJson)).
//!
//! What line protocol cannot carry is never written incorrectly:
//! - NaN and ±Inf, and a tag that is empty: the value is left out and counted, the point stays;
//! - a record without a field that is left, a tag that holds a line break, a time that is missing: the point is
//!   refused, with a reason, and its message goes to the dead-letter topic.
//!
//! Names from a schema need no escaping: the plan admits none that would (see [`confluent_avro::point::Key`]). Keys
//! of maps and of JSON are escaped.

mod escape;
mod fields;
mod layout;
pub mod parse;
mod refusal;

pub use fields::{FieldFilter, PatternError};
pub use layout::{FloatFormat, Layout, Precision, Source};
pub use refusal::Refusal;

use fields::Chosen;
use layout::Time;

use confluent_avro::point::time::{self, TimeFault, TimeUnit};
use confluent_avro::point::{Name, Plan, PointSink, Records};

/// The maximum length of a line. The largest SAL topic makes one of about 600 kB; InfluxDB 1 accepts requests of 25 MB.
pub const MAX_LINE_BYTES: usize = 4 << 20;

/// A point that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The point's time, microseconds since 1970 UTC.
    pub time_micros: i64,
    /// Whether that is Kafka's timestamp because the record's own is not usable.
    pub time_from_kafka: bool,
    /// Fields left out of it.
    pub left_out: LeftOut,
    /// Bytes of measurement and tags, with which its line begins.
    pub series_bytes: usize,
    /// Whether messages of different times may have this one, because the record's time is coarser, or is truncated.
    pub is_coarse: bool,
}

/// Fields and tags that were left out of points, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// NaN or ±Inf.
    pub not_finite: u64,
    /// Tags without a character.
    pub empty_tag: u64,
    /// Fields named `time`.
    pub reserved_name: u64,
}

/// Writes records as lines. It keeps its buffers, so reuse it.
#[derive(Debug, Default)]
pub struct LineEncoder {
    tags: Vec<u8>,
    layout: Layout,
    /// A buffer for the names of fields, and the number of those that were not chosen.
    name: String,
    excluded: u64,
    /// The measurement that the last record named.
    measurement: Option<String>,
}

impl LineEncoder {
    /// An encoder of lines with this layout; the default has microseconds and nothing added.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            ..Self::default()
        }
    }

    /// How many fields of the last record were left out because they were not chosen.
    pub fn excluded(&self) -> u64 {
        self.excluded
    }

    /// The measurement that the last record named itself.
    pub fn measurement(&self) -> Option<&str> {
        self.measurement.as_deref()
    }

    /// As [`LineEncoder::encode_from`], of a record alone.
    pub fn encode(
        &mut self,
        plan: &Plan,
        avro: &[u8],
        kafka_millis: Option<i64>,
        lines: &mut Vec<u8>,
    ) -> Result<Encoded, Refusal> {
        let source = Source {
            kafka_millis,
            ..Source::default()
        };
        self.encode_from(plan, avro, &source, lines)
    }

    /// Appends the record's line, with its newline, to `lines`. After a refusal, `lines` is unchanged.
    pub fn encode_from<R>(
        &mut self,
        records: &R,
        record: &[u8],
        source: &Source<'_>,
        lines: &mut Vec<u8>,
    ) -> Result<Encoded, Refusal>
    where
        R: Records,
        Refusal: From<R::Error>,
    {
        let start = lines.len();
        let encoded = self.write(records, record, source, lines);
        if encoded.is_err() {
            lines.truncate(start);
        }
        encoded
    }

    fn write<R>(
        &mut self,
        records: &R,
        record: &[u8],
        source: &Source<'_>,
        lines: &mut Vec<u8>,
    ) -> Result<Encoded, Refusal>
    where
        R: Records,
        Refusal: From<R::Error>,
    {
        self.tags.clear();
        self.measurement = None;
        if let Some(name) = &self.layout.topic_tag {
            self.tags.push(b',');
            self.tags.extend_from_slice(name.as_bytes());
            self.tags.push(b'=');
            escape::tag(source.topic, &mut self.tags).map_err(|refusal| refusal(name.clone()))?;
        }
        let limit = lines.len() + MAX_LINE_BYTES;
        let start = lines.len();
        lines.extend_from_slice(records.measurement().as_bytes());
        let fields_start = lines.len();
        let mut line = Line {
            lines,
            tags: &mut self.tags,
            limit,
            too_long: false,
            time: Err(TimeFault::Missing),
            // From a double, which holds only microseconds.
            unit: TimeUnit::Micros,
            nanos: 0,
            floats: self.layout.floats,
            tiebreaker: None,
            left_out: LeftOut::default(),
            refused_tag: None,
            measurement: &mut self.measurement,
        };
        match &self.layout.fields {
            None => records.read(record, &mut line)?,
            Some(filter) => {
                let mut chosen = Chosen {
                    filter,
                    sink: &mut line,
                    name: &mut self.name,
                    excluded: 0,
                };
                records.read(record, &mut chosen)?;
                self.excluded = chosen.excluded;
            }
        }
        let Line {
            too_long,
            time,
            unit,
            nanos,
            tiebreaker,
            left_out,
            refused_tag,
            ..
        } = line;
        if let Some(refusal) = refused_tag {
            return Err(refusal);
        }
        if too_long {
            return Err(Refusal::TooLong);
        }
        // Each field starts with a comma; the first one's is replaced by the space.
        match lines.get_mut(fields_start) {
            Some(first) => *first = b' ',
            None => return Err(Refusal::NoFields),
        }
        lines.splice(fields_start..fields_start, self.tags.iter().copied());
        let mut measurement_bytes = fields_start - start;
        if let Some(named) = &self.measurement {
            lines.splice(start..fields_start, named.bytes());
            measurement_bytes = named.len();
        }

        let from_kafka = |fault| {
            let is_used = fault == TimeFault::Missing || !source.kafka_if_missing;
            let millis = source.kafka_millis.filter(|_| is_used);
            let millis = millis.ok_or(Refusal::Time(fault))?;
            time::from_integer(millis, TimeUnit::Millis).map_err(Refusal::Time)
        };
        let precise = Time {
            micros: time.or_else(from_kafka)?,
            nanos,
            unit: if time.is_ok() { unit } else { TimeUnit::Millis },
        };
        let precision = self.layout.precision;
        let tiebreaker = tiebreaker.or(self.layout.offset_is_tiebreaker.then_some(source.offset));
        let written = precise.written(precision, tiebreaker).map_err(Refusal::Time)?;
        lines.push(b' ');
        lines.extend_from_slice(itoa::Buffer::new().format(written).as_bytes());
        lines.push(b'\n');
        Ok(Encoded {
            time_micros: precision.micros(written),
            time_from_kafka: time.is_err(),
            left_out,
            series_bytes: measurement_bytes + self.tags.len(),
            is_coarse: precise.is_coarse(precision),
        })
    }
}

/// A line being written: fields are appended, tags are kept apart, because they may follow fields.
struct Line<'b> {
    lines: &'b mut Vec<u8>,
    tags: &'b mut Vec<u8>,
    limit: usize,
    too_long: bool,
    time: Result<i64, TimeFault>,
    unit: TimeUnit,
    nanos: i16,
    floats: FloatFormat,
    tiebreaker: Option<i64>,
    left_out: LeftOut,
    refused_tag: Option<Refusal>,
    measurement: &'b mut Option<String>,
}

impl Line<'_> {
    /// Writes `,name=value` unless the line is too long already.
    #[inline]
    fn field(&mut self, name: Name<'_>, value: &[u8]) {
        if self.lines.len() > self.limit {
            self.too_long = true;
            return;
        }
        write_name(name, self.lines);
        self.lines.extend_from_slice(value);
    }
}

/// Writes `,name=`.
#[inline]
fn write_name(name: Name<'_>, out: &mut Vec<u8>) {
    if name.prefix.is_empty() {
        name.key.append_to(out);
    } else {
        out.push(b',');
        escape::name(name.prefix, out);
        out.extend_from_slice(name.key.name().as_bytes());
        out.push(b'=');
    }
    if let Some(index) = name.index {
        // Replaces the equals sign.
        out.pop();
        write_index(index, out);
    }
}

/// Writes an array's index, nearly always of three digits at most, and the equals sign.
#[inline]
fn write_index(index: usize, out: &mut Vec<u8>) {
    let digit = |value: usize| b'0' + (value % 10) as u8;
    match index {
        0..10 => out.extend_from_slice(&[digit(index), b'=']),
        10..100 => out.extend_from_slice(&[digit(index / 10), digit(index), b'=']),
        100..1000 => {
            let digits = [digit(index / 100), digit(index / 10), digit(index), b'='];
            out.extend_from_slice(&digits);
        }
        _ => {
            out.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
            out.push(b'=');
        }
    }
}

impl PointSink for Line<'_> {
    #[inline]
    fn double(&mut self, name: Name<'_>, value: f64) {
        if value.is_finite() {
            self.field(name, zmij::Buffer::new().format_finite(value).as_bytes());
        } else {
            self.left_out.not_finite += 1;
        }
    }

    #[inline]
    fn float(&mut self, name: Name<'_>, value: f32) {
        match self.floats {
            _ if !value.is_finite() => self.left_out.not_finite += 1,
            FloatFormat::Exact => {
                let value = f64::from(value);
                self.field(name, zmij::Buffer::new().format_finite(value).as_bytes());
            }
            FloatFormat::Shortest => self.field(name, zmij::Buffer::new().format_finite(value).as_bytes()),
        }
    }

    #[inline]
    fn integer(&mut self, name: Name<'_>, value: i64) {
        self.field(name, itoa::Buffer::new().format(value).as_bytes());
        self.lines.push(b'i');
    }

    #[inline]
    fn boolean(&mut self, name: Name<'_>, value: bool) {
        self.field(name, if value { b"true" } else { b"false" });
    }

    #[inline]
    fn text(&mut self, name: Name<'_>, value: &str) {
        self.field(name, b"\"");
        escape::text(value, self.lines);
        self.lines.push(b'"');
    }

    fn tag(&mut self, name: Name<'_>, value: &str) {
        if value.is_empty() {
            self.left_out.empty_tag += 1;
            return;
        }
        write_name(name, self.tags);
        if let Err(refusal) = escape::tag(value, self.tags) {
            self.refused_tag.get_or_insert_with(|| refusal(name.flat()));
        }
    }

    fn time(&mut self, time: Result<i64, TimeFault>) {
        self.time = time;
    }

    fn time_detail(&mut self, unit: TimeUnit, nanos: i16) {
        self.unit = unit;
        self.nanos = nanos;
    }

    fn tiebreaker(&mut self, value: i64) {
        self.tiebreaker = Some(value);
    }

    fn measurement(&mut self, name: &str) {
        *self.measurement = Some(name.to_owned());
    }

    fn reserved_name(&mut self) {
        self.left_out.reserved_name += 1;
    }
}
