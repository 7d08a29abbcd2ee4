//! Arbitrary requests to the embedded schema registry: `scripts/fuzz registry_api`.
#![no_main]

#[path = "../bodies/registry.rs"]
#[allow(dead_code)]
mod registry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| registry::api(bytes));
