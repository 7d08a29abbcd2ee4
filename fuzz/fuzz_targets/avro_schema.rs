//! Arbitrary writer schemas and records: `scripts/fuzz avro_schema`.
#![no_main]

#[path = "../bodies/sink.rs"]
#[allow(dead_code)]
mod sink;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sink::avro_schema(bytes));
