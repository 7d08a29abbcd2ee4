//! What the tests share: a sink that notes what it is given, and schemas with records to match.

use confluent_avro::point::time::TimeFault;
use confluent_avro::point::{Mapping, Name, Plan, PointSink};
use influxsink::line::{Encoded, LineEncoder, Refusal};

/// A value as it came to the sink.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Given {
    Double(f64),
    Float(f32),
    Integer(i64),
    Boolean(bool),
    Text(String),
}

/// Notes everything.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) fields: Vec<(String, Given)>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) time: Option<Result<i64, TimeFault>>,
    pub(crate) reserved: usize,
}

impl PointSink for Notes {
    fn double(&mut self, name: Name<'_>, value: f64) {
        self.fields.push((name.flat(), Given::Double(value)));
    }
    fn float(&mut self, name: Name<'_>, value: f32) {
        self.fields.push((name.flat(), Given::Float(value)));
    }
    fn integer(&mut self, name: Name<'_>, value: i64) {
        self.fields.push((name.flat(), Given::Integer(value)));
    }
    fn boolean(&mut self, name: Name<'_>, value: bool) {
        self.fields.push((name.flat(), Given::Boolean(value)));
    }
    fn text(&mut self, name: Name<'_>, value: &str) {
        self.fields.push((name.flat(), Given::Text(value.to_owned())));
    }
    fn tag(&mut self, name: Name<'_>, value: &str) {
        self.tags.push((name.flat(), value.to_owned()));
    }
    fn time(&mut self, time: Result<i64, TimeFault>) {
        self.time = Some(time);
    }
    fn reserved_name(&mut self) {
        self.reserved += 1;
    }
}

/// A record schema with these fields, as JSON.
pub(crate) fn schema(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"Test_scalars","namespace":"lsst.sal","fields":[{fields}]}}"#)
}

/// `{"name": …, "type": …}`
pub(crate) fn field(name: &str, of: &str) -> String {
    format!(r#"{{"name":"{name}","type":{of}}}"#)
}

/// The time field of dialect `ts_xml`.
pub(crate) const TIME: &str = r#"{"name":"private_efdStamp","type":"double"}"#;

/// The record's bytes, by apache-avro's own encoder.
pub(crate) fn avro(schema: &str, record: impl Into<apache_avro::types::Value>) -> Vec<u8> {
    let schema = apache_avro::Schema::parse_str(schema).unwrap();
    let writer = apache_avro::writer::datum::GenericDatumWriter::builder(&schema)
        .build()
        .unwrap();
    writer.write_value_to_vec(record).unwrap()
}

/// A record value of named fields.
pub(crate) fn record(fields: &[(&str, apache_avro::types::Value)]) -> apache_avro::types::Value {
    let fields = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    apache_avro::types::Value::Record(fields.collect())
}

/// The record's line.
pub(crate) fn line(schema: &str, mapping: &Mapping, bytes: &[u8]) -> Result<(String, Encoded), Refusal> {
    let plan = Plan::compile(schema, mapping).unwrap();
    let mut lines = b"before 1\n".to_vec();
    let encoded = LineEncoder::default().encode(&plan, bytes, None, &mut lines);
    let text = String::from_utf8(lines).unwrap();
    let own = text.strip_prefix("before 1\n").unwrap().to_owned();
    if encoded.is_err() {
        assert_eq!(own, "", "a refused record leaves nothing behind");
    }
    encoded.map(|encoded| (own, encoded))
}
