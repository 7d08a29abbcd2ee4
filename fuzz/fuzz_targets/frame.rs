//! Arbitrary bytes as the value of a Kafka message: `scripts/fuzz frame`.
#![no_main]

#[path = "../bodies/sink.rs"]
#[allow(dead_code)]
mod sink;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sink::frame(bytes));
