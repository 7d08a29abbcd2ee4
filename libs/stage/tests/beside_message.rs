//! What a message in flight takes in memory beside its bytes, by its size: what the limits of `--max-memory` count for each.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a failed step is a failed test")]

mod consumer;

use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;

use consumer::{Consumer, Seen, TOPIC, produce_to_partition, wait_until};
use devstack::Broker;
use stage::memory::BESIDE_MESSAGE;

/// Tells the process that is measured where its messages are, and how many.
const BROKER: &str = "BESIDE_MESSAGE_BROKER";
const MESSAGES: &str = "BESIDE_MESSAGE_MESSAGES";
/// Bytes of a message, the messages of one measurement, and the partitions that hold them: a mock broker keeps 5 MiB of each.
/// Another measurement has twice as many messages, and the difference between both is due to messages alone, but for half
/// a mebibyte that allocators and fetches may have at that moment: many messages make it a few bytes of each.
const SIZES: [(usize, usize, usize); 3] = [(20, 40_000, 8), (200, 40_000, 8), (2_000, 40_000, 40)];

#[test]
fn a_message_of_any_size_takes_no_more_than_is_counted_for_it() {
    for (bytes, count, partitions) in SIZES {
        let broker = Broker::start().unwrap();
        broker.create_topic(TOPIC, partitions as i32).unwrap();
        let each = count / partitions;
        let mut resident = [0; 2];
        for (turn, resident) in resident.iter_mut().enumerate() {
            for partition in 0..partitions {
                let first = (turn * partitions + partition) * each;
                produce_to_partition(&broker, partition as i32, first..first + each, bytes);
            }
            *resident = resident_with(&broker, (turn + 1) * count);
        }
        let beside = (resident[1] - resident[0]) as f64 / count as f64 - bytes as f64;
        eprintln!("{bytes} bytes: {beside:.0} beside");
        let counted = BESIDE_MESSAGE as f64;
        assert!(
            (0.5 * counted..=1.05 * counted).contains(&beside),
            "a message of {bytes} bytes takes {beside:.0} beside them; {counted} are counted"
        );
    }
}

/// The resident bytes of a process that holds that many messages.
fn resident_with(broker: &Broker, messages: usize) -> usize {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holds_messages_when_it_is_a_child", "--nocapture"])
        .env(BROKER, broker.bootstrap_servers())
        .env(MESSAGES, messages.to_string())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let found = text
        .split("resident ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    found
        .and_then(|bytes| bytes.parse().ok())
        .unwrap_or_else(|| panic!("{text}"))
}

/// Not a test by itself: the test above runs it as a process that holds all messages of the topic.
#[test]
fn holds_messages_when_it_is_a_child() {
    let Ok(broker) = std::env::var(BROKER) else { return };
    let messages: i64 = std::env::var(MESSAGES).unwrap().parse().unwrap();
    let seen = Seen::default();
    seen.held.store(true, Ordering::Relaxed);
    let consumer = Consumer::start_at(&broker, &seen, |options| {
        options.max_bytes = 1 << 30;
        // None has read anything yet.
        options.group = format!("of-{messages}");
    });
    wait_until("all messages are held", || {
        consumer.metrics.in_flight.get() == messages
    });
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    println!("resident {} bytes", pages * 4096);
    seen.held.store(false, Ordering::Relaxed);
    consumer.stop();
}
