//! Arbitrary bytes as a SAL message: `scripts/fuzz wire_parse`.
#![no_main]

#[path = "../bodies/sal_text.rs"]
#[allow(dead_code)]
mod sal_text;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sal_text::wire_parse(bytes));
