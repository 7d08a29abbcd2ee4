//! Replays the corpora of influxsink's fuzz targets on the stable compiler, through the same code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

// The fuzz targets are crates of their own, where this is public.
#[path = "../../../fuzz/bodies/sink.rs"]
#[allow(unreachable_pub)]
mod sink;

use std::path::PathBuf;

fn replay(target: &str, body: fn(&[u8])) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut replayed = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        println!("{}", path.display());
        body(&std::fs::read(&path).unwrap());
        replayed += 1;
    }
    assert!(replayed > 0, "{} is empty", folder.display());
}

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
