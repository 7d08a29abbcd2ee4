//! The hot path does not allocate once its buffers have grown, as measured by a counting allocator on this
//! thread.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use allocation_counter::measure;
use sal::encode::Encoder;
use sal::plan::Plan;
use sal::time::TimeScale;
use sal::wire::Message;

/// Every kind of value: times, numbers of both shapes, integers, a flag, strings with and without quotes,
/// arrays.
const SCHEMA: &str = r#"{
    "type": "record", "namespace": "lsst.sal", "name": "Test_everything", "fields": [
        {"name": "kafka_timestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "sal_revcode", "type": "string"},
        {"name": "sal_created", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "sal_ingested", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "sal_sequence", "type": "long"},
        {"name": "sal_origin", "type": "int"},
        {"name": "sal_host", "type": "int"},
        {"name": "temperature", "type": "double"},
        {"name": "tiny", "type": "float"},
        {"name": "is_open", "type": "boolean"},
        {"name": "note", "type": "string"},
        {"name": "forces", "type": {"type": "array", "items": "float", "sal_count": 4}},
        {"name": "counts", "type": {"type": "array", "items": "int", "sal_count": 2}},
        {"name": "comment", "type": "string"}
    ]}"#;
const TEXT: &str = "Test_telemetry Test_everything:( 'rev' , 1556000000.125000 , 1556000000.127185 , 1 , 1 , 2 , \
                    -21.500000 , 1e-30 , 1 , 'it's , quoted' , 1.000000, -2.500000, nan, 8388608.500000 , 7, -123456789 , 'end')";

#[test]
fn a_message_is_transformed_without_an_allocation() {
    let plan = Plan::compile(SCHEMA, TimeScale::Utc).unwrap();
    let mut encoder = Encoder::new();
    let mut frame = Vec::new();
    let mut transform = || {
        let message = Message::parse(TEXT.as_bytes()).unwrap();
        encoder.encode(&plan, &message, 1, 0, &mut frame).unwrap();
    };
    let first = measure(&mut transform);
    assert!(first.count_total > 0, "the allocator counts");
    let later = measure(|| (0..100).for_each(|_| transform()));
    assert_eq!(later.count_total, 0);
}
