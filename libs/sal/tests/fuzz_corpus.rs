//! Replays the corpora of the fuzz targets on the stable compiler, through the same code.
#![allow(clippy::expect_used, reason = "a failed step is a failed test")]
// The helpers of a test may panic like the test itself.
#![allow(clippy::unwrap_used, clippy::panic)]

// The fuzz targets are separate crates, where this is public.
#[path = "../../../fuzz/bodies/sal_text.rs"]
#[allow(unreachable_pub)]
mod bodies;
#[path = "../../../fuzz/bodies/replay.rs"]
#[allow(unreachable_pub)]
mod replay;

use replay::replay;

#[test]
fn wire_parse() {
    replay("wire_parse", bodies::wire_parse);
}

#[test]
fn encode() {
    replay("encode", bodies::encode);
}
