//! `influxsink run --from --to`: a time range is written to the database again, in a separate group, and the
//! sink ends by itself. The records are written in a transaction, so that each partition ends with a marker
//! and not with a record.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use stage::config::{KafkaArgs, RegistryArgs, ServiceArgs};
use stage::service::Service;
use testkit::influx::InfluxServer;

use super::mock_state::{self, Frames};
use super::{Services, unique, until};

const RECORDS: usize = 300;
const PARTITIONS: i32 = 3;
const TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_range_is_written_again_in_a_separate_group() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let name = unique("replay");
    let topic = format!("lsst.{name}.Mock_state");
    let id = mock_state::prepare(&services, &topic, PARTITIONS).await;
    let start = stage::unix_micros() / 1_000_000 * 1_000 - 3_600_000;
    let second = |n: usize| start + 1_000 * n as i64;
    write_in_a_transaction(&services, &topic, &mut Frames::new(id), second);

    let live = InfluxServer::start().await.unwrap();
    let sink = sink(&services, &topic, &name, &live, &[]);
    until("all records in the database", 60, || enough(&live, RECORDS));
    sink.service.shutdown.ask();
    sink.ended().await;
    let committed = committed(&services, &topic, &name);

    // Another database stands for one that has lost everything.
    let time = |n: usize| stage::config::Timestamp(second(n)).to_string();
    let repaired = InfluxServer::start().await.unwrap();
    let minute = ["--from", &time(100), "--to", &time(200), "--replay", "minute"];
    run_to_its_end(&services, &topic, &name, &repaired, &minute).await;
    assert_eq!(repaired.counts().created, 100);
    let points = repaired.points();
    let times: Vec<i64> = points.keys().map(|key| key.time_ns / 1_000_000).collect();
    assert_eq!(
        (times.iter().min(), times.iter().max()),
        (Some(&second(100)), Some(&second(199)))
    );

    // A named replay is resumed: it has already reached its end.
    let again = InfluxServer::start().await.unwrap();
    run_to_its_end(&services, &topic, &name, &again, &minute).await;
    assert_eq!(again.counts().created, 0);

    // Without an end it runs up to now, where only the markers of the transaction follow; without a name it
    // starts anew.
    for _ in 0..2 {
        let rest = InfluxServer::start().await.unwrap();
        run_to_its_end(&services, &topic, &name, &rest, &["--from", &time(250)]).await;
        assert_eq!(rest.counts().created, 50);
    }
    assert_eq!(
        replay_groups(&services, &name),
        [format!("{name}.replay-minute")],
        "the group of an unnamed replay is removed"
    );
    assert_eq!(
        self::committed(&services, &topic, &name),
        committed,
        "the live group is unchanged"
    );
}

fn write_in_a_transaction(
    services: &Services,
    topic: &str,
    frames: &mut Frames,
    millis: impl Fn(usize) -> i64,
) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", services.get("BROKER"))
        .set("transactional.id", topic)
        .create()
        .unwrap();
    producer.init_transactions(TIMEOUT).unwrap();
    producer.begin_transaction().unwrap();
    for n in 0..RECORDS {
        let frame = frames.frame(n, millis(n), "");
        let partition = (n % PARTITIONS as usize) as i32;
        let record = BaseRecord::<(), _>::to(topic)
            .payload(&frame)
            .partition(partition)
            .timestamp(millis(n));
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.commit_transaction(TIMEOUT).unwrap();
}

struct Sink {
    service: Service,
    task: tokio::task::JoinHandle<Result<(), influxsink::RunError>>,
}

impl Sink {
    async fn ended(self) {
        let ended = tokio::time::timeout(TIMEOUT, self.task)
            .await
            .expect("it ends by itself");
        ended.unwrap().map_err(|error| stage::chain(&error)).unwrap();
        assert!(!self.service.shutdown.has_failed());
    }
}

fn sink(services: &Services, topic: &str, group: &str, database: &InfluxServer, flags: &[&str]) -> Sink {
    use clap::Parser;
    use influxsink::config::{Cli, Command};

    let url = database.url();
    let own = ["influxsink", "run", topic, "--group", group, "--into", &url];
    let flags = own.iter().chain(flags).copied();
    let Command::Run(mut args) = Cli::try_parse_from(flags).unwrap().command else {
        panic!("run is parsed as run")
    };
    args.kafka = KafkaArgs::at(services.get("BROKER"));
    args.registry = RegistryArgs::at(services.get("SCHEMAREGISTRY"));
    let service = Service::embedded(&ServiceArgs::default());
    let (config, inner, runtime) = (
        args.check().unwrap(),
        service.clone(),
        tokio::runtime::Handle::current(),
    );
    let task = tokio::task::spawn_blocking(move || influxsink::run(&config, &inner, &runtime));
    Sink { service, task }
}

async fn run_to_its_end(
    services: &Services,
    topic: &str,
    group: &str,
    database: &InfluxServer,
    flags: &[&str],
) {
    sink(services, topic, group, database, flags).ended().await;
}

fn enough(database: &InfluxServer, wanted: usize) -> Result<(), String> {
    let found = database.counts().created;
    if found as usize == wanted {
        Ok(())
    } else {
        Err(format!("{found} of {wanted}"))
    }
}

/// The groups of replays that exist.
fn replay_groups(services: &Services, group: &str) -> Vec<String> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", services.get("BROKER"))
        .create()
        .unwrap();
    let list = consumer.fetch_group_list(None, TIMEOUT).unwrap();
    let names = list.groups().iter().map(|found| found.name().to_owned());
    let prefix = format!("{group}.replay-");
    names.filter(|name| name.starts_with(&prefix)).collect()
}

/// A group's committed offsets, by partition.
fn committed(services: &Services, topic: &str, group: &str) -> Vec<Offset> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", services.get("BROKER"))
        .set("group.id", group)
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, PARTITIONS - 1);
    let list = consumer.committed_offsets(list, TIMEOUT).unwrap();
    list.elements().iter().map(|element| element.offset()).collect()
}
