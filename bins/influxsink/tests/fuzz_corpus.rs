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
fn line() {
    replay("line", sink::line);
}
