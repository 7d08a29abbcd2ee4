//! A bound on memory: how an allowance is shared out, and what the process has in fact.
//!
//! Most of a stage's memory is librdkafka's: messages fetched ahead, fetches that are being received, messages in flight
//! (which are never copied), and dead letters on their way. Each gets its share as a setting; what the settings do not
//! see (the allocator's gaps, decompression) is watched as the process's resident memory.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;

/// What a stage needs when nothing flows (code, threads, TLS, metrics: 29 MiB of a debug build), and what requests and
/// the allocator's gaps take beside the shares.
const BASE: usize = 46 << 20;
/// The least allowance that works.
pub const LEAST_MIB: u32 = 64;
/// More in one answer makes nothing quicker; and unpacked it is several times as large, beyond all shares.
const MOST_FETCHED: usize = 4 << 20;
/// And what is ahead of a slow database by more than this, with what librdkafka keeps beside it, is only in memory.
const MOST_AHEAD: usize = 12 << 20;
/// What librdkafka 2.12 keeps beside each fetched message, however small it is (`sizeof(rd_kafka_op_t)` is 1,024, as gdb
/// says), with the allocator's share of it and our receipt.
pub(crate) const BESIDE_MESSAGE: usize = 1_100;
/// What librdkafka may take for what it fetches ahead, where nobody says how much.
pub(crate) const AHEAD: usize = 64 << 20;
/// librdkafka's own limit of what it fetches ahead counts the messages' bytes alone. So it is set to those that fit into a
/// share of this many times as much, if the messages are telemetry of some 200 bytes.
const AHEAD_IN_FACT: usize = 6;
/// How often the resident memory is looked at; a look costs some microseconds.
const LOOK: Duration = Duration::from_millis(20);

/// How an allowance is shared out, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryShares {
    /// The resident memory from which on little is taken: just below the whole.
    pub resident: usize,
    /// Messages in flight.
    pub in_flight: usize,
    /// Messages that librdkafka fetches ahead, with what it keeps beside them.
    pub ahead: usize,
    /// One fetch's answer.
    pub fetch: usize,
    /// Dead letters on their way.
    pub dead_letters: usize,
    /// What the stage makes of the messages.
    pub output: usize,
}

impl MemoryShares {
    /// Shares out `mebibytes`.
    pub fn of(mebibytes: u32) -> Self {
        let whole = (mebibytes.max(LEAST_MIB) as usize) << 20;
        let eighth = (whole - BASE) / 8;
        Self {
            resident: whole / 16 * 15,
            in_flight: 2 * eighth,
            ahead: eighth.min(MOST_AHEAD),
            fetch: eighth.min(MOST_FETCHED),
            dead_letters: eighth,
            output: 2 * eighth,
        }
    }

    /// Puts the consumer's shares into its configuration; what the operator set with `-X` stays.
    pub fn limit_consumer(&self, config: &mut ClientConfig) {
        let fetch = self.fetch.to_string();
        let ahead = ahead_setting(self.ahead);
        // A single message that is larger comes all the same: Kafka sends the first batch whole.
        for (key, value) in [
            ("queued.max.messages.kbytes", &ahead),
            ("fetch.max.bytes", &fetch),
        ] {
            if config.get(key).is_none() {
                config.set(key, value);
            }
        }
    }

    /// The same for the producer of dead letters.
    pub fn limit_dead_letters(&self, config: &mut ClientConfig) {
        if config.get("queue.buffering.max.kbytes").is_none() {
            config.set(
                "queue.buffering.max.kbytes",
                (self.dead_letters >> 10).to_string(),
            );
        }
    }
}

/// `queued.max.messages.kbytes` for a consumer that may have `bytes` of memory for what it fetches ahead.
pub(crate) fn ahead_setting(bytes: usize) -> String {
    ((bytes / AHEAD_IN_FACT) >> 10).to_string()
}

/// The process's resident memory, looked at from time to time.
#[derive(Debug, Default)]
pub struct Resident {
    last: Cell<Option<(Instant, usize)>>,
}

impl Resident {
    /// Whether it is above `most` bytes. Where the system does not tell, it is not.
    pub fn exceeds(&self, most: usize) -> bool {
        let known = self.last.get().filter(|(at, _)| at.elapsed() < LOOK);
        let bytes = match known {
            Some((_, bytes)) => bytes,
            None => {
                let bytes = resident().unwrap_or_default();
                self.last.set(Some((Instant::now(), bytes)));
                bytes
            }
        };
        bytes > most
    }
}

/// Resident bytes, from Linux's `/proc/self/statm` (pages; 4 KiB on all that we build for).
fn resident() -> Option<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_base_make_the_whole() {
        for mebibytes in [64, 100, 256] {
            let shares = MemoryShares::of(mebibytes);
            let sum = shares.in_flight + shares.ahead + shares.fetch + shares.dead_letters + shares.output;
            assert!(sum + BASE <= (mebibytes as usize) << 20, "{shares:?}");
            assert!(
                shares.fetch > 1 << 20,
                "a message of the usual limit fits: {shares:?}"
            );
        }
    }

    #[test]
    fn what_the_operator_set_stays() {
        let mut config = ClientConfig::new();
        config.set("fetch.max.bytes", "1000");
        MemoryShares::of(64).limit_consumer(&mut config);
        assert_eq!(config.get("fetch.max.bytes"), Some("1000"));
        assert_eq!(config.get("queued.max.messages.kbytes"), Some("384"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_resident_memory_is_known() {
        assert!(Resident::default().exceeds(100 << 10));
        assert!(!Resident::default().exceeds(1 << 40));
    }
}
