//! The whole sink with an embedded broker and registry, for tests, which can stop its dependencies and wait for its
//! counters.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use apache_avro::types::Value;
use devstack::{Broker, RegistryServer};
use influxsink::config::RunArgs;
use prometheus::proto::Metric;
use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use stage::config::{KafkaArgs, RegistryArgs, ServiceArgs};
use stage::intake::Topics;
use stage::registry::Registry;
use stage::service::Service;
use testkit::influx::InfluxServer;
use tokio::runtime::{Builder, Runtime};

use crate::points::{TIME, avro, field, record, schema};

pub(crate) const TOPIC: &str = "lsst.sal.Test.scalars";
/// 2025-11-21, in seconds.
pub(crate) const NOW: f64 = 1_763_700_000.0;

pub(crate) struct Stack {
    pub(crate) runtime: Runtime,
    broker: Broker,
    pub(crate) registry: RegistryServer,
    pub(crate) influx: InfluxServer,
}

/// The sink on a thread of its own.
pub(crate) struct Sink {
    pub(crate) service: Service,
    thread: std::thread::JoinHandle<Result<(), String>>,
}

impl Stack {
    pub(crate) fn new() -> Stack {
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

    pub(crate) fn args(&self, to: String) -> RunArgs {
        let mut kafka = KafkaArgs::at(self.broker.bootstrap_servers());
        kafka
            .settings
            .extend(Broker::fetch_hints().iter().map(|pair| (*pair).into()));
        // The broker's stand-in waits this long for a member that has left, before the next one gets anything.
        kafka.settings.push("session.timeout.ms=6000".into());
        let service = ServiceArgs {
            drain_timeout: Duration::from_secs(30),
            ..ServiceArgs::default()
        };
        let topics = Topics::Named(vec![TOPIC.to_owned()]);
        RunArgs::new(topics, to, kafka, RegistryArgs::at(self.registry.url()), service)
    }

    pub(crate) fn start(&self, args: &RunArgs) -> Sink {
        let config = args.check().unwrap();
        let service = Service::embedded(&args.service);
        let (thread_service, handle) = (service.clone(), self.runtime.handle().clone());
        let run =
            move || influxsink::run(&config, &thread_service, &handle).map_err(|error| stage::chain(&error));
        Sink {
            service,
            thread: std::thread::spawn(run),
        }
    }

    pub(crate) fn register(&self, schema: &str) -> u32 {
        self.register_under(&format!("{TOPIC}-value"), schema)
    }

    /// The same under any subject.
    pub(crate) fn register_under(&self, subject: &str, schema: &str) -> u32 {
        let registry = Registry::new(&RegistryArgs::at(self.registry.url())).unwrap();
        self.runtime.block_on(registry.register(subject, schema)).unwrap()
    }

    /// Sends values to the topic's two partitions in turn, with their number as key; says how many.
    pub(crate) fn produce(&self, values: impl IntoIterator<Item = Option<Vec<u8>>>) -> usize {
        self.send(TOPIC, |at| at % 2, values)
    }

    /// The same to another topic, which is made with two partitions.
    pub(crate) fn produce_in(&self, topic: &str, values: impl IntoIterator<Item = Option<Vec<u8>>>) -> usize {
        self.broker.create_topic(topic, 2).unwrap();
        self.send(topic, |at| at % 2, values)
    }

    /// The same to one partition.
    pub(crate) fn produce_to(
        &self,
        partition: i32,
        values: impl IntoIterator<Item = Option<Vec<u8>>>,
    ) -> usize {
        self.send(TOPIC, |_| partition, values)
    }

    /// One value that is larger than clients send unasked.
    pub(crate) fn produce_large(&self, value: Vec<u8>) {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", self.broker.bootstrap_servers())
            .set("message.max.bytes", "10000000")
            .create()
            .unwrap();
        let record = BaseRecord::to(TOPIC).key("large").partition(0).payload(&value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(Duration::from_secs(30)).unwrap();
    }

    pub(crate) fn create_topic(&self, name: &str) {
        self.broker.create_topic(name, 1).unwrap();
    }

    fn send(
        &self,
        topic: &str,
        partition: impl Fn(i32) -> i32,
        values: impl IntoIterator<Item = Option<Vec<u8>>>,
    ) -> usize {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", self.broker.bootstrap_servers())
            .create()
            .unwrap();
        let mut count = 0;
        for value in values {
            let key = count.to_string();
            let mut record = BaseRecord::to(topic).key(&key).partition(partition(count));
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
    pub(crate) fn dead_letters(&self, count: usize) -> BTreeMap<String, DeadLetter> {
        self.dead_letters_in("influxsink.dead-letter", count)
    }

    /// The same of another topic.
    pub(crate) fn dead_letters_in(&self, topic: &str, count: usize) -> BTreeMap<String, DeadLetter> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.broker.bootstrap_servers())
            .set("group.id", "reader")
            .set("auto.offset.reset", "earliest")
            .create()
            .unwrap();
        consumer.subscribe(&[topic]).unwrap();
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
pub(crate) struct DeadLetter {
    pub(crate) reason: String,
    pub(crate) detail: String,
    pub(crate) value: Vec<u8>,
    pub(crate) origin: String,
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
            detail: header("detail"),
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
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.service.count(name)
    }

    /// A counter of one of several outputs, its other labels together.
    pub(crate) fn count_of(&self, output: &str, name: &str) -> u64 {
        let of_one = |metric: &Metric| metric.get_counter().get_value() as u64;
        self.of_output(output, name).iter().map(of_one).sum()
    }

    /// A gauge of one of several outputs.
    pub(crate) fn gauge_of(&self, output: &str, name: &str) -> f64 {
        let found = self.of_output(output, name);
        assert_eq!(found.len(), 1, "{name} of {output}");
        found[0].get_gauge().get_value()
    }

    /// Whether a dependency of one of several outputs is available.
    pub(crate) fn ready(&self, output: &str, dependency: &str) -> f64 {
        let found = self.of_output(output, "kafka_efd_ready");
        let is_it = |metric: &&Metric| metric.get_label().iter().any(|label| label.value() == dependency);
        found.iter().find(is_it).unwrap().get_gauge().get_value()
    }

    fn of_output(&self, output: &str, name: &str) -> Vec<Metric> {
        let families = self.service.metrics.gather();
        let family = families.iter().find(|family| family.name() == name);
        let metrics = family.map(|family| family.get_metric()).unwrap_or_default();
        let is_of = |metric: &&Metric| {
            let mut labels = metric.get_label().iter();
            labels.any(|label| label.name() == "output" && label.value() == output)
        };
        metrics.iter().filter(is_of).cloned().collect()
    }

    /// A gauge of the tests' subsystem.
    pub(crate) fn of_subsystem(&self, name: &str) -> Option<f64> {
        let families = self.service.metrics.gather();
        let family = families.iter().find(|family| family.name() == name)?;
        let metric = family.get_metric().iter().find(|metric| {
            let labels = metric.get_label().iter();
            labels
                .map(|label| (label.name(), label.value()))
                .eq([("subsystem", "Test")])
        })?;
        Some(metric.get_gauge().get_value())
    }

    /// Finished messages.
    pub(crate) fn settled(&self) -> u64 {
        ["written", "dead_letters", "skipped"]
            .iter()
            .map(|name| self.count(&format!("influxsink_{name}_total")))
            .sum()
    }

    pub(crate) fn wait(&self, what: &str, condition: impl Fn(&Sink) -> bool) {
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

    /// Ends it though it waits for something: what it did not settle is read again.
    pub(crate) fn give_up(self) {
        self.service.shutdown.ask();
        self.thread.join().unwrap().unwrap();
        assert!(self.service.shutdown.given_up());
    }

    /// How it ends by itself.
    pub(crate) fn end(self) -> Result<(), String> {
        self.thread.join().unwrap()
    }

    pub(crate) fn stop(self) -> Service {
        self.service.shutdown.ask();
        self.thread.join().unwrap().unwrap();
        assert!(!self.service.shutdown.has_failed());
        self.service
    }
}

pub(crate) fn frame(id: u32, avro: Vec<u8>) -> Option<Vec<u8>> {
    Some([&[0][..], &id.to_be_bytes(), &avro].concat())
}

pub(crate) fn scalars() -> String {
    schema(
        &[
            TIME.to_owned(),
            field("v", r#""double""#),
            field("s", r#""string""#),
        ]
        .join(","),
    )
}

/// The point of second `at`.
pub(crate) fn scalar(at: usize) -> Vec<u8> {
    scalar_of(at, at as f64 / 2.0)
}

/// The same with this value.
pub(crate) fn scalar_of(at: usize, v: f64) -> Vec<u8> {
    let values = [
        ("private_efdStamp", Value::Double(NOW + at as f64)),
        ("v", Value::Double(v)),
        ("s", Value::String(format!("point {at}"))),
    ];
    avro(&scalars(), record(&values))
}
