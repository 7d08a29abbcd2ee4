//! Arbitrary records of a schema with every kind of field: `scripts/fuzz avro_record`.
#![no_main]

#[path = "../bodies/sink.rs"]
#[allow(dead_code)]
mod sink;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sink::avro_record(bytes));
