//! Events of dialect ts_xml on a real Kafka: their topics are compacted, as ts_salobj creates them, which needs a key in each
//! record; and the topics of the two dialects, which Kafka cannot have beside each other.

use clap::Parser;
use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use saltransform::config::{Cli, Command};
use saltransform::init::{InitError, Prepared, prepare};
use stage::config::{KafkaArgs, RegistryArgs, ServiceArgs};
use stage::registry::Registry;
use stage::service::Service;

use super::{Services, root, unique, until};
use crate::operator::{kafkaefd, kafkaefd_with};

const NEEDED: &[&str] = &["BROKER", "SCHEMAREGISTRY"];

async fn init(services: &Services, subname: &str, dialect: &str) -> Result<Prepared, InitError> {
    let dir = root().join("schemas").display().to_string();
    let line = [
        &[
            "saltransform",
            "init",
            "--subsystem",
            "Hexapod",
            "--xml-dir",
            &dir,
        ][..],
        &["--subname", subname, "--dialect", dialect, "--replication", "1"],
        &["--broker", services.get("BROKER")],
        &["--schema-registry", services.get("SCHEMAREGISTRY")],
    ];
    let Command::Init(args) = Cli::try_parse_from(line.concat()).unwrap().command else {
        panic!("init is parsed as init")
    };
    prepare(&args).await
}

fn first_key(services: &Services, topic: &str) -> Option<String> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", services.get("BROKER"))
        .set("group.id", unique("keys-"))
        .create()
        .unwrap();
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition_offset(topic, 0, rdkafka::Offset::Beginning)
        .unwrap();
    consumer.assign(&list).unwrap();
    until("a record", 60, || {
        match consumer.poll(std::time::Duration::from_millis(100)) {
            Some(Ok(message)) => Ok(message.key().map(|key| String::from_utf8(key.to_vec()).unwrap())),
            other => Err(format!("{:?}", other.map(|result| result.map(|_| ())))),
        }
    })
}

#[test]
fn events_reach_compacted_topics_and_what_lacks_a_key_is_refused() {
    let Some(services) = Services::with(NEEDED) else {
        return;
    };
    let subname = unique("compacted");
    let prepared = crate::runtime()
        .block_on(init(&services, &subname, "ts_xml"))
        .unwrap();
    assert!(prepared.created > 3);
    let topic = |name: &str| format!("lsst.{subname}.Hexapod.{name}");
    let policy = |name: &str| {
        let shown = kafkaefd(
            &services,
            &["admin", "topics", "config", &topic(name), "--detail"],
        );
        let line = shown.stdout.lines().find(|line| line.contains("cleanup.policy"));
        line.unwrap_or_else(|| panic!("{shown:?}")).to_owned()
    };
    assert!(policy("logevent_interlock").contains("compact"));
    for name in ["Electrical", "command_move"] {
        assert!(!policy(name).contains("compact"), "{name}");
    }

    let event = topic("logevent_interlock");
    let refused = kafkaefd_with(&services, &["produce", &event], b"without a key\n");
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("the record has no key")
            && refused.stderr.contains(&format!(
                "admin topics config {event} --set cleanup.policy delete"
            )),
        "{refused:?}"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "one\n").unwrap();
    let path = file.path().to_str().unwrap();
    let refused = kafkaefd(&services, &["inject", &event, "--file", path, "-n", "1"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("the record has no key"), "{refused:?}");

    let config = salmock::config::ProduceConfig {
        topics: vec![
            "Hexapod_logevent_interlock".to_owned(),
            "Hexapod_Electrical".to_owned(),
        ],
        format: salmock::config::Format::Avro,
        dialect: sal::name::Dialect::TsXml,
        subname: subname.clone(),
        count: Some(1),
        ..salmock::config::ProduceConfig::new(
            salmock::config::Source::Registry,
            KafkaArgs::at(services.get("BROKER")),
            RegistryArgs::at(services.get("SCHEMAREGISTRY")),
        )
    };
    let report = crate::runtime().block_on(async {
        let service = Service::embedded(&ServiceArgs::default());
        salmock::produce(&config, &service).await.unwrap()
    });
    assert_eq!((report.produced, report.failed), (2, 0));
    assert_eq!(
        first_key(&services, &event).as_deref(),
        Some(r#"{ "name": "Hexapod", "index": 1, "topic": "logevent_interlock" }"#)
    );

    let tombstone = kafkaefd_with(
        &services,
        &["produce", &event, "-K", "=", "--tombstones"],
        b"gone=\nkept=x\n",
    );
    assert_eq!((tombstone.code, tombstone.stderr.as_str()), (0, "2 delivered\n"));
    let shown = kafkaefd(&services, &["tail", &event, "-e", "-o", "-2", "-f", "%k %S\\n"]);
    assert_eq!(shown.stdout, "gone -1\nkept 1\n");
}

#[test]
fn the_topics_of_two_dialects_cannot_be_beside_each_other() {
    let Some(services) = Services::with(NEEDED) else {
        return;
    };
    let subname = unique("dialects");
    crate::runtime()
        .block_on(init(&services, &subname, "ts_xml"))
        .unwrap();
    let refused = crate::runtime()
        .block_on(init(&services, &subname, "efd"))
        .unwrap_err();
    let (ours, theirs) = (
        format!("lsst.{subname}.Hexapod_"),
        format!("lsst.{subname}.Hexapod."),
    );
    let text = refused.to_string();
    assert!(
        matches!(&refused, InitError::Collides { first, .. }
            if first.topic.starts_with(&ours) && first.existing.starts_with(&theirs)),
        "{text}"
    );
    assert!(text.starts_with("nothing was changed: topic lsst."), "{text}");
    let registry = Registry::new(&RegistryArgs::at(services.get("SCHEMAREGISTRY"))).unwrap();
    let subjects = crate::runtime().block_on(registry.subjects()).unwrap();
    assert!(!subjects.iter().any(|subject| subject.starts_with(&ours)));

    let wanted = format!("{ours}Electrical");
    let created = kafkaefd(&services, &["admin", "topics", "create", &wanted]);
    assert_eq!(created.code, 1);
    assert!(
        created
            .stderr
            .contains(&format!("cannot exist beside {theirs}Electrical"))
            || created
                .stdout
                .contains(&format!("cannot exist beside {theirs}Electrical")),
        "{created:?}"
    );
}
