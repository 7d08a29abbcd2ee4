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

use std::path::PathBuf;

fn replay(target: &str, body: fn(&[u8])) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut replayed = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        println!("{}", path.display());
        body(&std::fs::read(&path).unwrap());
        replayed += 1;
    }
    assert!(replayed > 0, "{} is empty", folder.display());
}

#[test]
fn registry_answers() {
    replay("registry_answers", registry::answers);
}

#[test]
fn registry_api() {
    replay("registry_api", registry::api);
}
