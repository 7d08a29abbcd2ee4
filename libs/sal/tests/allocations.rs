//! The transform allocates nothing per message once its buffers have grown, counted by the allocator itself.
#![allow(clippy::expect_used, reason = "a failed step is a failed test")]
// The helpers of a test may panic as the test itself.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::*;
use sal::encode::Encoder;
use sal::plan::Plan;
use sal::time::TimeScale;
use sal::wire::Message;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes unchanged to the system's allocator; counting neither allocates nor unwinds.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System` with the same layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn no_message_allocates_after_the_first_round() {
    let items = [
        plain(0, "s", "\"string\""),
        plain(1, "d", r#"{"type":"array","items":"double","sal_count":3}"#),
        plain(2, "c", "\"bytes\""),
        plain(3, "i", "\"int\""),
    ];
    let values = [
        " , 'one' , 1.500000, nan, 1e22 , 'c' , 4",
        " , 9 , 'two''s' , 1.500000, 0.000000, -0.000000 , 4",
        " , 'a' , 'b' , 1.500000, 0.000000, -0.000000 , 'c' , 4",
    ];
    let efd = (
        efd("Test_t", "", &items),
        values.map(|values| message("Test_t", values)),
    );
    let items: Vec<String> = items
        .iter()
        .map(|item| item.replace("sal_index", "index"))
        .collect();
    let ts_xml = ts_xml("t", "", false, &items);
    let ts_xml = (ts_xml, [values[0]; 3].map(|values| message("Test_t", values)));
    for (schema, texts) in [efd, ts_xml] {
        let plan = Plan::compile(&schema, TimeScale::Tai).unwrap();
        let (mut encoder, mut out) = (Encoder::new(), Vec::new());
        let mut round = || {
            for text in &texts {
                let message = Message::parse(text).unwrap();
                encoder.encode(&plan, &message, 1, NOW, &mut out).unwrap();
            }
        };
        round();
        let before = ALLOCATIONS.get();
        round();
        assert_eq!(ALLOCATIONS.get() - before, 0);
    }
}
