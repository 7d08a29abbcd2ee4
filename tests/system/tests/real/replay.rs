//! `influxsink run --from --to`: a stretch of time goes into the database again, under a group of its own, and the sink
//! ends by itself. The records are written in a transaction, so that each partition ends with a marker and not a record.

use std::time::Duration;

use devstack::influx::InfluxServer;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use stage::config::{KafkaArgs, RegistryArgs, ServiceArgs};
use stage::service::Service;

use super::mock_state::{self, Frames};
use super::{Services, unique, until};

const RECORDS: usize = 300;
const PARTITIONS: i32 = 3;
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stretch_of_time_is_written_again_by_a_group_of_its_own() {
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

    // Another database is one that has lost everything.
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

    // A replay's name says that it goes on: it has come to its end already.
    let again = InfluxServer::start().await.unwrap();
    run_to_its_end(&services, &topic, &name, &again, &minute).await;
    assert_eq!(again.counts().created, 0);

    // Without an end it goes up to now, behind which there are only the transaction's markers; without a name it is new.
    for _ in 0..2 {
        let rest = InfluxServer::start().await.unwrap();
        run_to_its_end(&services, &topic, &name, &rest, &["--from", &time(250)]).await;
        assert_eq!(rest.counts().created, 50);
    }
    assert_eq!(
        replay_groups(&services, &name),
        [format!("{name}.replay-minute")],
        "what has no name does not stay"
    );
    assert_eq!(
        self::committed(&services, &topic, &name),
        committed,
        "the live group is where it was"
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
    producer.init_transactions(PATIENCE).unwrap();
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
    producer.commit_transaction(PATIENCE).unwrap();
}

struct Sink {
    service: Service,
    task: tokio::task::JoinHandle<Result<(), influxsink::RunError>>,
}

impl Sink {
    async fn ended(self) {
        let ended = tokio::time::timeout(PATIENCE, self.task)
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
    let Command::Run(mut args) = Cli::try_parse_from(flags).unwrap().command;
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

/// The groups of replays that are there.
fn replay_groups(services: &Services, group: &str) -> Vec<String> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", services.get("BROKER"))
        .create()
        .unwrap();
    let list = consumer.fetch_group_list(None, PATIENCE).unwrap();
    let names = list.groups().iter().map(|found| found.name().to_owned());
    let prefix = format!("{group}.replay-");
    names.filter(|name| name.starts_with(&prefix)).collect()
}

/// What a group has committed, by partition.
fn committed(services: &Services, topic: &str, group: &str) -> Vec<Offset> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", services.get("BROKER"))
        .set("group.id", group)
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, PARTITIONS - 1);
    let list = consumer.committed_offsets(list, PATIENCE).unwrap();
    list.elements().iter().map(|element| element.offset()).collect()
}
