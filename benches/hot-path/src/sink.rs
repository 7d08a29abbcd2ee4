//! The sink's side: records of two realistic sizes, in the dialect that the observatory uses today, and the
//! hot path from a record to its line.

use std::error::Error;

use confluent_avro::point::{Mapping, Plan};
use influxsink::line::LineEncoder;
use sal::print::Printer;

use crate::work::Transform;
use crate::{Sample, field, print};

/// A record and its schema.
#[derive(Debug)]
pub struct Record {
    /// The writer schema's JSON.
    pub schema: String,
    /// The record, without the frame's first five bytes.
    pub avro: Vec<u8>,
}

/// Like `MTMount.azimuth`: 23 fields, about 200 bytes.
pub fn azimuth() -> Result<Record, Box<dyn Error>> {
    let fields: Vec<String> = (0..15)
        .map(|index| field(&format!("position{index}"), "\"double\""))
        .collect();
    record("azimuth", &fields, |printer| {
        for index in 0..15_i32 {
            printer.double(123.456_789 * f64::from(index - 7));
        }
    })
}

/// Like `MTM1M3.forceActuatorData`: 820 fields when flattened, about 3,350 bytes.
pub fn actuators() -> Result<Record, Box<dyn Error>> {
    let arrays = 0..5;
    let mut fields: Vec<String> = arrays
        .clone()
        .map(|array| field(&format!("forces{array}"), r#"{"type":"array","items":"float"}"#))
        .collect();
    fields.extend((0..32).map(|index| field(&format!("total{index}"), "\"float\"")));
    record("forceActuatorData", &fields, |printer| {
        for array in arrays.clone() {
            let items: Vec<f32> = (0..156).map(|item| force(array * 156 + item)).collect();
            printer.array(&items, |printer, item| {
                printer.float(item);
            });
        }
        for index in 0..32 {
            printer.float(force(index));
        }
    })
}

fn force(number: usize) -> f32 {
    ((number * 7919 % 60_000) as f32 - 30_000.0) / 37.0
}

fn record(
    name: &str,
    fields: &[String],
    values: impl Fn(&mut Printer<'_>),
) -> Result<Record, Box<dyn Error>> {
    let private = [
        ("private_sndStamp", "double"),
        ("private_rcvStamp", "double"),
        ("private_efdStamp", "double"),
        ("private_kafkaStamp", "double"),
        ("private_seqNum", "int"),
        ("private_revCode", "string"),
        ("private_origin", "int"),
    ];
    let private = private.map(|(name, avro)| field(name, &format!("\"{avro}\"")));
    // Not in the text: the plan writes its default.
    let identity = r#"{"name":"private_identity","type":"string","default":""}"#.to_owned();
    let fields = [&private[..], &[identity], fields].concat();
    let sample = Sample {
        schema: format!(
            r#"{{"type":"record","name":"{name}","namespace":"lsst.sal.Bench","fields":[{}]}}"#,
            fields.join(",")
        ),
        text: print(&format!("Bench_{name}"), values),
    };
    let avro = Transform::new(&sample)?
        .frame()
        .get(5..)
        .unwrap_or_default()
        .to_vec();
    Ok(Record {
        schema: sample.schema,
        avro,
    })
}

/// Turns a record into its line.
#[derive(Debug)]
pub struct Line<'a> {
    plan: Plan,
    encoder: LineEncoder,
    avro: &'a [u8],
    lines: Vec<u8>,
}

impl<'a> Line<'a> {
    /// Creates it with buffers that have grown; fails if record and schema do not match.
    pub fn new(record: &'a Record) -> Result<Self, Box<dyn Error>> {
        let mut line = Self {
            plan: Plan::compile(&record.schema, &Mapping::default())?,
            encoder: LineEncoder::default(),
            avro: &record.avro,
            lines: Vec::new(),
        };
        line.encoder
            .encode(&line.plan, line.avro, None, &mut line.lines)?;
        Ok(line)
    }

    /// Writes the line; returns its length, or 0 if the record is refused.
    pub fn once(&mut self) -> usize {
        self.lines.clear();
        let avro = std::hint::black_box(self.avro);
        let _ = self.encoder.encode(&self.plan, avro, None, &mut self.lines);
        std::hint::black_box(&self.lines).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(record: &Record) -> usize {
        let mut line = Line::new(record).unwrap();
        line.once();
        String::from_utf8_lossy(&line.lines).matches('=').count()
    }

    #[test]
    fn the_records_have_the_sizes_of_measured_ones() {
        let (azimuth, actuators) = (azimuth().unwrap(), actuators().unwrap());
        assert_eq!(fields(&azimuth), 23);
        assert_eq!(fields(&actuators), 820);
        assert!((170..230).contains(&azimuth.avro.len()), "{}", azimuth.avro.len());
        assert!(
            (3_200..3_500).contains(&actuators.avro.len()),
            "{}",
            actuators.avro.len()
        );
    }
}
