//! The promise of delivery, on the embedded stack: the three stages are stopped and killed (`SIGKILL`) at arbitrary
//! moments and started again; afterwards every message that was produced is in the database exactly once.
#![allow(clippy::expect_used, reason = "a failed step is a failed test")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use devstack::{Broker, RegistryServer};
use pipeline::config::{KafkaArgs, RegistryArgs, ServiceArgs};
use pipeline::registry::Registry;
use pipeline::schema_dir::SchemaDir;
use pipeline::service::Service;
use rusqlite::{Connection, OpenFlags};
use sal::avro::Options;
use salmock::config::{ProduceConfig, Source};

const SUBSYSTEM: &str = "ATMCS";
const ROUNDS: u64 = 3;
const KILLS_A_ROUND: u64 = 3;
const PATIENCE: Duration = Duration::from_secs(90);

/// A stage as its own process, killed at the end whatever happens.
struct Process {
    command: Command,
    child: Child,
}

impl Process {
    fn start(mut command: Command) -> Self {
        let child = command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| {
            panic!("{command:?} does not start ({error}): the binaries are built by cargo test --workspace")
        });
        Self { command, child }
    }

    /// `SIGKILL`, as the kernel's out-of-memory killer does it: nothing is flushed, no group is left.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = self.command.spawn().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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
        // A member that was killed is missed after a second and not after 45.
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
    let mut transform = Command::new(binary("saltransform"));
    transform.args(["run", "--subsystem", SUBSYSTEM]);
    kafka(&mut transform);
    let mut sink = Command::new(binary("influxsink"));
    sink.arg("run")
        .args(&outputs)
        .args(["--into", &format!("sqlite:{}", database.display())]);
    kafka(&mut sink);
    let mut stages = [Process::start(transform), Process::start(sink)];

    let mut moments = Moments(0x5eed);
    let mut produced = 0;
    for _ in 0..ROUNDS {
        let service = Service::embedded(&ServiceArgs::default());
        let config = mock(&broker, &registry);
        let producing = {
            let service = service.clone();
            tokio::spawn(async move { salmock::produce(&config, &service).await.unwrap().produced })
        };
        for _ in 0..KILLS_A_ROUND {
            tokio::time::sleep(moments.next(100..900)).await;
            let stage = &mut stages[(moments.next(0..1000).as_millis() % 2) as usize];
            stage.kill();
            tokio::time::sleep(moments.next(0..300)).await;
            stage.restart();
        }
        service.shutdown.ask();
        produced += producing.await.unwrap();
    }
    assert!(
        produced > 1_000,
        "{produced} messages are too few to be caught in the middle of anything"
    );

    let start = Instant::now();
    let mut stored = 0;
    while stored < produced && start.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(50)).await;
        stored = records(&database, &outputs);
    }
    assert_eq!(stored, produced, "records in the database, and messages produced");
    assert!(
        stages
            .iter_mut()
            .all(|stage| stage.child.try_wait().unwrap().is_none()),
        "a stage ended by itself"
    );
}

/// Registers the subsystem's schemas and creates its topics; answers those that influxsink reads.
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

/// Records of all measurements; a database that does not exist yet, or is being written, has none to show.
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

/// Built beside kafkaefd by `cargo test --workspace`.
fn binary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_kafkaefd")).with_file_name(name)
}

/// Arbitrary moments, the same ones in each run: a linear congruential generator (Knuth's MMIX constants).
struct Moments(u64);

impl Moments {
    fn next(&mut self, milliseconds: std::ops::Range<u64>) -> Duration {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let span = milliseconds.end - milliseconds.start;
        Duration::from_millis(milliseconds.start + (self.0 >> 33) % span)
    }
}
