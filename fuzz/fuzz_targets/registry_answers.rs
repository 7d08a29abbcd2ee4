//! Arbitrary responses of a schema registry: `scripts/fuzz registry_answers`.
#![no_main]

#[path = "../bodies/registry.rs"]
#[allow(dead_code)]
mod registry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| registry::answers(bytes));
