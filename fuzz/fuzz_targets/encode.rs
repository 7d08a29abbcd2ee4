//! Arbitrary schemas and messages: `scripts/fuzz encode`.
#![no_main]

#[path = "../bodies/sal_text.rs"]
#[allow(dead_code)]
mod sal_text;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sal_text::encode(bytes));
