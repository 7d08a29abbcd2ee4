//! Replays the corpora of the fuzz targets on the stable compiler, through the same code.
#![allow(clippy::expect_used, reason = "a failed step is a failed test")]
// The helpers of a test may panic as the test itself.
#![allow(clippy::unwrap_used, clippy::panic)]

// The fuzz targets are crates of their own, where this is public.
#[path = "../../../fuzz/bodies/sal_text.rs"]
#[allow(unreachable_pub)]
mod bodies;

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
fn wire_parse() {
    replay("wire_parse", bodies::wire_parse);
}

#[test]
fn encode() {
    replay("encode", bodies::encode);
}
