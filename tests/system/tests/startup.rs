//! The start order does not matter: the broker, the registry or the database can come up last. `/ready` names
//! the missing one, and what was produced meanwhile arrives.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

mod mocked;

use clap::Parser;
use devstack::{Broker, RegistryServer};
use stage::config::{RegistryArgs, ServiceArgs};
use stage::registry::Registry;
use stage::service::Service;
use testkit::influx::InfluxServer;
use testkit::raw::Batch;
use testkit::until_async;

const INPUT: &str = "Mock_telemetry";
const OUTPUT: &str = "lsst.sal.Mock_state";
/// Seconds.
const TIMEOUT: u64 = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Kafka,
    Registry,
    Database,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_may_come_last() {
    start_in_order([Part::Database, Part::Registry, Part::Kafka]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_registry_may_come_last() {
    start_in_order([Part::Kafka, Part::Database, Part::Registry]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_may_come_last() {
    start_in_order([Part::Registry, Part::Kafka, Part::Database]).await;
}

async fn start_in_order(order: [Part; 3]) {
    let broker = Broker::start().unwrap();
    let mut registry = RegistryServer::start().await.unwrap();
    let mut database = InfluxServer::start().await.unwrap();
    for topic in [INPUT, OUTPUT] {
        broker.create_topic(topic, 1).unwrap();
    }
    let client = Registry::new(&RegistryArgs::at(registry.url())).unwrap();
    client
        .register(&format!("{OUTPUT}-value"), &mocked::schema().to_string())
        .await
        .unwrap();
    let text = mocked::text(1, 1_556_000_000_125, "first");
    let first = Batch::new().record(text.as_bytes(), &[]);
    first.send(broker.bootstrap_servers(), INPUT, 0).unwrap();
    broker.down().unwrap();
    registry.down().await;
    database.down().await;

    let places = [
        "--broker",
        broker.bootstrap_servers(),
        "--schema-registry",
        &registry.url(),
        "--auto-offset-reset",
        "earliest",
    ];
    let (transform, sink) = (transform(&places), sink(&places, &database.url()));
    let mut missing: Vec<&str> = vec!["database", "kafka", "registry"];
    for part in order {
        names_what_is_missing(&sink.service, &missing).await;
        let of_transform: Vec<&str> = missing
            .iter()
            .copied()
            .filter(|part| *part != "database")
            .collect();
        names_what_is_missing(&transform.service, &of_transform).await;
        match part {
            Part::Kafka => broker.up().unwrap(),
            Part::Registry => registry.up().await.unwrap(),
            Part::Database => database.up().await.unwrap(),
        }
        missing.retain(|name| *name != format!("{part:?}").to_lowercase());
    }
    names_what_is_missing(&sink.service, &[]).await;
    names_what_is_missing(&transform.service, &[]).await;
    until_async("the point is written", TIMEOUT, || {
        match database.counts().created {
            1 => Ok(()),
            points => Err(format!("{points} points")),
        }
    })
    .await;
    transform.stop().await;
    sink.stop().await;
}

struct Running {
    service: Service,
    task: tokio::task::JoinHandle<Result<(), String>>,
    _end: EndOnDrop,
}

/// If a test fails, this ends the stage; otherwise the runtime would wait for it.
struct EndOnDrop(Service);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.shutdown.ask();
    }
}

impl Running {
    fn start(run: impl FnOnce(&Service) -> Result<(), String> + Send + 'static) -> Self {
        let service = Service::embedded(&ServiceArgs::default());
        let inner = service.clone();
        Self {
            _end: EndOnDrop(service.clone()),
            service,
            task: tokio::task::spawn_blocking(move || run(&inner)),
        }
    }

    async fn stop(self) {
        self.service.shutdown.ask();
        self.task.await.unwrap().unwrap();
    }
}

fn transform(places: &[&str]) -> Running {
    use saltransform::config::{Cli, Command};

    let own = ["saltransform", "run", "--topic", INPUT];
    let Command::Run(args) = Cli::try_parse_from(own.iter().chain(places)).unwrap().command else {
        unreachable!("the line says run")
    };
    let runtime = tokio::runtime::Handle::current();
    Running::start(move |service| {
        let stage = runtime.block_on(async { saltransform::run::Stage::new(&args, service) });
        stage
            .and_then(saltransform::run::Stage::run)
            .map_err(|error| stage::chain(&error))
    })
}

fn sink(places: &[&str], url: &str) -> Running {
    use influxsink::config::{Cli, Command};

    let own = ["influxsink", "run", OUTPUT, "--into", url];
    let parsed = Cli::try_parse_from(own.iter().chain(places)).unwrap();
    let Command::Run(args) = parsed.command else {
        panic!("run is parsed as run")
    };
    let config = args.check().unwrap();
    let runtime = tokio::runtime::Handle::current();
    Running::start(move |service| {
        influxsink::run(&config, service, &runtime).map_err(|error| stage::chain(&error))
    })
}

async fn names_what_is_missing(service: &Service, wanted: &[&str]) {
    until_async("what is missing", TIMEOUT, || {
        let missing = service.readiness.missing();
        let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
        if names == wanted {
            Ok(())
        } else {
            Err(format!("missing {missing:?}, wanted {wanted:?}"))
        }
    })
    .await;
}
