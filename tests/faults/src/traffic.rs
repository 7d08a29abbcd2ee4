//! The traffic: SAL text of a dozen topics at a fixed rate, each message with its topic's next sequence
//! number and its own time. The sender is not under test: it connects to the brokers directly and retries
//! indefinitely.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseRecord, ThreadedProducer};
use sal::time::TimeScale;
use salmock::timestamp::Timestamp;
use salmock::topic_schema::TopicShape;
use salmock::values::Values;

use crate::failure::Outcome;
use crate::ledger::{Due, Name, SharedLedger};
use crate::sender::{Acknowledged, NOBODY, Refused, create};
use stage::lock;

/// Sends messages until it is dropped.
pub(crate) struct Traffic {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

struct Shared {
    /// The last one sends; messages that the others have in flight still arrive.
    producers: Mutex<Vec<Arc<ThreadedProducer<Acknowledged>>>>,
    config: ClientConfig,
    refused: mpsc::Sender<Refused>,
    /// Sends as few and as large batches as possible, well compressed.
    packer: ThreadedProducer<Acknowledged>,
    lines: Mutex<Vec<Line>>,
    ledger: SharedLedger,
    paused: AtomicBool,
    stopped: AtomicBool,
}

/// One SAL topic.
struct Line {
    shape: TopicShape,
    input: String,
    values: Values,
    sequence: i32,
    times: HashSet<i64>,
    last_ms: i64,
    held: bool,
}

/// How a special message differs from the regular ones.
pub(crate) struct Special<'a> {
    /// The expected outcome.
    pub(crate) due: Due,
    /// The shift of its timestamp.
    pub(crate) shift: Duration,
    /// Whether the time is shifted back instead of ahead.
    pub(crate) back: bool,
    /// Changes the message's text.
    pub(crate) change: &'a (dyn Fn(&mut Vec<u8>) + Sync),
    /// Called with its name before it is sent.
    pub(crate) announce: &'a (dyn Fn(Name) + Sync),
}

impl Special<'_> {
    /// A regular message with this expected outcome.
    pub(crate) fn due(due: Due) -> Self {
        Self {
            due,
            shift: Duration::ZERO,
            back: false,
            change: &|_| {},
            announce: &|_| {},
        }
    }
}

impl Traffic {
    /// Starts sending the topics' messages in turn. A topic's weight determines how often its turn comes.
    pub(crate) fn start(
        broker: &str,
        shapes: Vec<(TopicShape, u32)>,
        rate: u32,
        seed: u64,
        ledger: SharedLedger,
    ) -> Outcome<Self> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", broker)
            .set("enable.idempotence", "true")
            .set("max.in.flight.requests.per.connection", "1")
            .set("message.timeout.ms", "0")
            // Whatever the broker accepts.
            .set("message.max.bytes", "2000000")
            .set("linger.ms", "5")
            .set("reconnect.backoff.max.ms", "1000")
            .set("topic.metadata.refresh.interval.ms", "5000");
        let (refused, to_repeat) = mpsc::channel();
        let producer = Arc::new(create(&config, &ledger, &refused)?);
        let producer_config = config.clone();
        config
            .set("compression.type", "zstd")
            .set("message.max.bytes", "100000000")
            .set("batch.size", "100000000")
            .set("batch.num.messages", "1000000")
            .set("queue.buffering.max.messages", "0")
            .set("queue.buffering.max.kbytes", "1000000")
            .set("linger.ms", "3000");
        let packer = create(&config, &ledger, &refused)?;
        let (shapes, weights): (Vec<_>, Vec<_>) = shapes.into_iter().unzip();
        let most = weights.iter().copied().max().unwrap_or(1);
        let turns: Vec<usize> = (0..most)
            .flat_map(|round| {
                let weights = weights.iter().enumerate();
                weights
                    .filter(move |(_, weight)| round < **weight)
                    .map(|(line, _)| line)
                    .collect::<Vec<_>>()
            })
            .collect();
        let shared = Arc::new(Shared {
            producers: Mutex::new(vec![producer]),
            config: producer_config,
            refused,
            packer,
            lines: Mutex::new(shapes.into_iter().map(|shape| Line::new(shape, seed)).collect()),
            ledger,
            paused: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        });
        let sender = Arc::clone(&shared);
        let thread = thread::spawn(move || sender.send_until_stopped(&turns, rate, &to_repeat));
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Pauses or resumes.
    pub(crate) fn set_paused(&self, paused: bool) {
        self.shared.paused.store(paused, Ordering::SeqCst);
        if paused {
            // The sender holds the lines while sending: at this point nobody does.
            drop(lock(&self.shared.lines));
        }
    }

    /// Whether it is paused.
    pub(crate) fn is_paused(&self) -> bool {
        self.shared.paused.load(Ordering::SeqCst)
    }

    /// Excludes a topic from the regular messages, or includes it again.
    pub(crate) fn set_held(&self, line: usize, held: bool) {
        if let Some(line) = lock(&self.shared.lines).get_mut(line) {
            line.held = held;
        }
    }

    /// Changes a topic's schema: its next messages have the new form.
    pub(crate) fn reshape(&self, line: usize, shape: TopicShape, seed: u64) {
        if let Some(line) = lock(&self.shared.lines).get_mut(line) {
            line.values = Values::new(&shape, seed);
            line.shape = shape;
        }
    }

    /// Switches to a new producer: librdkafka may not find the leaders of a recreated topic.
    pub(crate) fn renew(&self) -> Outcome<()> {
        let Shared {
            config,
            ledger,
            refused,
            ..
        } = &*self.shared;
        let producer = Arc::new(create(config, ledger, refused)?);
        lock(&self.shared.producers).push(producer);
        Ok(())
    }

    /// Sends one message of a topic immediately.
    pub(crate) fn send(&self, line: usize, special: &Special<'_>) {
        let mut lines = lock(&self.shared.lines);
        if let Some(found) = lines.get_mut(line) {
            self.shared.send(line, found, special);
        }
    }

    /// Sends bytes to any topic; `None` is a tombstone.
    pub(crate) fn send_raw(&self, topic: &str, value: Option<&[u8]>, due: Due) {
        let number = lock(&self.shared.ledger).begin_bytes(value.map_or(0, <[u8]>::len), due);
        self.shared.produce(topic, value, number);
    }

    /// Sends messages of a topic with the same time, or a number of microseconds apart within one
    /// millisecond. Only one of them can be a point.
    pub(crate) fn send_sharing(&self, line: usize, messages: usize, micros_apart: i64) {
        let mut lines = lock(&self.shared.lines);
        let Some(found) = lines.get_mut(line) else {
            return;
        };
        let special = Special::due(Due::Shares);
        let time_ms = found.time_ms(&special);
        for number in 0..messages {
            let micros = 1_000 * time_ms + micros_apart * number as i64;
            self.shared.send_at(line, found, &special, micros);
        }
    }
}

/// Identical messages in one batch.
pub(crate) struct Packed<'a> {
    pub(crate) key: Option<&'a [u8]>,
    /// Tombstones if `None`.
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) messages: u64,
    pub(crate) due: Due,
}

impl Traffic {
    /// Sends messages to the first partition of a topic, packed together. The ledger has them as one entry
    /// with the last one's origin: once the group has passed that, it has passed all.
    pub(crate) fn send_packed(&self, topic: &str, packed: &Packed<'_>) {
        let entry = lock(&self.shared.ledger).begin_batch(packed.messages, packed.due);
        for number in 1..=packed.messages {
            // The acknowledgements of the others do not matter.
            let opaque = if number == packed.messages { entry } else { NOBODY };
            let mut record: BaseRecord<'_, [u8], [u8], Box<usize>> =
                BaseRecord::with_opaque_to(topic, Box::new(opaque)).partition(0);
            record.key = packed.key;
            record.payload = packed.value;
            while let Err((_, back)) = self.shared.packer.send(record) {
                self.shared.packer.poll(Duration::from_millis(20));
                record = back;
            }
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Line {
    fn new(shape: TopicShape, seed: u64) -> Self {
        let input = format!("{}_{}", shape.name.component(), shape.name.kind().wire_word());
        Self {
            values: Values::new(&shape, seed),
            shape,
            input,
            sequence: 0,
            times: HashSet::new(),
            last_ms: 0,
            held: false,
        }
    }

    /// A time that no other message of the topic has: points would overwrite each other. Records keep
    /// milliseconds.
    fn time_ms(&mut self, special: &Special<'_>) -> i64 {
        let now = stage::unix_micros() / 1_000;
        let mut time = now.max(self.last_ms + 1);
        let shift = special.shift.as_millis() as i64;
        if shift == 0 {
            self.last_ms = time;
        } else {
            time += if special.back { -shift } else { shift };
        }
        while !self.times.insert(time) {
            time += 1;
            if shift == 0 {
                self.last_ms = time;
            }
        }
        time
    }
}

impl Shared {
    fn send_until_stopped(&self, turns: &[usize], rate: u32, to_repeat: &mpsc::Receiver<Refused>) {
        let interval = Duration::from_secs(1) / rate.max(1);
        let mut next = Instant::now();
        for &turn in turns.iter().cycle() {
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            self.repeat(to_repeat);
            while self.paused.load(Ordering::SeqCst) && !self.stopped.load(Ordering::SeqCst) {
                self.repeat(to_repeat);
                thread::sleep(Duration::from_millis(5));
                next = Instant::now();
            }
            thread::sleep(next.saturating_duration_since(Instant::now()));
            next += interval;
            let mut lines = lock(&self.lines);
            if self.paused.load(Ordering::SeqCst) {
                continue;
            }
            if let Some(line) = lines.get_mut(turn).filter(|line| !line.held) {
                self.send(turn, line, &Special::due(Due::Stored));
            }
        }
    }

    fn repeat(&self, refused: &mpsc::Receiver<Refused>) {
        for Refused { topic, value, entry } in refused.try_iter() {
            self.produce(&topic, value.as_deref(), entry);
        }
    }

    fn send(&self, number: usize, line: &mut Line, special: &Special<'_>) {
        let time_ms = line.time_ms(special);
        self.send_at(number, line, special, 1_000 * time_ms);
    }

    fn send_at(&self, number: usize, line: &mut Line, special: &Special<'_>, utc_micros: i64) {
        let time_ms = utc_micros / 1_000;
        line.sequence += 1;
        let timestamp = Timestamp {
            utc_micros,
            sequence: line.sequence,
            scale: TimeScale::Utc,
        };
        let mut text = Vec::new();
        salmock::text::message(&mut text, &line.shape, &mut line.values, &timestamp, "faults");
        (special.change)(&mut text);
        let name = (number, i64::from(line.sequence));
        (special.announce)(name);
        let entry = lock(&self.ledger).begin(Some((name, time_ms)), special.due);
        self.produce(&line.input, Some(&text), entry);
    }

    fn produce(&self, topic: &str, value: Option<&[u8]>, entry: usize) {
        let mut record: BaseRecord<'_, [u8], [u8], Box<usize>> =
            BaseRecord::with_opaque_to(topic, Box::new(entry));
        if let Some(value) = value {
            record = record.payload(value);
        }
        // The queue is full when the brokers have been unavailable for a while: the rate drops, but nothing
        // is skipped.
        let Some(producer) = lock(&self.producers).last().map(Arc::clone) else {
            return;
        };
        while let Err((_, back)) = producer.send(record) {
            producer.poll(Duration::from_millis(20));
            record = back;
        }
    }
}
