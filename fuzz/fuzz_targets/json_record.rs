//! Arbitrary records in JSON: `scripts/fuzz json_record`.
#![no_main]

#[path = "../bodies/sink.rs"]
#[allow(dead_code)]
mod sink;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sink::plain_json::json_record(bytes));
