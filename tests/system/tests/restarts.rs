//! The delivery guarantee, on the embedded stack: the three stages are stopped and killed (`SIGKILL`) at
//! arbitrary times and restarted; afterwards every produced message is in the database exactly once.
#![allow(clippy::expect_used, reason = "a failed step is a failed test")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod processes;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use devstack::{Broker, RegistryServer};
use processes::{Pauses, Process};
use rusqlite::{Connection, OpenFlags};
use sal::avro::Options;
use salmock::config::{ProduceConfig, Source};
use schema_dir::SchemaDir;
use stage::config::{KafkaArgs, RegistryArgs, ServiceArgs};
use stage::registry::Registry;
use stage::service::Service;

const SUBSYSTEM: &str = "ATMCS";
const MIN_ROUNDS: u64 = 3;
/// Of fewer messages, a kill may hit none in flight: on a busy machine they take more rounds.
const MIN_MESSAGES: u64 = 1_000;
const KILLS_A_ROUND: u64 = 3;
const TIMEOUT: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_in_the_database_exactly_once() {
    let broker = Broker::start().unwrap();
    let registry = RegistryServer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("efd.sqlite");
    let outputs = prepare(&broker, &registry).await;

    let kafka = |command: &mut Command| {
        command.args([
            "--broker",
            broker.bootstrap_servers(),
            "--schema-registry",
            &registry.url(),
        ]);
        // A killed member is detected after a second instead of 45.
        for setting in [
            "fetch.wait.max.ms=20",
            "session.timeout.ms=1000",
            "heartbeat.interval.ms=200",
        ] {
            command.args(["-X", setting]);
        }
        command.args([
            "--auto-offset-reset",
            "earliest",
            "--prometheus-port",
            "0",
            "--log-level",
            "error",
        ]);
    };
    let mut transform = Command::new(system_tests::binary("saltransform"));
    transform.args(["run", "--subsystem", SUBSYSTEM]);
    kafka(&mut transform);
    let mut sink = Command::new(system_tests::binary("influxsink"));
    sink.arg("run")
        .args(&outputs)
        .args(["--into", &format!("sqlite:{}", database.display())]);
    kafka(&mut sink);
    let mut stages = [Process::start(transform), Process::start(sink)];

    let mut pauses = Pauses(0x5eed);
    let (mut produced, mut rounds) = (0, 0);
    let start = Instant::now();
    while rounds < MIN_ROUNDS || produced <= MIN_MESSAGES {
        assert!(
            start.elapsed() < TIMEOUT,
            "{produced} messages in {rounds} rounds"
        );
        rounds += 1;
        let service = Service::embedded(&ServiceArgs::default());
        let config = mock(&broker, &registry);
        let producing = {
            let service = service.clone();
            tokio::spawn(async move { salmock::produce(&config, &service).await.unwrap().produced })
        };
        for _ in 0..KILLS_A_ROUND {
            tokio::time::sleep(pauses.next(100..900)).await;
            let stage = &mut stages[(pauses.next(0..1000).as_millis() % 2) as usize];
            stage.kill();
            tokio::time::sleep(pauses.next(0..300)).await;
            stage.restart();
        }
        service.shutdown.ask();
        produced += producing.await.unwrap();
    }
    let start = Instant::now();
    let mut stored = 0;
    while stored < produced && start.elapsed() < TIMEOUT {
        tokio::time::sleep(Duration::from_millis(50)).await;
        stored = records(&database, &outputs);
    }
    assert_eq!(stored, produced, "records in the database, and messages produced");
    assert!(
        stages.iter_mut().all(Process::is_running),
        "a stage ended by itself"
    );
}

/// Registers the subsystem's schemas and creates its topics; returns the topics that influxsink reads.
async fn prepare(broker: &Broker, registry: &RegistryServer) -> Vec<String> {
    let client = Registry::new(&RegistryArgs::at(registry.url())).unwrap();
    let options = Options {
        wire_extras: true,
        subsystems: vec![SUBSYSTEM.to_owned()],
        ..Options::default()
    };
    let schemas = SchemaDir::Interfaces(devstack::schemas())
        .schemas(&options)
        .schemas;
    for kind in ["telemetry", "logevent", "command"] {
        broker.create_topic(&format!("{SUBSYSTEM}_{kind}"), 2).unwrap();
    }
    for schema in &schemas {
        client.register(&schema.subject, &schema.text).await.unwrap();
        broker.create_topic(&schema.kafka_topic, 1).unwrap();
    }
    schemas.into_iter().map(|schema| schema.kafka_topic).collect()
}

fn mock(broker: &Broker, registry: &RegistryServer) -> ProduceConfig {
    let source = Source::Files(SchemaDir::Interfaces(devstack::schemas()));
    let kafka = KafkaArgs::at(broker.bootstrap_servers());
    let mut config = ProduceConfig::new(source, kafka, RegistryArgs::at(registry.url()));
    let options = Options {
        subsystems: vec![SUBSYSTEM.to_owned()],
        ..Options::default()
    };
    let schemas = SchemaDir::Interfaces(devstack::schemas())
        .schemas(&options)
        .schemas;
    config.topics = schemas.iter().map(|schema| schema.topic.to_string()).collect();
    config.period = Duration::from_millis(100);
    config
}

/// The number of records in all measurements; 0 while the database does not exist yet or is being written.
fn records(database: &Path, measurements: &[String]) -> u64 {
    let count = || -> rusqlite::Result<u64> {
        let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut tables = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?;
        let tables: Vec<String> = tables
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut sum = 0;
        for table in measurements.iter().filter(|name| tables.contains(name)) {
            let rows: u32 =
                connection.query_row(&format!("SELECT count(*) FROM \"{table}\""), [], |row| row.get(0))?;
            sum += u64::from(rows);
        }
        Ok(sum)
    };
    count().unwrap_or_default()
}
