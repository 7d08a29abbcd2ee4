//! Arbitrary names and values as line protocol: `scripts/fuzz line`.
#![no_main]

#[path = "../bodies/sink.rs"]
#[allow(dead_code)]
mod sink;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sink::line(bytes));
