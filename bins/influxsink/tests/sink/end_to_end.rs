//! The whole sink behind an embedded broker and registry: every message is in the database or in the
//! dead-letter topic, the counts add up, and nothing that is away makes it lose or skip anything.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use apache_avro::types::Value;
use devstack::influx::{FieldValue, InfluxServer};
use devstack::{Broker, RegistryServer};
use influxsink::config::RunArgs;
use pipeline::config::{KafkaArgs, RegistryArgs, ServiceArgs};
use pipeline::intake::Topics;
use pipeline::registry::Registry;
use pipeline::service::Service;
use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio::runtime::{Builder, Runtime};

use crate::points::{TIME, avro, field, record, schema};

const TOPIC: &str = "lsst.sal.Test.scalars";
/// 2025-11-21, in seconds.
const NOW: f64 = 1_763_700_000.0;

struct Stack {
    runtime: Runtime,
    broker: Broker,
    registry: RegistryServer,
    influx: InfluxServer,
}

/// The sink on a thread of its own.
struct Sink {
    service: Service,
    thread: std::thread::JoinHandle<Result<(), String>>,
}

impl Stack {
    fn new() -> Stack {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let broker = Broker::start().unwrap();
        broker.create_topic(TOPIC, 2).unwrap();
        broker.create_topic("influxsink.dead-letter", 1).unwrap();
        let registry = runtime.block_on(RegistryServer::start()).unwrap();
        let influx = runtime.block_on(InfluxServer::start()).unwrap();
        Stack {
            runtime,
            broker,
            registry,
            influx,
        }
    }

    fn args(&self, to: String) -> RunArgs {
        let mut kafka = KafkaArgs::at(self.broker.bootstrap_servers());
        kafka
            .settings
            .extend(Broker::fetch_hints().iter().map(|pair| (*pair).into()));
        let service = ServiceArgs {
            drain_timeout: Duration::from_secs(30),
            ..ServiceArgs::default()
        };
        let topics = Topics::Named(vec![TOPIC.to_owned()]);
        RunArgs::new(topics, to, kafka, RegistryArgs::at(self.registry.url()), service)
    }

    fn start(&self, args: &RunArgs) -> Sink {
        let config = args.check().unwrap();
        let service = Service::embedded(&args.service);
        let (thread_service, handle) = (service.clone(), self.runtime.handle().clone());
        let run = move || {
            influxsink::run(&config, &thread_service, &handle).map_err(|error| pipeline::chain(&error))
        };
        Sink {
            service,
            thread: std::thread::spawn(run),
        }
    }

    fn register(&self, schema: &str) -> u32 {
        let registry = Registry::new(&RegistryArgs::at(self.registry.url())).unwrap();
        self.runtime
            .block_on(registry.register(&format!("{TOPIC}-value"), schema))
            .unwrap()
    }

    fn produce(&self, values: impl IntoIterator<Item = Option<Vec<u8>>>) -> usize {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", self.broker.bootstrap_servers())
            .create()
            .unwrap();
        let mut count = 0;
        for value in values {
            let key = count.to_string();
            let mut record = BaseRecord::to(TOPIC).key(&key).partition(count % 2);
            if let Some(value) = &value {
                record = record.payload(value);
            }
            producer.send(record).map_err(|(error, _)| error).unwrap();
            producer.poll(Duration::ZERO);
            count += 1;
        }
        producer.flush(Duration::from_secs(10)).unwrap();
        count as usize
    }

    /// Dead letters by their key: reason, value and origin.
    fn dead_letters(&self, count: usize) -> BTreeMap<String, DeadLetter> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.broker.bootstrap_servers())
            .set("group.id", "reader")
            .set("auto.offset.reset", "earliest")
            .create()
            .unwrap();
        consumer.subscribe(&["influxsink.dead-letter"]).unwrap();
        let mut letters = BTreeMap::new();
        let begun = Instant::now();
        while letters.len() < count {
            assert!(begun.elapsed() < Duration::from_secs(30), "only {letters:?}");
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
                let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
                assert!(
                    letters.insert(key, DeadLetter::of(&message)).is_none(),
                    "twice in the dead-letter topic"
                );
            }
        }
        letters
    }
}

#[derive(Debug)]
struct DeadLetter {
    reason: String,
    value: Vec<u8>,
    origin: String,
}

impl DeadLetter {
    fn of(message: &BorrowedMessage<'_>) -> DeadLetter {
        let header = |name: &str| {
            let found = message
                .headers()
                .unwrap()
                .iter()
                .find(|header| header.key == name);
            String::from_utf8(found.unwrap().value.unwrap().to_vec()).unwrap()
        };
        DeadLetter {
            reason: header("reason"),
            value: message.payload().unwrap_or_default().to_vec(),
            origin: format!(
                "{}[{}]@{}",
                header("topic"),
                header("partition"),
                header("offset")
            ),
        }
    }
}

impl Sink {
    /// The value of a counter, all labels together.
    fn count(&self, name: &str) -> u64 {
        let families = self.service.metrics.gather();
        let family = families.iter().find(|family| family.name() == name);
        family.map_or(0, |family| {
            family
                .get_metric()
                .iter()
                .map(|m| m.get_counter().get_value() as u64)
                .sum()
        })
    }

    /// Messages with a fate.
    fn settled(&self) -> u64 {
        ["written", "dead_letters", "skipped"]
            .iter()
            .map(|name| self.count(&format!("influxsink_{name}_total")))
            .sum()
    }

    fn wait(&self, what: &str, condition: impl Fn(&Sink) -> bool) {
        let begun = Instant::now();
        while !condition(self) {
            assert!(!self.thread.is_finished(), "{what}: the sink ended");
            let (consumed, settled) = (self.count("influxsink_consumed_total"), self.settled());
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{what}: consumed {consumed}, settled {settled}, missing {:?}",
                self.service.readiness.missing(),
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn stop(self) -> Service {
        self.service.shutdown.ask();
        self.thread.join().unwrap().unwrap();
        assert!(!self.service.shutdown.has_failed());
        self.service
    }
}

fn frame(id: u32, avro: Vec<u8>) -> Option<Vec<u8>> {
    Some([&[0][..], &id.to_be_bytes(), &avro].concat())
}

fn scalars() -> String {
    schema(
        &[
            TIME.to_owned(),
            field("v", r#""double""#),
            field("s", r#""string""#),
        ]
        .join(","),
    )
}

fn scalar(at: usize) -> Vec<u8> {
    let values = [
        ("private_efdStamp", Value::Double(NOW + at as f64)),
        ("v", Value::Double(at as f64 / 2.0)),
        ("s", Value::String(format!("point {at}"))),
    ];
    avro(&scalars(), record(&values))
}

#[test]
fn every_message_is_a_point_or_a_dead_letter_with_its_bytes() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    let mut zero_time = scalar(0);
    zero_time[..8].fill(0);
    let good = frame(id, scalar(7));
    let values = vec![
        good.clone(),
        None,                                     // 1 tombstone
        Some(Vec::new()),                         // 2
        Some(vec![0, 0, 1]),                      // 3
        Some(b"{\"json\": true}".to_vec()),       // 4
        frame(id + 999, scalar(1)),               // 5
        frame(id, scalar(2)[..9].to_vec()),       // 6
        frame(id, [scalar(3), vec![0]].concat()), // 7
        frame(id, zero_time),                     // 8
        good,                                     // 9: the same point again
        frame(id, scalar(10)),
    ];
    let expected = [
        ("2", "value_empty"),
        ("3", "value_short"),
        ("4", "value_unframed"),
        ("5", "schema_unknown"),
        ("6", "avro_truncated"),
        ("7", "avro_trailing_bytes"),
        ("8", "time_zero"),
    ];
    let sent = stack.produce(values.clone()) as u64;
    let sink = stack.start(&stack.args(stack.influx.url()));
    sink.wait("all settled", |sink| sink.settled() == sent);
    assert_eq!(sink.count("influxsink_consumed_total"), sent);
    assert_eq!(sink.count("influxsink_written_total"), 3);
    assert_eq!(sink.count("influxsink_skipped_total"), 1);
    assert!(
        sink.service.readiness.is_ready(),
        "{:?}",
        sink.service.readiness.missing()
    );
    sink.stop();

    let points = stack.influx.points();
    assert_eq!(points.len(), 2, "a replay overwrites itself");
    let (key, fields) = points.iter().next().unwrap();
    assert_eq!(
        (key.measurement.as_str(), key.time_ns),
        ("lsst.sal.Test_scalars", (NOW as i64 + 7) * 1_000_000_000)
    );
    assert_eq!(fields["v"], FieldValue::Float(3.5));
    assert_eq!(fields["s"], FieldValue::Text("point 7".into()));

    let letters = stack.dead_letters(expected.len());
    let reasons: Vec<_> = letters
        .iter()
        .map(|(key, letter)| (key.as_str(), letter.reason.as_str()))
        .collect();
    assert_eq!(reasons, expected);
    for (key, letter) in &letters {
        let at: usize = key.parse().unwrap();
        assert_eq!(Some(&letter.value), values[at].as_ref(), "the original bytes");
        assert_eq!(letter.origin, format!("{TOPIC}[{}]@{}", at % 2, at / 2));
    }
}

#[test]
fn a_point_that_the_database_refuses_is_a_dead_letter_and_the_others_are_written() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    stack.influx.reject_lines_with("point 123\"");
    let sent = stack.produce((0..300).map(|at| frame(id, scalar(at)))) as u64;
    let sink = stack.start(&stack.args(stack.influx.url()));
    sink.wait("all settled", |sink| sink.settled() == sent);
    sink.stop();
    assert_eq!(stack.influx.points().len(), 299);
    let letters = stack.dead_letters(1);
    assert_eq!(
        (letters["123"].reason.as_str(), Some(&letters["123"].value)),
        ("rejected", frame(id, scalar(123)).as_ref())
    );
}

#[test]
fn what_is_away_is_waited_for_and_a_restart_goes_on() {
    let mut stack = Stack::new();
    let id = stack.register(&scalars());
    stack.runtime.block_on(stack.registry.down());
    stack.runtime.block_on(stack.influx.down());

    let args = stack.args(stack.influx.url());
    let sink = stack.start(&args);
    let first = stack.produce((0..200).map(|at| frame(id, scalar(at)))) as u64;
    sink.wait("registry and database missing", |sink| {
        let missing: Vec<_> = sink
            .service
            .readiness
            .missing()
            .into_iter()
            .map(|(part, _)| part)
            .collect();
        missing == ["database", "registry"] && sink.count("influxsink_consumed_total") > 0
    });
    assert_eq!(sink.settled(), 0, "nothing is skipped");
    stack.runtime.block_on(stack.registry.up()).unwrap();
    sink.wait("registry there", |sink| {
        sink.service
            .readiness
            .missing()
            .iter()
            .all(|(part, _)| *part == "database")
    });
    stack.runtime.block_on(stack.influx.up()).unwrap();
    sink.wait("all written", |sink| {
        sink.count("influxsink_written_total") == first
    });
    sink.stop();

    // The next process starts where this one ended.
    let sink = stack.start(&args);
    stack.produce((200..400).map(|at| frame(id, scalar(at))));
    sink.wait("the rest written", |_| stack.influx.points().len() == 400);
    sink.stop();
    assert_eq!(stack.influx.counts().created, 400);
    assert_eq!(
        stack.influx.counts().overwritten,
        0,
        "committed at the end, so that nothing is read twice"
    );
}

#[test]
fn a_database_that_stays_away_holds_the_offsets() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    stack
        .influx
        .answer_always(Some(devstack::influx::Answer::status(503)));
    let mut args = stack.args(stack.influx.url());
    args.service.drain_timeout = Duration::from_millis(200);
    let sink = stack.start(&args);
    let sent = stack.produce((0..50).map(|at| frame(id, scalar(at)))) as u64;
    sink.wait("consumed", |sink| sink.count("influxsink_consumed_total") == sent);
    let service = sink.stop();
    assert!(service.shutdown.given_up());
    assert!(stack.influx.points().is_empty());

    stack.influx.answer_always(None);
    let sink = stack.start(&args);
    sink.wait("all written by the next process", |sink| {
        sink.count("influxsink_written_total") == sent
    });
    sink.stop();
    assert_eq!(stack.influx.points().len(), 50);
}

#[test]
fn a_sqlite_file_holds_the_same() {
    let stack = Stack::new();
    let id = stack.register(&scalars());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("efd.db");
    let sent = stack.produce((0..500).map(|at| frame(id, scalar(at)))) as u64;
    let sink = stack.start(&stack.args(format!("sqlite:{}", file.display())));
    sink.wait("all written", |sink| {
        sink.count("influxsink_written_total") == sent
    });
    sink.stop();
    let connection = rusqlite::Connection::open(&file).unwrap();
    let row = |row: &rusqlite::Row<'_>| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, f64>(1)?,
            row.get::<_, String>(2)?,
        ))
    };
    let sql = "SELECT count(*), sum(v), max(s) FROM \"lsst.sal.Test_scalars\"";
    assert_eq!(
        connection.query_row(sql, [], row).unwrap(),
        (500, 499.0 * 250.0 / 2.0, "point 99".to_owned())
    );
}
