//! What each test starts: an embedded broker and registry with the schema of one topic, and saltransform on them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use confluent_avro::frame::Frame;
use confluent_avro::schema::Schema;
use devstack::{Broker, RegistryServer};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use saltransform::config::{OffsetReset, RunArgs};
use saltransform::run::{RunError, Stage};
use serde_json::{Value, json};
use stage::config::{KafkaArgs, RegistryArgs, ServiceArgs, WorkerArgs};
use stage::registry::Registry;
use stage::service::Service;
use testkit::until_async;
use tokio::task::JoinHandle;

pub(crate) const INPUT: &str = "Mock_telemetry";
pub(crate) const OUTPUT: &str = "lsst.sal.Mock_state";
pub(crate) const SUBJECT: &str = "lsst.sal.Mock_state-value";
pub(crate) const GROUP: &str = "test-group";
pub(crate) const DEAD: &str = "test-group.dead-letter";
const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct Stack {
    pub(crate) broker: Broker,
    pub(crate) registry: RegistryServer,
    client: Registry,
    producer: BaseProducer,
}

pub(crate) struct Running {
    pub(crate) service: Service,
    _end: EndOnDrop,
    task: JoinHandle<Result<(), RunError>>,
}

/// A test that fails ends the stage, which the runtime would else wait for.
struct EndOnDrop(Service);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.shutdown.ask();
    }
}

impl Stack {
    pub(crate) async fn start(partitions: i32) -> Self {
        let broker = Broker::start().unwrap();
        for (topic, partitions) in [(INPUT, partitions), (OUTPUT, 1), (DEAD, 1)] {
            broker.create_topic(topic, partitions).unwrap();
        }
        let registry = RegistryServer::start().await.unwrap();
        let client = Registry::new(&RegistryArgs::at(registry.url())).unwrap();
        let producer = ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap_servers())
            .create()
            .unwrap();
        Self {
            broker,
            registry,
            client,
            producer,
        }
    }

    /// Registers the topic's schema: a number, and with `note` a text behind it.
    pub(crate) async fn register(&self, note: bool) -> u32 {
        self.register_text(&schema(note)).await
    }

    /// Registers another schema for the topic.
    pub(crate) async fn register_text(&self, schema: &str) -> u32 {
        self.register_under(SUBJECT, schema).await
    }

    /// Registers a schema under any subject.
    pub(crate) async fn register_under(&self, subject: &str, schema: &str) -> u32 {
        self.client.register(subject, schema).await.unwrap()
    }

    pub(crate) fn args(&self) -> RunArgs {
        let mut kafka = KafkaArgs::at(self.broker.bootstrap_servers());
        let hints = Broker::fetch_hints()
            .iter()
            .chain(&[("session.timeout.ms", "6000")]);
        kafka.settings.extend(hints.map(|pair| (*pair).into()));
        let mut args = RunArgs::new(
            kafka,
            RegistryArgs::at(self.registry.url()),
            ServiceArgs::default(),
        );
        args.topic = vec![INPUT.to_owned()];
        args.group = Some(GROUP.to_owned());
        args.auto_offset_reset = OffsetReset::Earliest;
        args.workers = WorkerArgs::of(2);
        args.compression = "zstd".to_owned();
        args.schema_refresh = Duration::from_secs(3600);
        args
    }

    pub(crate) fn run(&self, args: RunArgs) -> Running {
        let service = Service::embedded(&args.service);
        let stage = Stage::new(&args, &service).unwrap();
        Running {
            _end: EndOnDrop(service.clone()),
            service,
            task: tokio::task::spawn_blocking(move || stage.run()),
        }
    }

    pub(crate) fn produce(&self, values: impl IntoIterator<Item = Vec<u8>>) {
        for value in values {
            self.producer
                .send(BaseRecord::<(), _>::to(INPUT).payload(&value))
                .map_err(|(e, _)| e)
                .unwrap();
        }
        self.producer.flush(TIMEOUT).unwrap();
    }

    pub(crate) fn produce_tombstone(&self) {
        self.send(Some(b"k"), None, None);
    }

    /// One message, with its key and headers.
    pub(crate) fn send(&self, key: Option<&[u8]>, value: Option<&[u8]>, headers: Option<OwnedHeaders>) {
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(INPUT);
        (record.key, record.payload, record.headers) = (key, value, headers);
        self.producer.send(record).map_err(|(e, _)| e).unwrap();
        self.producer.flush(TIMEOUT).unwrap();
    }

    /// The first `count` messages of a topic, from its start.
    pub(crate) fn read(&self, topic: &str, count: usize) -> Vec<OwnedMessage> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.broker.bootstrap_servers())
            .set("group.id", "reader")
            .set("fetch.wait.max.ms", "20")
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        let start = Instant::now();
        let mut messages = Vec::new();
        while messages.len() < count {
            assert!(
                start.elapsed() < TIMEOUT,
                "{} of {count} messages in {topic}",
                messages.len()
            );
            if let Some(message) = consumer.poll(Duration::from_millis(100)) {
                messages.push(message.unwrap().detach());
            }
        }
        messages
    }

    /// The records of the output topic: schema id and the record as JSON.
    pub(crate) async fn records(&self, count: usize) -> Vec<(u32, Value)> {
        let mut schemas: BTreeMap<u32, Schema> = BTreeMap::new();
        let mut records = Vec::new();
        for message in self.read(OUTPUT, count) {
            let frame = Frame::read(message.payload()).unwrap();
            let id = frame.schema_id;
            let raw = self.client.schema_by_id(id).await.unwrap();
            let schema = schemas
                .entry(id)
                .or_insert_with(|| Schema::parse(&raw.raw).unwrap());
            records.push((id, schema.to_json(frame.avro).unwrap()));
        }
        records
    }
}

impl Running {
    /// A counter of this run, all labels together.
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.service.count(name)
    }

    /// Whether it has ended by itself, or is about to.
    pub(crate) fn has_failed(&self) -> bool {
        self.service.shutdown.has_failed()
    }

    pub(crate) async fn wait_for(&self, name: &str, at_least: u64) {
        until_async(name, TIMEOUT.as_secs(), || reached(self.count(name), at_least)).await;
    }

    /// Waits until a counter with this one label's value has come so far.
    pub(crate) async fn wait_for_label(&self, name: &str, label: &str, at_least: u64) {
        let count = || {
            let families = self.service.metrics.gather();
            let metrics = families
                .iter()
                .filter(|family| family.name() == name)
                .flat_map(|f| f.get_metric());
            let with_label =
                metrics.filter(|metric| metric.get_label().iter().any(|pair| pair.value() == label));
            with_label
                .map(|metric| metric.get_counter().get_value() as u64)
                .sum::<u64>()
        };
        let what = format!("{name} {label}");
        until_async(&what, TIMEOUT.as_secs(), || reached(count(), at_least)).await;
    }

    /// A gauge of the tests' subsystem.
    pub(crate) fn of_subsystem(&self, name: &str) -> Option<f64> {
        let families = self.service.metrics.gather();
        let family = families.iter().find(|family| family.name() == name)?;
        let metric = family.get_metric().iter().find(|metric| {
            let labels = metric.get_label().iter();
            labels
                .map(|label| (label.name(), label.value()))
                .eq([("subsystem", "Mock")])
        })?;
        Some(metric.get_gauge().get_value())
    }

    /// Waits until `/ready` waits for a part because of something; answers all of the reason.
    pub(crate) async fn wait_until_missing(&self, part: &str, because: &str) -> String {
        until_async(&format!("{part}: {because}"), TIMEOUT.as_secs(), || {
            let missing = self.service.readiness.missing();
            let found = missing
                .iter()
                .find(|(name, why)| *name == part && why.contains(because));
            found
                .map(|(_, why)| why.clone())
                .ok_or_else(|| format!("ready waits for {missing:?}"))
        })
        .await
    }

    /// Waits until it is ready.
    pub(crate) async fn wait_until_ready(&self) {
        until_async("it is ready", TIMEOUT.as_secs(), || {
            match self.service.readiness.is_ready() {
                true => Ok(()),
                false => Err(format!("ready waits for {:?}", self.service.readiness.missing())),
            }
        })
        .await;
    }

    /// Waits until it has ended by itself, with a failure.
    pub(crate) async fn fails(self) {
        let ended = tokio::time::timeout(TIMEOUT, self.task).await.unwrap();
        assert!(ended.unwrap().is_err() || self.service.shutdown.has_failed());
    }

    /// Drains, and checks that the counts add up.
    pub(crate) async fn stop(self) {
        self.service.shutdown.ask();
        let (service, task) = (self.service.clone(), self.task);
        task.await.unwrap().unwrap();
        assert!(!service.shutdown.has_failed() && !service.shutdown.given_up());
        let counts = Running {
            _end: EndOnDrop(service.clone()),
            service,
            task: tokio::spawn(async { Ok(()) }),
        };
        let ended = ["produced", "dead_letters", "skipped"]
            .map(|end| counts.count(&format!("saltransform_{end}_total")))
            .iter()
            .sum::<u64>();
        assert_eq!(
            counts.count("saltransform_consumed_total"),
            ended + counts.count("kafka_released_total")
        );
    }
}

/// A message of the mocked topic.
pub(crate) fn message(sequence: usize, note: Option<&str>) -> Vec<u8> {
    let note = note.map(|note| format!(" , '{note}'")).unwrap_or_default();
    format!(
        "Mock_telemetry Mock_state:( 'rev' , 1556000000.125000 , 1556000000.127185 , {sequence} , 1 , 2 , 0.5{note})"
    )
    .into_bytes()
}

pub(crate) fn header(message: &OwnedMessage, key: &str) -> String {
    let headers = message.headers().unwrap();
    let found = headers
        .iter()
        .find(|header| header.key == key)
        .unwrap_or_else(|| panic!("no header {key}"));
    String::from_utf8(found.value.unwrap().to_vec()).unwrap()
}

/// The schema of the mocked topic's records.
pub(crate) fn schema(note: bool) -> String {
    let stamp = json!({"type": "long", "logicalType": "timestamp-millis"});
    let mut fields = vec![
        json!({"name": "kafka_timestamp", "type": stamp}),
        json!({"name": "sal_revcode", "type": "string"}),
        json!({"name": "sal_created", "type": stamp}),
        json!({"name": "sal_ingested", "type": stamp}),
        json!({"name": "sal_sequence", "type": "long"}),
        json!({"name": "sal_origin", "type": "int"}),
        json!({"name": "sal_host", "type": "int"}),
        json!({"name": "level", "type": "double", "sal_index": 0}),
    ];
    if note {
        fields.push(json!({"name": "note", "type": "string", "default": "", "sal_index": 1}));
    }
    json!({
        "type": "record", "namespace": "lsst.sal", "name": "Mock_state", "fields": fields,
        "sal_subsystem": "Mock", "sal_topic_type": "SALTelemetry", "sal_version": "1"
    })
    .to_string()
}

fn reached(count: u64, at_least: u64) -> Result<(), String> {
    (count >= at_least)
        .then_some(())
        .ok_or_else(|| format!("it is {count} of {at_least}"))
}
