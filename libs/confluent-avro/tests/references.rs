//! Schemas that refer to others, as a registry holds them: the names are known before the schema is read.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use confluent_avro::point::{Mapping, Name, Plan, PointSink, SchemaError};
use confluent_avro::schema::{ParseError, Schema};

const UNIT: &str = r#"{"type":"enum","name":"Unit","namespace":"lsst.ref","symbols":["C","K"]}"#;
const READING: &str = r#"{"type":"record","name":"Reading","namespace":"lsst.ref","fields":[
    {"name":"value","type":"double"},{"name":"unit","type":"Unit"}]}"#;
const REPORT: &str = r#"{"type":"record","name":"Report","namespace":"lsst.sal","fields":[
    {"name":"private_efdStamp","type":"double"},
    {"name":"inside","type":"lsst.ref.Reading"},
    {"name":"outside","type":["null","lsst.ref.Reading"]}]}"#;

/// 1764475200 s; 21.5 C; then null.
fn report() -> Vec<u8> {
    let mut avro = 1_764_475_200_f64.to_le_bytes().to_vec();
    avro.extend(21.5_f64.to_le_bytes());
    avro.extend([0, 0]);
    avro
}

#[derive(Default)]
struct Names(Vec<String>);

impl PointSink for Names {
    fn double(&mut self, name: Name<'_>, value: f64) {
        self.0.push(format!("{}={value}", name.flat()));
    }
    fn float(&mut self, _: Name<'_>, _: f32) {}
    fn integer(&mut self, _: Name<'_>, _: i64) {}
    fn boolean(&mut self, _: Name<'_>, _: bool) {}
    fn text(&mut self, name: Name<'_>, value: &str) {
        self.0.push(format!("{}={value}", name.flat()));
    }
    fn tag(&mut self, _: Name<'_>, _: &str) {}
    fn time(&mut self, _: Result<i64, confluent_avro::point::time::TimeFault>) {}
    fn reserved_name(&mut self) {}
}

#[test]
fn a_schema_uses_the_types_of_those_to_which_it_refers() {
    let schema = Schema::parse_with(REPORT, &[UNIT, READING]).unwrap();
    assert_eq!(
        schema.to_json(&report()).unwrap().to_string(),
        r#"{"private_efdStamp":1764475200.0,"inside":{"value":21.5,"unit":"C"},"outside":null}"#
    );
    let plan = Plan::compile_with(REPORT, &[UNIT, READING], &Mapping::default()).unwrap();
    assert_eq!(&**plan.measurement(), "lsst.sal.Report");
    let mut names = Names::default();
    plan.decode(&report(), &mut names).unwrap();
    assert_eq!(
        names.0,
        [
            "private_efdStamp=1764475200",
            "inside_value=21.5",
            "inside_unit=C"
        ]
    );
}

#[test]
fn a_schema_can_be_a_reference_itself() {
    for root in [r#""lsst.sal.Report""#, r#"["null","lsst.sal.Report"]"#] {
        let plan = Plan::compile_with(root, &[UNIT, READING, REPORT], &Mapping::default()).unwrap();
        assert_eq!(&**plan.measurement(), "lsst.sal.Report");
    }
    let nothing = &[] as &[&str];
    let alone = Plan::compile_with(r#""string""#, nothing, &Mapping::default());
    assert!(matches!(alone, Err(SchemaError::NotARecord(_))), "{alone:?}");
}

#[test]
fn a_name_that_no_reference_has_is_an_error() {
    let lacking = Schema::parse_with(REPORT, &[UNIT]).unwrap_err();
    assert!(
        matches!(&lacking, ParseError::NotAvro(what) if what.contains("lsst.ref.Reading")),
        "{lacking}"
    );
    let broken = Schema::parse_with(REPORT, &[UNIT, "syntax = \"proto3\";"]).unwrap_err();
    assert!(matches!(broken, ParseError::NotAvro(_)), "{broken}");
}
