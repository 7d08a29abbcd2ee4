//! Every published schema compiles to a plan, in both dialects, without this project's converter.
#![allow(clippy::expect_used, reason = "a failed step is a failed test")]
// The helpers of a test may panic like the test itself.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::shared;
use sal::name::Dialect;
use sal::plan::Plan;
use sal::time::TimeScale;
use serde_json::Value;

#[test]
fn every_schema_of_2019_compiles() {
    let Some(folder) = shared("ts_xml-2019-01/avro") else {
        return;
    };
    let mut compiled = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let plan = Plan::compile(&std::fs::read_to_string(&path).unwrap(), TimeScale::Utc)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(plan.dialect(), Dialect::Efd);
        assert_eq!(Some(plan.record()), path.file_stem().unwrap().to_str());
        // Nothing says whether the component is indexed.
        assert!(plan.layouts() > 1);
        compiled += 1;
    }
    assert_eq!(compiled, 226);
}

#[test]
fn every_schema_of_ts_xml_compiles() {
    let Some(folder) = shared("ts_xml-v28/avro") else {
        return;
    };
    let mut compiled = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let topics: Value = serde_json::from_str(&text).unwrap();
        for (topic, entry) in topics.as_object().unwrap() {
            let plan = Plan::compile(&entry["schema"].to_string(), TimeScale::Tai)
                .unwrap_or_else(|error| panic!("{topic}: {error}"));
            assert_eq!(plan.dialect(), Dialect::TsXml);
            compiled += 1;
        }
    }
    assert_eq!(compiled, 678);
}
