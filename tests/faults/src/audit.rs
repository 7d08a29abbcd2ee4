//! Reads what the stages write to Kafka: every record in the output topics, identified by its name, and every
//! dead letter. Reads only committed data, from the first offset, independently of consumer groups.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::failure::{Failure, Outcome};
use crate::ledger::{DeadLetter, Name, Origin, SharedLedger, Stage};
use stage::lock;

/// The interval for discovering new partitions.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What the reader needs to know about the topics.
#[derive(Debug, Clone)]
pub(crate) struct Topics {
    /// The output topics, in the order of the traffic's lines.
    pub(crate) outputs: Vec<String>,
    /// The dead-letter topics and the stages that own them.
    pub(crate) letters: Vec<(String, Stage)>,
}

/// Reads until it is dropped.
pub(crate) struct Audit {
    stopped: Arc<AtomicBool>,
    read: Arc<AtomicU64>,
    recreated: Arc<Mutex<Vec<String>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Audit {
    /// Starts reading.
    pub(crate) fn start(broker: &str, topics: Topics, ledger: SharedLedger) -> Outcome<Self> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", broker)
            // Required by the client, but never joined: partitions are assigned manually.
            .set("group.id", "faults-audit")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("fetch.wait.max.ms", "100")
            .set("reconnect.backoff.max.ms", "1000")
            .create()
            .map_err(Failure::kafka("make the reader's consumer"))?;
        let stopped = Arc::new(AtomicBool::new(false));
        let read = Arc::new(AtomicU64::new(0));
        let recreated = Arc::default();
        let reader = Reader {
            consumer,
            by_output: topics
                .outputs
                .iter()
                .enumerate()
                .map(|(number, name)| (name.clone(), number))
                .collect(),
            by_letters: topics.letters.iter().cloned().collect(),
            ledger,
            assigned: HashSet::new(),
            read: Arc::clone(&read),
            recreated: Arc::clone(&recreated),
        };
        let stop = Arc::clone(&stopped);
        let thread = thread::spawn(move || reader.read_until(&stop));
        Ok(Self {
            stopped,
            read,
            recreated,
            thread: Some(thread),
        })
    }

    /// The number of messages read so far.
    pub(crate) fn read(&self) -> u64 {
        self.read.load(Ordering::SeqCst)
    }
}

impl Audit {
    /// A topic was deleted: a new topic with its name is read from its beginning. Returns once the reader
    /// knows.
    pub(crate) async fn read_from_beginning(&self, topic: &str) {
        lock(&self.recreated).push(topic.to_owned());
        while !lock(&self.recreated).is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Reader {
    consumer: BaseConsumer,
    by_output: HashMap<String, usize>,
    by_letters: BTreeMap<String, Stage>,
    ledger: SharedLedger,
    assigned: HashSet<(String, i32)>,
    read: Arc<AtomicU64>,
    /// Topics to forget.
    recreated: Arc<Mutex<Vec<String>>>,
}

impl Reader {
    fn read_until(mut self, stopped: &AtomicBool) {
        let mut looked: Option<Instant> = None;
        while !stopped.load(Ordering::SeqCst) {
            self.forget();
            if looked.is_none_or(|at| at.elapsed() > LOOK_AGAIN) {
                self.look_again();
                looked = Some(Instant::now());
            }
            if let Some(Ok(message)) = self.consumer.poll(Duration::from_millis(100)) {
                self.note(&message);
                self.read.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// Unassigns the partitions of deleted topics.
    fn forget(&mut self) {
        let mut recreated = lock(&self.recreated);
        let mut gone = TopicPartitionList::new();
        self.assigned.retain(|(topic, partition)| {
            let is_gone = recreated.contains(topic);
            if is_gone {
                gone.add_partition(topic, *partition);
            }
            !is_gone
        });
        if gone.count() > 0 {
            let _ = self.consumer.incremental_unassign(&gone);
        }
        recreated.clear();
    }

    /// Assigns new partitions.
    fn look_again(&mut self) {
        let Ok(metadata) = self.consumer.fetch_metadata(None, Duration::from_secs(5)) else {
            return;
        };
        let mut fresh = TopicPartitionList::new();
        for topic in metadata.topics() {
            let name = topic.name();
            if !self.by_output.contains_key(name) && !self.by_letters.contains_key(name) {
                continue;
            }
            for partition in topic.partitions() {
                if self.assigned.insert((name.to_owned(), partition.id())) {
                    let _ = fresh.add_partition_offset(name, partition.id(), Offset::Beginning);
                }
            }
        }
        if fresh.count() > 0
            && let Err(error) = self.consumer.incremental_assign(&fresh)
        {
            lock(&self.ledger).complain(format!("the audit itself cannot read {fresh:?}: {error}"));
        }
    }

    fn note(&self, message: &BorrowedMessage<'_>) {
        if let Some(by) = self.by_letters.get(message.topic()) {
            match self.dead_letter(message, *by) {
                Some(letter) => lock(&self.ledger).dead_letter(letter),
                None => lock(&self.ledger).complain(format!(
                    "a dead letter without headers at {}[{}]@{}",
                    message.topic(),
                    message.partition(),
                    message.offset()
                )),
            }
        } else if let Some(name) = self.name(message.topic(), message.payload()) {
            let origin = Origin {
                topic: message.topic().into(),
                partition: message.partition(),
                offset: message.offset(),
            };
            lock(&self.ledger).record(name, origin);
        }
    }

    fn dead_letter(&self, message: &BorrowedMessage<'_>, by: Stage) -> Option<DeadLetter> {
        let headers: HashMap<&str, String> = message
            .headers()?
            .iter()
            .filter_map(|header| Some((header.key, String::from_utf8_lossy(header.value?).into_owned())))
            .collect();
        let topic = headers.get("topic")?;
        Some(DeadLetter {
            by,
            origin: Origin {
                topic: topic.as_str().into(),
                partition: headers.get("partition")?.parse().ok()?,
                offset: headers.get("offset")?.parse().ok()?,
            },
            stage: headers.get("stage")?.clone(),
            reason: headers.get("reason")?.clone(),
            detail: headers.get("detail")?.clone(),
            length: message.payload().map_or(0, <[u8]>::len),
            name: self.name(topic, message.payload()),
        })
    }

    fn name(&self, topic: &str, value: Option<&[u8]>) -> Option<Name> {
        Some((*self.by_output.get(topic)?, sequence(value?)?))
    }
}

/// The sequence number of a record: the fifth field in dialect efd, after three times and a string.
fn sequence(value: &[u8]) -> Option<i64> {
    let [0, _, _, _, _, rest @ ..] = value else {
        return None;
    };
    let mut rest = rest;
    long(&mut rest)?;
    let length = usize::try_from(long(&mut rest)?).ok()?;
    rest = rest.get(length..)?;
    long(&mut rest)?;
    long(&mut rest)?;
    long(&mut rest)
}

/// Avro's `long`: seven bits per byte, least significant first, zigzag-encoded.
fn long(bytes: &mut &[u8]) -> Option<i64> {
    let (mut value, mut shift) = (0u64, 0);
    loop {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f).checked_shl(shift)?;
        if first & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_records_sequence_number_is_found() {
        // 1, "ab", -2, 300, 64
        let record = [0, 0, 0, 0, 9, 2, 4, b'a', b'b', 3, 0xd8, 4, 0x80, 1, 77];
        assert_eq!(sequence(&record), Some(64));
        assert_eq!(sequence(&record[..9]), None);
        assert_eq!(sequence(b"unframed"), None);
    }
}
