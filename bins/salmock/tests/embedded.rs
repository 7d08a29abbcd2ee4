//! salmock against the embedded broker and registry: its messages are complete, on time and readable.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::time::Duration;

use devstack::{Broker, RegistryServer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use sal::avro::Options;
use sal::name::{Dialect, Kind, TopicName};
use sal::time::TimeScale;
use sal::wire::Message;
use salmock::config::{ConsumeArgs, Format, From, ProduceConfig, Source};
use salmock::{Report, consume, produce};
use schema_dir::SchemaDir;
use stage::config::{KafkaArgs, RegistryArgs, ServiceArgs};
use stage::registry::Registry;
use stage::service::{Service, Shutdown};
use testkit::{KafkaProxy, until_async};

struct Stack {
    broker: Broker,
    registry: RegistryServer,
}

impl Stack {
    async fn start() -> Stack {
        Stack {
            broker: Broker::start().unwrap(),
            registry: RegistryServer::start().await.unwrap(),
        }
    }

    fn kafka(&self) -> KafkaArgs {
        let mut args = KafkaArgs::at(self.broker.bootstrap_servers());
        args.settings
            .extend(Broker::fetch_hints().iter().map(|pair| (*pair).into()));
        args
    }

    fn config(&self, source: Source) -> ProduceConfig {
        ProduceConfig::new(source, self.kafka(), RegistryArgs::at(self.registry.url()))
    }

    async fn consume(&self, topic: &str, count: u64) -> Vec<serde_json::Value> {
        let args = ConsumeArgs {
            topic: topic.to_owned(),
            from: From::Earliest,
            count: Some(count),
            kafka: self.kafka(),
            registry: RegistryArgs::at(self.registry.url()),
            log_level: "warn".to_owned(),
        };
        let mut out = Vec::new();
        let shutdown = Shutdown::new(Duration::ZERO);
        let printed = consume(&args, &mut out, &shutdown);
        let printed = tokio::time::timeout(Duration::from_secs(60), printed)
            .await
            .expect("too few messages");
        assert_eq!(printed.unwrap(), count);
        let out = String::from_utf8(out).unwrap();
        let acts_on_a_terminal = |c: char| {
            c != '\n' && (c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'))
        };
        assert!(!out.contains(acts_on_a_terminal), "{out:?}");
        out.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn embedded() -> Source {
    Source::Files(SchemaDir::Interfaces(devstack::schemas()))
}

async fn run(config: &ProduceConfig) -> Report {
    let service = Service::embedded(&ServiceArgs::default());
    let report = produce(config, &service).await.unwrap();
    assert_eq!(service.count("salmock_produced_total"), report.produced);
    let families = service.metrics.gather();
    let last = families
        .iter()
        .find(|family| family.name() == "salmock_last_message_timestamp_seconds")
        .unwrap();
    let expected: BTreeSet<&str> = report
        .topics
        .keys()
        .map(|topic| topic.split_once('_').unwrap().0)
        .collect();
    let subsystems = last
        .get_metric()
        .iter()
        .map(|metric| metric.get_label()[0].value());
    assert!(subsystems.eq(expected), "one series for each subsystem");
    // When the embedded broker says that it has appended each message: librdkafka's mock has this constant.
    let times = last
        .get_metric()
        .iter()
        .map(|metric| metric.get_gauge().get_value());
    assert!(times.into_iter().all(|time| time == 1.234));
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_topic_is_reported_and_waited_for() {
    const GONE: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    const TOPIC: &str = "MTM1M3TS_telemetry";
    let stack = Stack::start().await;
    stack.broker.create_topic(TOPIC, 1).unwrap();
    let mut config = stack.config(embedded());
    (config.topics, config.period) = (vec!["MTM1M3TS_thermalData".to_owned()], Duration::from_millis(10));
    let service = Service::embedded(&ServiceArgs::default());
    let running = tokio::spawn({
        let service = service.clone();
        async move {
            produce(&config, &service)
                .await
                .map_err(|error| error.to_string())
        }
    });
    let until = async |what: &str, reached: &dyn Fn() -> bool| {
        let start = std::time::Instant::now();
        while !reached() {
            let missing = service.readiness.missing();
            assert!(!running.is_finished(), "{what}: it ended");
            assert!(start.elapsed() < Duration::from_secs(60), "{what}: {missing:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let produced = || service.count("salmock_produced_total");
    until("produces", &|| produced() > 10).await;
    until("ready", &|| service.readiness.is_ready()).await;
    stack.broker.topic_error(TOPIC, GONE).unwrap();
    stack
        .broker
        .fail_next(RDKafkaApiKey::Produce, &[GONE; 1_000])
        .unwrap();
    until("names the topic", &|| {
        let missing = service.readiness.missing();
        missing
            .iter()
            .any(|(_, why)| why.contains(TOPIC) && why.contains("does not exist"))
    })
    .await;
    stack.broker.clear_failures(RDKafkaApiKey::Produce).unwrap();
    let none = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
    stack.broker.topic_error(TOPIC, none).unwrap();
    let before = produced();
    until("resumes", &|| produced() > before + 10).await;
    until("ready again", &|| service.readiness.is_ready()).await;
    service.shutdown.ask();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_goes_to_the_topics_of_the_components() {
    for (dialect, time_scale) in [(Dialect::Efd, TimeScale::Utc), (Dialect::TsXml, TimeScale::Tai)] {
        let stack = Stack::start().await;
        let mut config = stack.config(embedded());
        (config.dialect, config.time_scale) = (dialect, time_scale);
        (config.period, config.count) = (Duration::from_millis(20), Some(3));
        let report = run(&config).await;
        assert!(report.topics.len() >= 100, "{} topics", report.topics.len());
        assert!(report.topics.values().all(|count| *count == 3), "{report:?}");
        assert_eq!(
            (report.produced, report.failed),
            (3 * report.topics.len() as u64, 0)
        );
        for line in stack.consume("MTM1M3TS_telemetry", 3).await {
            let message = Message::parse(line["text"].as_str().unwrap().as_bytes()).unwrap();
            assert!(message.topic().starts_with("MTM1M3TS_"), "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn avro_has_one_topic_each_and_is_printed_as_json() {
    let stack = Stack::start().await;
    let mut config = stack.config(embedded());
    config.format = Format::Avro;
    config.topics = vec!["MTM1M3TS_thermalData".into(), "lsst.sal.Test_scalars".into()];
    (config.period, config.count) = (Duration::from_millis(5), Some(4));
    let report = run(&config).await;
    assert_eq!(
        report.topics.into_iter().collect::<Vec<_>>(),
        [
            ("MTM1M3TS_thermalData".to_owned(), 4),
            ("Test_scalars".to_owned(), 4)
        ]
    );
    let lines = stack.consume("lsst.sal.Test_scalars", 4).await;
    let mut sequence: Vec<_> = lines
        .iter()
        .map(|line| line["record"]["sal_sequence"].as_i64().unwrap())
        .collect();
    sequence.sort_unstable();
    assert_eq!(sequence, [1, 2, 3, 4]);
    let mut times: Vec<_> = lines
        .iter()
        .map(|line| line["record"]["sal_created"].as_str().unwrap())
        .collect();
    times.sort_unstable();
    times.dedup();
    assert_eq!(times.len(), 4, "two points would overwrite each other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_characters_in_messages_do_not_reach_the_terminal() {
    let stack = Stack::start().await;
    let producer: FutureProducer = stack.kafka().client_config(&[]).unwrap().create().unwrap();
    let hostile = "\u{1b}]0;title\u{7}\u{1b}[2J\n\u{9b}31m\u{202e}txet\u{7f}";
    let header = Header {
        key: "detail",
        value: Some(hostile),
    };
    let record = FutureRecord::to("anything").key(hostile).payload(hostile);
    let record = record.headers(OwnedHeaders::new().insert(header));
    producer.send(record, Duration::from_secs(30)).await.unwrap();
    let line = stack.consume("anything", 1).await.remove(0);
    assert_eq!(
        (&line["text"], &line["key"], &line["headers"]["detail"]),
        (&hostile.into(), &hostile.into(), &hostile.into())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_come_from_the_registry_sorted_and_limited() {
    let stack = Stack::start().await;
    let registry = Registry::new(&RegistryArgs::at(stack.registry.url())).unwrap();
    registry
        .register(
            "lsst.sal.other-value",
            r#"{"type":"record","name":"other","fields":[]}"#,
        )
        .await
        .unwrap();
    registry.register("elsewhere-value", r#""string""#).await.unwrap();
    let schemas = SchemaDir::Interfaces(devstack::schemas())
        .schemas(&Options::default())
        .schemas;
    for schema in schemas.iter().filter(|schema| schema.topic.component() == "Test") {
        registry.register(&schema.subject, &schema.text).await.unwrap();
    }
    let mut config = stack.config(Source::Registry);
    (config.max_topics, config.period, config.count) = (Some(2), Duration::from_millis(5), Some(2));
    let mut names: Vec<_> = schemas.iter().map(|schema| schema.topic.to_string()).collect();
    names.retain(|name| name.starts_with("Test_"));
    names.sort();
    let report = run(&config).await;
    assert_eq!(report.topics.into_keys().collect::<Vec<_>>(), names[..2]);

    config.topics = vec!["Test_absent".to_owned()];
    let error = produce(&config, &Service::embedded(&ServiceArgs::default()))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("no schema of dialect efd for the topic Test_absent"),
        "{error}"
    );
    config.topics = vec!["lsst.sal.other".to_owned()];
    let error = produce(&config, &Service::embedded(&ServiceArgs::default()))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "cannot mock the topic lsst.sal.other");
}

/// As ts_salobj sends them, whose topics of events are compacted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_today_have_a_key_and_telemetry_has_none() {
    let stack = Stack::start().await;
    let mut config = stack.config(embedded());
    (config.format, config.dialect) = (Format::Avro, Dialect::TsXml);
    (config.period, config.count) = (Duration::from_millis(5), Some(1));
    config.topics = vec![
        "Hexapod_logevent_interlock".to_owned(),
        "Hexapod_Electrical".to_owned(),
    ];
    assert_eq!(run(&config).await.produced, 2);
    let events = stack.consume("lsst.sal.Hexapod.logevent_interlock", 1).await;
    assert_eq!(
        events[0]["key"],
        r#"{ "name": "Hexapod", "index": 1, "topic": "logevent_interlock" }"#
    );
    let telemetry = stack.consume("lsst.sal.Hexapod.Electrical", 1).await;
    assert!(telemetry[0]["key"].is_null(), "{}", telemetry[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_selects_topics() {
    let stack = Stack::start().await;
    for (kind, sal_name) in [
        (Kind::Telemetry, ""),
        (Kind::Event, "logevent_"),
        (Kind::Command, "command_"),
    ] {
        let mut config = stack.config(embedded());
        (config.kind, config.max_topics) = (Some(kind), Some(10));
        (config.period, config.count) = (Duration::from_millis(5), Some(1));
        let topics: Vec<TopicName> = run(&config)
            .await
            .topics
            .into_keys()
            .map(|topic| topic.parse().unwrap())
            .collect();
        assert_eq!(topics.len(), 10, "{kind}");
        for topic in topics {
            assert_eq!(topic.kind(), kind, "{topic}");
            assert!(topic.sal_name().starts_with(sal_name), "{topic}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_without_topics_is_an_error() {
    let stack = Stack::start().await;
    let mut files = devstack::schemas();
    files.retain(|file| file.path.contains("ESS_Telemetry"));
    let mut config = stack.config(Source::Files(SchemaDir::Interfaces(files)));
    config.kind = Some(Kind::Command);
    let error = produce(&config, &Service::embedded(&ServiceArgs::default()))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "none of the SAL topics of dialect efd is of kind command"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rate_is_the_requested_one() {
    let stack = Stack::start().await;
    let mut config = stack.config(embedded());
    (config.max_topics, config.period) = (Some(100), Duration::from_millis(100));
    let service = Service::embedded(&ServiceArgs::default());
    let watched = service.clone();
    tokio::spawn(async move {
        while acknowledged(&watched) < 2_000.0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        watched.shutdown.ask();
    });
    let report = produce(&config, &service).await.unwrap();
    // 1,000 per second: never faster, and slower only by the delay of the last messages on a busy machine.
    assert_eq!(report.failed, 0);
    assert!(
        (700.0..1_050.0).contains(&report.rate()),
        "{} messages/s",
        report.rate()
    );
    let (min, max) = (
        report.topics.values().min().unwrap(),
        report.topics.values().max().unwrap(),
    );
    assert!(max - min <= 1, "topics take turns: {min} to {max}");
}

/// Messages that the broker has acknowledged, according to the service's metrics.
fn acknowledged(service: &Service) -> f64 {
    let families = service.metrics.gather();
    let family = families
        .iter()
        .find(|family| family.name() == "salmock_produced_total");
    let metrics = family.map(|family| family.get_metric()).unwrap_or_default();
    metrics
        .iter()
        .map(|metric| metric.get_counter().get_value())
        .sum()
}

/// Waits until a counter reaches a value.
async fn wait_for(service: &Service, name: &str, at_least: u64) {
    until_async(&format!("{name} is {at_least}"), 60, || {
        let count = service.count(name);
        (count >= at_least).then_some(()).ok_or(format!("it is {count}"))
    })
    .await;
}

/// The answer of a fenced broker: librdkafka 2.12 then forgets all brokers and looks for none again (its
/// issue 5301).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_resumes_after_answers_without_brokers() {
    let stack = Stack::start().await;
    let proxy = KafkaProxy::start(stack.broker.bootstrap_servers()).unwrap();
    let mut config = stack.config(embedded());
    config.format = Format::Avro;
    config.period = Duration::from_millis(200);
    config.kafka = KafkaArgs::at(proxy.bootstrap_servers());
    for setting in [
        "topic.metadata.refresh.interval.ms=500",
        "reconnect.backoff.ms=100",
    ] {
        config.kafka.settings.push(setting.into());
    }
    let service = Service::embedded(&ServiceArgs::default());
    let producing = tokio::spawn({
        let service = service.clone();
        async move { produce(&config, &service).await }
    });
    wait_for(&service, "salmock_produced_total", 100).await;
    proxy.forget_brokers(usize::MAX, |client| client == "salmock");
    let (mut answers, mut since) = (0, std::time::Instant::now());
    // When librdkafka forgets the brokers is a matter of chance.
    while answers == 0 || (answers < 100 && since.elapsed() < Duration::from_secs(3)) {
        if proxy.forgotten() != answers {
            (answers, since) = (proxy.forgotten(), std::time::Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    proxy.forget_brokers(0, |_| false);
    let produced = service.count("salmock_produced_total");
    wait_for(&service, "salmock_produced_total", produced + 1_000).await;
    service.shutdown.ask();
    let report = producing.await.unwrap().unwrap();
    assert_eq!(report.failed, 0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_without_answers_while_other_clients_get_them_ends_the_process() {
    let stack = Stack::start().await;
    let proxy = KafkaProxy::start(stack.broker.bootstrap_servers()).unwrap();
    let mut config = stack.config(embedded());
    config.kafka = KafkaArgs::at(proxy.bootstrap_servers());
    config.stuck_timeout = Duration::from_secs(1);
    let service = Service::embedded(&ServiceArgs {
        drain_timeout: Duration::from_millis(500),
        ..ServiceArgs::default()
    });
    let producing = tokio::spawn({
        let service = service.clone();
        async move { produce(&config, &service).await }
    });
    wait_for(&service, "salmock_produced_total", 10).await;
    proxy.silence(|client| client == "salmock");
    let report = tokio::time::timeout(Duration::from_secs(60), producing).await;
    report.expect("it still runs").unwrap().unwrap();
    assert!(service.shutdown.has_failed());
}
