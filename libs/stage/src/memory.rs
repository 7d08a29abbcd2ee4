//! A bound on memory: the distribution of an allowance, and the memory actually in use.
//!
//! Most of a stage's memory is librdkafka's: messages fetched ahead, fetches being received, messages in flight (which
//! are never copied), and dead letters in flight. Each has its share as a setting. Memory that the settings do not
//! cover (fragmentation, decompression) is watched as the process's resident memory.
//!
//! librdkafka decompresses a fetched batch whole, and creates every message in it at once. One batch per broker is
//! therefore the minimum in memory, whatever the allowance: its decompressed records, and [`BESIDE_MESSAGE`] for each.
//! Kafka limits the compressed size of a batch (`message.max.bytes`, 1 MiB), not the decompressed one. A fetch response
//! is kept so small that it holds one large batch, or as many small ones as fit into the same size.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;

/// What an idle stage needs (code, threads, TLS, metrics: 29 MiB for a debug build), plus requests and fragmentation.
const BASE: usize = 46 << 20;
/// The smallest allowance that works.
pub const MIN_MIB: u32 = 64;
/// A response is at most this fraction of the allowance, as it may decompress to a hundred times its size.
const FETCHED_PART: usize = 1_024;
/// Larger responses are not faster.
const MAX_FETCHED: usize = 4 << 20;
/// The minimum limit for decompressing a zstd batch, librdkafka's default. For a batch that does not state its size
/// (Java's do not), librdkafka triples its buffer with each attempt, so that a third of the limit always fits.
const UNPACKED: usize = 100_000_000;
/// The maximum; librdkafka's own limit is 2 GiB.
const MAX_UNPACKED: usize = 1 << 30;
/// Messages further ahead of a slow database than this, including librdkafka's overhead, only occupy memory.
const MAX_AHEAD: usize = 6 << 20;
/// The overhead of each fetched message in librdkafka 2.12, however small the message is: an `rd_kafka_op_t` with the
/// one member of its union that a message has (304 bytes according to gdb; `rd_kafka_op_new0` allocates no more) and
/// the allocator's overhead, rdkafka's counted pointer to it, and the receipt.
pub const BESIDE_MESSAGE: usize = 450;
/// The memory for messages fetched ahead if no allowance is given.
pub(crate) const AHEAD: usize = 64 << 20;
/// A fetch response without an allowance: batches are decompressed whole, all of a response at once, and larger ones make
/// nothing faster.
const MAX_RESPONSE: usize = 1 << 20;
/// The decompressed size of a zstd batch without an allowance.
const MAX_UNPACKED_RESPONSE: usize = 256 << 20;
/// librdkafka's own limit for messages fetched ahead counts only their bytes, which have this part of their memory; the
/// rest is for what each message takes beside them, and limits their number. Telemetry messages of about 200 bytes reach
/// both limits at the same time.
const AHEAD_BYTES_PART: usize = 3;
/// Settings that librdkafka checks against each other: an operator who sets one of them sets all.
const FETCH_LIMITS: [&str; 3] = [
    "message.max.bytes",
    "fetch.max.bytes",
    "receive.message.max.bytes",
];
/// How often the resident memory is read; a read takes some microseconds.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(20);

/// The shares of an allowance, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryShares {
    /// The resident memory above which consumption is throttled: just below the allowance.
    pub resident: usize,
    /// Messages in flight.
    pub in_flight: usize,
    /// Messages that librdkafka fetches ahead, with their overhead.
    pub ahead: usize,
    /// One fetch response, compressed.
    pub fetch: usize,
    /// The decompressed size of one zstd batch.
    pub unpacked: usize,
    /// Dead letters in flight.
    pub dead_letters: usize,
    /// The stage's output.
    pub output: usize,
}

impl MemoryShares {
    /// Distributes `mebibytes`.
    pub fn of(mebibytes: u32) -> Self {
        Self::among(mebibytes, 1)
    }

    /// The shares of each of `parts` stages in one process, which has `mebibytes` in all.
    pub fn among(mebibytes: u32, parts: usize) -> Self {
        let parts = parts.max(1);
        let whole = (mebibytes.max(MIN_MIB) as usize) << 20;
        let eighth = (whole - BASE) / parts / 8;
        Self {
            resident: whole / 16 * 15,
            in_flight: 2 * eighth,
            ahead: eighth.min(MAX_AHEAD),
            fetch: (whole / FETCHED_PART / parts).min(MAX_FETCHED),
            unpacked: whole.clamp(UNPACKED, MAX_UNPACKED),
            dead_letters: eighth,
            output: 2 * eighth,
        }
    }

    /// Sets the consumer's shares in its configuration; the operator's `-X` settings stay.
    pub fn limit_consumer(&self, config: &mut ClientConfig) {
        limit_ahead(config, self.ahead);
        // librdkafka checks these against each other, so either all or none are set here: a fetch must not be smaller
        // than a message that the client itself would send. A single batch that is larger still arrives: Kafka sends
        // the first one whole.
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

/// Limits what a stage's consumer holds without an allowance: as [`limit_ahead`], and the size of one fetch response.
pub(crate) fn limit_fetches(config: &mut ClientConfig, bytes: usize) {
    limit_ahead(config, bytes);
    if FETCH_LIMITS.iter().all(|key| config.get(key).is_none()) {
        config
            .set("fetch.max.bytes", MAX_RESPONSE.to_string())
            .set("receive.message.max.bytes", MAX_UNPACKED_RESPONSE.to_string());
    }
}

/// Limits what a consumer holds of messages fetched ahead to `bytes` of memory, whatever their size. The operator's `-X`
/// settings stay.
pub fn limit_ahead(config: &mut ClientConfig, bytes: usize) {
    set_unless_set(config, limits_ahead(bytes));
    // When all of that waits to be consumed, librdkafka fetches more only after this time. Its default of a second is
    // longer than it takes to consume them, so that the consumer was idle until it was over.
    set_unless_set(config, [("fetch.queue.backoff.ms", "10".to_owned())]);
}

/// Settings of a consumer that may use `bytes` of memory for messages fetched ahead, whatever their size.
fn limits_ahead(bytes: usize) -> [(&'static str, String); 2] {
    let of_messages = bytes / AHEAD_BYTES_PART;
    let beside = bytes - of_messages;
    [
        ("queued.max.messages.kbytes", (of_messages >> 10).to_string()),
        (
            "queued.min.messages",
            (beside / BESIDE_MESSAGE).max(1).to_string(),
        ),
    ]
}

/// The process's resident memory, read from time to time.
#[derive(Debug, Default)]
pub struct Resident {
    last: Cell<Option<(Instant, usize)>>,
}

impl Resident {
    /// Whether it is above `most` bytes. False if the system does not report it.
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

/// Resident bytes, from Linux's `/proc/self/statm` (pages; 4 KiB on all supported systems).
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
            let shares = MemoryShares::among(mebibytes, 3);
            let sum = shares.in_flight + shares.ahead + shares.fetch + shares.dead_letters + shares.output;
            assert!(3 * sum + BASE <= (mebibytes as usize) << 20, "{shares:?}");
        }
    }

    #[test]
    fn messages_of_any_size_stay_within_the_memory_for_those_fetched_ahead() {
        for bytes in [MAX_AHEAD, AHEAD] {
            let [kibibytes, messages] = limits_ahead(bytes).map(|(_, value)| value.parse::<usize>().unwrap());
            for size in [1, 20, 150, 200, 225, 1_000, 100_000] {
                let most = messages.min((kibibytes << 10) / size);
                let memory = most * (size + BESIDE_MESSAGE);
                assert!(
                    memory <= bytes,
                    "{most} messages of {size} bytes take {memory}, not {bytes}"
                );
            }
        }
    }

    #[test]
    fn librdkafka_takes_the_settings_for_any_allowance() {
        for mebibytes in [MIN_MIB, 65, 256, 1_000, 100_000] {
            let mut config = ClientConfig::new();
            MemoryShares::of(mebibytes).limit_consumer(&mut config);
            // A full queue is soon fetched for again, as without an allowance.
            assert_eq!(config.get("fetch.queue.backoff.ms"), Some("10"));
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
