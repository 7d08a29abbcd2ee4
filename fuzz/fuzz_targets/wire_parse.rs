//! Any bytes as a SAL message: `cargo +nightly fuzz run wire_parse`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code)]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::wire_parse(bytes));
