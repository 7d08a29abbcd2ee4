//! Replays the corpora of influxsink's fuzz targets on the stable compiler, through the same code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

// The fuzz targets are crates of their own, where this is public.
#[path = "../../../fuzz/bodies/replay.rs"]
#[allow(unreachable_pub)]
mod replay;
#[path = "../../../fuzz/bodies/sink.rs"]
#[allow(unreachable_pub)]
mod sink;

use proptest::prelude::*;
use replay::replay;

#[test]
fn frame() {
    replay("frame", sink::frame);
}

#[test]
fn avro_schema() {
    replay("avro_schema", sink::avro_schema);
}

#[test]
fn avro_record() {
    replay("avro_record", sink::avro_record);
}

#[test]
fn json_record() {
    replay("json_record", sink::plain_json::json_record);
}

#[test]
fn line() {
    replay("line", sink::line);
}

/// Objects of everything that JSON has, with names that meet each other and those that mean something.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(serde_json::Value::from),
        any::<u64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        (-5_i32..5).prop_map(|small| serde_json::Value::from(f64::from(small))),
    ];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        number,
        any::<String>().prop_map(serde_json::Value::from),
        "[a-z ,=]{0,4}".prop_map(serde_json::Value::from),
    ];
    let key = || {
        prop_oneof![
            "[abi]{1,2}",
            "[a_0 ,=]{0,4}",
            "tags?",
            "time(stamp)?",
            any::<String>()
        ]
    };
    let value = leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            prop::collection::vec((key(), inner), 0..5).prop_map(object),
        ]
    });
    prop::collection::vec((key(), value), 0..6).prop_map(object)
}

fn object(members: Vec<(String, serde_json::Value)>) -> serde_json::Value {
    serde_json::Value::Object(members.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_json_object_is_read_as_its_tree_says(object in json(), time in 1_000_000_000_000_i64..2_000_000_000_000) {
        sink::plain_json::json_record(object.to_string().as_bytes());
        let mut timed = object;
        timed["timestamp"] = time.into();
        sink::plain_json::json_record(serde_json::to_vec_pretty(&timed).unwrap().as_slice());
    }
}
