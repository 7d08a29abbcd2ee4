//! The stages under test, run in this process through the same functions that their binaries call.

use std::path::Path;
use std::thread::JoinHandle;

use clap::Parser;
use stage::config::{KafkaArgs, RegistryArgs, ServiceArgs};
use stage::intake::Topics;
use stage::service::Service;
use tokio::runtime::Handle;

use super::{Services, until};

/// A running stage; stopped when dropped.
pub(crate) struct Stage {
    service: Service,
    thread: Option<JoinHandle<Result<(), String>>>,
}

impl Stage {
    fn start(run: impl FnOnce(&Service) -> Result<(), String> + Send + 'static) -> Self {
        let service = Service::embedded(&ServiceArgs::default());
        let inner = service.clone();
        Self {
            service,
            thread: Some(std::thread::spawn(move || run(&inner))),
        }
    }

    /// The sum of a counter over its labels.
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.service.count(name)
    }

    /// Waits until a sink has written as many records, each counted once for every database.
    pub(crate) fn wait_until_written(&self, records: u64) {
        until(&format!("{records} records are written"), 60, || {
            match self.count("influxsink_written_total") {
                written if written == records => Ok(()),
                _ => Err(self.state()),
            }
        });
    }

    /// All counters and gauges that are not zero, and what the stage waits for: for the message of a failing
    /// test.
    pub(crate) fn state(&self) -> String {
        let families = self.service.metrics.gather();
        let values = families.iter().flat_map(|family| {
            family.get_metric().iter().map(move |metric| {
                let labels: Vec<_> = metric.get_label().iter().map(|label| label.value()).collect();
                let value = metric.get_counter().get_value() + metric.get_gauge().get_value();
                (value != 0.0).then(|| format!("{}{labels:?} {value}", family.name()))
            })
        });
        let values: Vec<_> = values.flatten().collect();
        format!(
            "metrics {values:?}, waiting for {:?}",
            self.service.readiness.missing()
        )
    }

    /// Stops the stage like SIGTERM and fails if it does not end cleanly.
    pub(crate) fn stop(mut self) {
        self.service.shutdown.ask();
        let ended = self
            .thread
            .take()
            .unwrap()
            .join()
            .expect("the stage does not panic");
        assert_eq!(ended, Ok(()));
        assert!(
            !self.service.shutdown.has_failed() && !self.service.shutdown.given_up(),
            "the stage left work behind"
        );
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.service.shutdown.ask();
    }
}

/// Runs `saltransform init` with these flags.
pub(crate) async fn saltransform_init(services: &Services, flags: &[&str]) {
    use saltransform::config::{Cli, Command};

    let Command::Init(args) = Cli::try_parse_from(line(services, &["saltransform", "init"], flags))
        .unwrap()
        .command
    else {
        unreachable!("the line says init")
    };
    saltransform::init::prepare(&args)
        .await
        .map_err(|error| stage::chain(&error))
        .unwrap();
}

/// Starts `saltransform run` with these flags.
pub(crate) fn saltransform(services: &Services, flags: &[&str]) -> Stage {
    use saltransform::config::{Cli, Command};

    let Command::Run(args) = Cli::try_parse_from(line(services, &["saltransform", "run"], flags))
        .unwrap()
        .command
    else {
        unreachable!("the line says run")
    };
    let runtime = Handle::current();
    Stage::start(move |service| {
        let stage = runtime.block_on(async { saltransform::run::Stage::new(&args, service) });
        stage
            .and_then(saltransform::run::Stage::run)
            .map_err(|error| stage::chain(&error))
    })
}

/// Runs `salmock produce` with these flags to its end; returns the number of acknowledged messages.
pub(crate) async fn salmock(services: &Services, flags: &[&str]) -> u64 {
    use salmock::config::{Cli, Command};

    let Command::Produce(args) = Cli::try_parse_from(line(services, &["salmock", "produce"], flags))
        .unwrap()
        .command
    else {
        unreachable!("the line says produce")
    };
    let service = Service::embedded(&ServiceArgs::default());
    let report = salmock::produce(&args.check().unwrap(), &service).await;
    let report = report.map_err(|error| stage::chain(&error)).unwrap();
    assert_eq!(report.failed, 0, "{report:?}");
    report.produced
}

/// Parses a command line as a person would type it, with the services' addresses.
fn line<'a>(services: &'a Services, command: &[&'a str], flags: &[&'a str]) -> Vec<&'a str> {
    let places = [
        "--broker",
        services.get("BROKER"),
        "--schema-registry",
        services.get("SCHEMAREGISTRY"),
    ];
    command.iter().chain(&places).chain(flags).copied().collect()
}

fn kafka(services: &Services) -> KafkaArgs {
    KafkaArgs::at(services.get("BROKER"))
}

fn registry(services: &Services) -> RegistryArgs {
    RegistryArgs::at(services.get("SCHEMAREGISTRY"))
}

/// The destination of a sink.
pub(crate) enum Database<'a> {
    /// InfluxDB 2: a bucket, and the file with the token.
    Influx2(&'a str, &'a Path),
    /// InfluxDB 1, through its own `/write`: a database.
    Influx1(&'a str),
}

/// Starts influxsink with these flags, as a person would type them.
pub(crate) fn influxsink_with(services: &Services, flags: &[&str]) -> Stage {
    influxsink_at(&line(services, &["influxsink", "run"], flags))
}

/// The same into a database of InfluxDB 1, through its own API.
pub(crate) fn influxsink_into_v1(services: &Services, database: &str, flags: &[&str]) -> Stage {
    let url = services.get("INFLUXDB1");
    let place = ["--into", url, "--api", "v1", "--database", database];
    influxsink_with(services, &[&place[..], flags].concat())
}

/// Starts influxsink with this command line.
pub(crate) fn influxsink_at(line: &[&str]) -> Stage {
    use influxsink::config::{Cli, Command};

    let Command::Run(args) = Cli::try_parse_from(line).unwrap().command else {
        panic!("run is parsed as run")
    };
    let config = args.check().unwrap();
    let runtime = Handle::current();
    Stage::start(move |service| {
        influxsink::run(&config, service, &runtime).map_err(|error| stage::chain(&error))
    })
}

/// Starts influxsink on all matching topics.
pub(crate) fn influxsink(services: &Services, group: &str, topics: &str, to: &Database<'_>) -> Stage {
    use influxsink::config::{Api, RunArgs};

    let topics = Topics::Matching(topics.to_owned());
    let url = services.get(match to {
        Database::Influx2(..) => "INFLUXDB",
        Database::Influx1(_) => "INFLUXDB1",
    });
    let mut args = RunArgs::new(
        topics,
        url,
        kafka(services),
        registry(services),
        ServiceArgs::default(),
    );
    args.group = group.to_owned();
    match to {
        Database::Influx2(bucket, token) => {
            args.databases.org = vec![services.get("INFLUXDB_ORG").to_owned()];
            args.databases.bucket = vec![(*bucket).to_owned()];
            args.databases.token_file = vec![(*token).to_owned()];
        }
        Database::Influx1(database) => {
            args.databases.api = vec![Api::V1];
            args.databases.database = vec![(*database).to_owned()];
        }
    }
    let config = args.check().unwrap();
    let runtime = Handle::current();
    Stage::start(move |service| {
        influxsink::run(&config, service, &runtime).map_err(|error| stage::chain(&error))
    })
}
