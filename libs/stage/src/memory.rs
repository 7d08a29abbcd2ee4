//! A bound on memory: how an allowance is shared out, and what the process has in fact.
//!
//! Most of a stage's memory is librdkafka's: messages fetched ahead, fetches that are being received, messages in flight
//! (which are never copied), and dead letters on their way. Each gets its share as a setting; what the settings do not
//! see (the allocator's gaps, decompression) is watched as the process's resident memory.
//!
//! librdkafka unpacks a fetched batch whole, and makes every message in it at once. So one batch a broker is the least
//! that can be in memory, whatever the allowance: what its records are unpacked, and [`BESIDE_MESSAGE`] for each. Kafka
//! limits a batch as it is sent (`message.max.bytes`, 1 MiB), not what it unpacks to. A fetch's answer is kept so small
//! that it is one large batch, or as many small ones as are no more than that.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;

/// What a stage needs when nothing flows (code, threads, TLS, metrics: 29 MiB of a debug build), and what requests and
/// the allocator's gaps take beside the shares.
const BASE: usize = 46 << 20;
/// The least allowance that works.
pub const MIN_MIB: u32 = 64;
/// One answer is at most this part of the allowance, as it may unpack to a hundred times as much.
const FETCHED_PART: usize = 1_024;
/// More in one answer makes nothing quicker.
const MAX_FETCHED: usize = 4 << 20;
/// What librdkafka unpacks at least of a zstd batch; its own default. Of one that does not say how large it is (Java's do
/// not), it tries three times as much each time, so that a third of the limit surely fits.
const UNPACKED: usize = 100_000_000;
/// And at most: librdkafka's own limit is 2 GiB.
const MAX_UNPACKED: usize = 1 << 30;
/// And what is ahead of a slow database by more than this, with what librdkafka keeps beside it, is only in memory.
const MAX_AHEAD: usize = 12 << 20;
/// What librdkafka 2.12 keeps beside each fetched message, however small it is: an `rd_kafka_op_t` with the one member of
/// its union that a message has (304 bytes, as gdb says; `rd_kafka_op_new0` allocates no more), with the allocator's share
/// of it, rdkafka's counted pointer to it and our receipt.
pub(crate) const BESIDE_MESSAGE: usize = 450;
/// What librdkafka may take for what it fetches ahead, where nobody says how much.
pub(crate) const AHEAD: usize = 64 << 20;
/// librdkafka's own limit of what it fetches ahead counts the messages' bytes alone. So it is set to those that fit into a
/// share of this many times as much, if the messages are telemetry of some 200 bytes. Smaller ones are limited by number.
const AHEAD_IN_FACT: usize = 3;
/// Settings that librdkafka holds against each other: whoever sets one of them sets all.
pub(crate) const FETCH_LIMITS: [&str; 3] = [
    "message.max.bytes",
    "fetch.max.bytes",
    "receive.message.max.bytes",
];
/// How often the resident memory is looked at; a look costs some microseconds.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(20);

/// How an allowance is shared out, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryShares {
    /// The resident memory from which on little is taken: just below the whole.
    pub resident: usize,
    /// Messages in flight.
    pub in_flight: usize,
    /// Messages that librdkafka fetches ahead, with what it keeps beside them.
    pub ahead: usize,
    /// One fetch's answer, as it is sent.
    pub fetch: usize,
    /// What one zstd batch may unpack to.
    pub unpacked: usize,
    /// Dead letters on their way.
    pub dead_letters: usize,
    /// What the stage makes of the messages.
    pub output: usize,
}

impl MemoryShares {
    /// Shares out `mebibytes`.
    pub fn of(mebibytes: u32) -> Self {
        let whole = (mebibytes.max(MIN_MIB) as usize) << 20;
        let eighth = (whole - BASE) / 8;
        Self {
            resident: whole / 16 * 15,
            in_flight: 2 * eighth,
            ahead: eighth.min(MAX_AHEAD),
            fetch: (whole / FETCHED_PART).min(MAX_FETCHED),
            unpacked: whole.clamp(UNPACKED, MAX_UNPACKED),
            dead_letters: eighth,
            output: 2 * eighth,
        }
    }

    /// Puts the consumer's shares into its configuration; what the operator set with `-X` stays.
    pub fn limit_consumer(&self, config: &mut ClientConfig) {
        set_unless_set(
            config,
            [
                ("queued.max.messages.kbytes", ahead_setting(self.ahead)),
                (
                    "queued.min.messages",
                    (self.ahead / BESIDE_MESSAGE).max(1).to_string(),
                ),
            ],
        );
        // librdkafka holds these against each other, so that all are ours or none: a fetch is to be no smaller than a message
        // that it would send itself. A single batch that is larger comes all the same: Kafka sends the first one whole.
        if FETCH_LIMITS.iter().all(|key| config.get(key).is_none()) {
            config
                .set("message.max.bytes", self.fetch.to_string())
                .set("fetch.max.bytes", self.fetch.to_string())
                .set("receive.message.max.bytes", self.unpacked.to_string());
        }
    }

    /// The same for the producer of dead letters.
    pub fn limit_dead_letters(&self, config: &mut ClientConfig) {
        let kibibytes = (self.dead_letters >> 10).to_string();
        set_unless_set(config, [("queue.buffering.max.kbytes", kibibytes)]);
    }
}

fn set_unless_set<const N: usize>(config: &mut ClientConfig, pairs: [(&str, String); N]) {
    for (key, value) in pairs {
        if config.get(key).is_none() {
            config.set(key, value);
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
        let known = self.last.get().filter(|(at, _)| at.elapsed() < SAMPLE_INTERVAL);
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
        }
    }

    #[test]
    fn librdkafka_takes_the_settings_for_any_allowance() {
        for mebibytes in [MIN_MIB, 65, 256, 1_000, 100_000] {
            let mut config = ClientConfig::new();
            MemoryShares::of(mebibytes).limit_consumer(&mut config);
            config.set("group.id", "g");
            let made = config.create::<rdkafka::consumer::BaseConsumer>();
            assert!(made.is_ok(), "{mebibytes} MiB: {:?}", made.err());
        }
    }

    #[test]
    fn what_the_operator_set_stays() {
        let mut config = ClientConfig::new();
        config.set("fetch.max.bytes", "1000");
        MemoryShares::of(64).limit_consumer(&mut config);
        assert_eq!(config.get("fetch.max.bytes"), Some("1000"));
        assert_eq!(config.get("queued.max.messages.kbytes"), Some("768"));
        assert_eq!(config.get("message.max.bytes"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_resident_memory_is_known() {
        assert!(Resident::default().exceeds(100 << 10));
        assert!(!Resident::default().exceeds(1 << 40));
    }
}
