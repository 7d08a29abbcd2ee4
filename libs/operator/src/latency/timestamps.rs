//! The timestamps that a record carries, read from its Avro bytes by the field names of both dialects.

use std::collections::HashMap;

use confluent_avro::frame::Frame;
use confluent_avro::point::time::{self, TimeFault, TimeUnit};
use confluent_avro::point::{Mapping, Name, Plan, PointSink};
use sal::time::tai_minus_utc_at_tai;
use serde_json::Value;
use stage::registry::{Referenced, RegisteredSchema};

/// Timestamps of one record in microseconds since 1970 UTC, in their order; none where the record has none, or one that was
/// never set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timestamps {
    /// When SAL created the message: `sal_created`, `private_sndStamp`.
    pub created: Option<i64>,
    /// When SAL's Kafka producer received it: `sal_ingested`, `private_rcvStamp`.
    pub ingested: Option<i64>,
    /// Kafka's timestamp of the text from which the record was made; no record holds it.
    pub text: Option<i64>,
    /// When saltransform made the record: `kafka_timestamp`, `private_kafkaStamp`.
    pub transformed: Option<i64>,
    /// Kafka's timestamp of the record.
    pub produced: Option<i64>,
    /// SAL's sequence number of the message: `sal_sequence`, `private_seqNum`. The text is found by it.
    pub sequence: Option<i64>,
}

/// How a field stores a timestamp.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Unit {
    /// An integer.
    Integer(TimeUnit),
    /// Seconds in TAI, as in SAL's private fields.
    TaiSeconds,
}

/// A compiled schema, and which of its fields are timestamps.
pub(super) struct TimestampFields {
    plan: Plan,
    units: HashMap<String, Unit>,
}

impl TimestampFields {
    /// Those of a registry's schema; none if its records are not SAL's.
    pub(super) fn of_registered(schema: &RegisteredSchema) -> Option<Self> {
        Self::with(&schema.raw, &schema.referenced)
    }

    fn with(schema_json: &str, referenced: &[Referenced]) -> Option<Self> {
        // No field serves as a point's time here: all are read as plain fields.
        let plan = Plan::compile_with(schema_json, referenced, &Mapping::none()).ok()?;
        let schema: Value = serde_json::from_str(schema_json).ok()?;
        let fields = schema.get("fields")?.as_array()?;
        let units: HashMap<String, Unit> = fields
            .iter()
            .filter_map(|field| {
                let name = field.get("name")?.as_str()?;
                timestamp(name, &mut Timestamps::default())?;
                Some((name.to_owned(), unit(name, field.get("type")?)))
            })
            .collect();
        (!units.is_empty()).then_some(Self { plan, units })
    }

    /// The timestamps of a record; none if its bytes do not match the schema.
    pub(super) fn read(&self, frame: &Frame<'_>) -> Option<Timestamps> {
        let mut sink = Sink {
            units: &self.units,
            times: Timestamps::default(),
        };
        self.plan.decode(frame.avro, &mut sink).ok()?;
        Some(sink.times)
    }
}

/// Which timestamp a field holds.
fn timestamp<'t>(name: &str, times: &'t mut Timestamps) -> Option<&'t mut Option<i64>> {
    match name {
        "sal_created" | "private_sndStamp" => Some(&mut times.created),
        "sal_ingested" | "private_rcvStamp" => Some(&mut times.ingested),
        "kafka_timestamp" | "private_kafkaStamp" => Some(&mut times.transformed),
        _ => None,
    }
}

/// Dialect efd stores milliseconds, with a logical type or without, unless the logical type names another unit.
fn unit(name: &str, of: &Value) -> Unit {
    if name.starts_with("private_") {
        return Unit::TaiSeconds;
    }
    match of.get("logicalType").and_then(Value::as_str) {
        Some("timestamp-micros") => Unit::Integer(TimeUnit::Micros),
        Some("timestamp-nanos") => Unit::Integer(TimeUnit::Nanos),
        _ => Unit::Integer(TimeUnit::Millis),
    }
}

/// Microseconds in UTC of seconds in TAI, rounded as the sink rounds seconds in UTC; none if they were never set.
fn utc(tai_seconds: f64) -> Option<i64> {
    let micros = time::from_seconds(tai_seconds).ok()?;
    Some(micros - tai_minus_utc_at_tai(tai_seconds) * 1_000_000).filter(|micros| *micros > 0)
}

struct Sink<'f> {
    units: &'f HashMap<String, Unit>,
    times: Timestamps,
}

impl Sink<'_> {
    fn note(&mut self, name: &Name<'_>, micros: impl FnOnce(Unit) -> Option<i64>) {
        if !name.prefix.is_empty() || name.index.is_some() {
            return;
        }
        let name = name.key.name();
        if let (Some(unit), Some(place)) = (self.units.get(name), timestamp(name, &mut self.times)) {
            *place = micros(*unit);
        }
    }
}

impl PointSink for Sink<'_> {
    fn double(&mut self, name: Name<'_>, value: f64) {
        self.note(&name, |unit| match unit {
            Unit::TaiSeconds => utc(value),
            // No schema of SAL has these.
            Unit::Integer(_) => None,
        });
    }

    fn integer(&mut self, name: Name<'_>, value: i64) {
        if matches!(name.key.name(), "sal_sequence" | "private_seqNum") && name.prefix.is_empty() {
            self.times.sequence = Some(value);
            return;
        }
        self.note(&name, |unit| match unit {
            Unit::TaiSeconds => utc(value as f64),
            Unit::Integer(unit) => time::from_integer(value, unit).ok(),
        });
    }

    fn float(&mut self, _: Name<'_>, _: f32) {}

    fn boolean(&mut self, _: Name<'_>, _: bool) {}

    fn text(&mut self, _: Name<'_>, _: &str) {}

    fn tag(&mut self, _: Name<'_>, _: &str) {}

    fn time(&mut self, _: Result<i64, TimeFault>) {}

    fn reserved_name(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(value: i64) -> Vec<u8> {
        let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
        let mut bytes = Vec::new();
        while zigzag >= 0x80 {
            bytes.push(zigzag as u8 | 0x80);
            zigzag >>= 7;
        }
        bytes.push(zigzag as u8);
        bytes
    }

    fn read(schema: &str, avro: &[u8]) -> Option<Timestamps> {
        TimestampFields::with(schema, &[])
            .unwrap()
            .read(&Frame { schema_id: 1, avro })
    }

    #[test]
    fn the_timestamps_of_both_dialects_are_utc() {
        let efd = r#"{"type":"record","name":"T","namespace":"lsst.sal","fields":[
            {"name":"kafka_timestamp","type":{"type":"long","logicalType":"timestamp-millis"}},
            {"name":"sal_created","type":{"type":"long","logicalType":"timestamp-micros"}},
            {"name":"sal_ingested","type":"long"},{"name":"sal_sequence","type":"long"}]}"#;
        let avro = [
            long(1_700_000_000_500),
            long(1_700_000_000_000_250),
            long(0),
            long(7),
        ]
        .concat();
        let times = read(efd, &avro).unwrap();
        assert_eq!(times.transformed, Some(1_700_000_000_500_000));
        assert_eq!(times.created, Some(1_700_000_000_000_250));
        assert_eq!(times.ingested, None, "it was never set");
        assert_eq!(times.sequence, Some(7));
        assert_eq!(read(efd, &avro[..3]), None);

        let ts_xml = r#"{"type":"record","name":"t","namespace":"lsst.sal.T","fields":[
            {"name":"private_sndStamp","type":"double","default":0.0},
            {"name":"private_kafkaStamp","type":"double","default":0.0}]}"#;
        let avro = [1_700_000_037.25f64.to_le_bytes(), f64::NAN.to_le_bytes()].concat();
        let times = read(ts_xml, &avro).unwrap();
        assert_eq!(times.created, Some(1_700_000_000_250_000));
        assert_eq!(times.transformed, None);
        let avro = [1_764_475_237.000_001_4_f64.to_le_bytes(), 0_f64.to_le_bytes()].concat();
        let times = read(ts_xml, &avro).unwrap();
        assert_eq!(times.created, Some(1_764_475_200_000_001), "rounded once");
    }

    #[test]
    fn other_records_are_recognized() {
        assert!(
            TimestampFields::with(
                r#"{"type":"record","name":"T","fields":[{"name":"x","type":"int"}]}"#,
                &[]
            )
            .is_none()
        );
        assert!(TimestampFields::with("nonsense", &[]).is_none());
    }
}
