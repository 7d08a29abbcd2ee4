//! Replays the corpora of the registries' fuzz targets on the stable compiler, through the same code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

// The fuzz targets are crates of their own, where this is public.
#[path = "../../../fuzz/bodies/registry.rs"]
#[allow(unreachable_pub)]
mod registry;
#[path = "../../../fuzz/bodies/replay.rs"]
#[allow(unreachable_pub)]
mod replay;

use replay::replay;

#[test]
fn registry_answers() {
    replay("registry_answers", registry::answers);
}

#[test]
fn registry_api() {
    replay("registry_api", registry::api);
}
