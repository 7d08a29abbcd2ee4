//! `kafkaefd demo`: the whole pipeline in one process, from SAL text to points that can be queried.
//!
//! ```text
//!  salmock ─text─▶ Kafka ─▶ saltransform ─Avro─▶ Kafka ─▶ influxsink ─▶ SQLite (or InfluxDB)
//!                  └──────── embedded, unless --broker ────────┘
//! ```
//! `services` starts the embedded broker and registry, `stages` the three stages, `console` the web page; `metrics` samples their metrics,
//! `reconciliation` checks that the counts add up, `store` reads the database back, and `screen` prints.

mod console;
pub(crate) mod metrics;
mod reconciliation;
mod screen;
mod services;
mod stages;
mod store;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use salmock::config::DEFAULT_PERIOD;
use stage::config::defaults::{COMMAND_LOG_LEVEL, INFLUXDB_DATABASE};
use stage::config::{EXIT_USAGE, ServiceArgs, seconds};
use stage::service::{Shutdown, init_logging};
use stage::stdout::StdoutError;

use reconciliation::Reconciliation;
use screen::Screen;
use services::{Services, ServicesError};
use stages::{Stages, StagesError};
use store::{Store, StoreError};

/// How long the stages may take to process the last messages.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long messages flow at least, however long the start takes; less with a smaller `--seconds`.
const MIN_FLOW_DURATION: Duration = Duration::from_secs(2);
/// The time from Ctrl-C to the account of every record: settling, and the drain of both stages.
const STOP_TIMEOUT: Duration = Duration::from_secs(80);

// Unlike everywhere else, the addresses of services have no environment variables here: an operator's shell may have
// BROKER set to the observatory's, and a demo must not send mock data there by accident. Their ids differ from those of other
// commands for the same reason: no named cluster gives them values.
/// Run the whole pipeline embedded: mock SAL, Kafka, a schema registry, both stages, and a database to query
#[derive(Args, Debug, Clone)]
#[command(after_help = "Examples:\n\n  kafkaefd demo --seconds 10\n  \
    kafkaefd demo --broker localhost:9092 --schema-registry http://localhost:8081 --influxdb http://localhost:8086\n\n\
    The token of an InfluxDB is read from the environment variable INFLUXDB_TOKEN.")]
pub struct DemoArgs {
    /// Stop after N seconds [default: at Ctrl-C]
    #[arg(long, env = "SECONDS_TO_RUN", value_name = "N", value_parser = seconds)]
    pub seconds: Option<Duration>,

    /// Number of SAL topics to mock
    #[arg(long, env = "MAX_TOPICS", default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=200))]
    pub topics: u16,

    /// Seconds between the messages of a topic
    #[arg(long, env = "PERIOD", default_value = DEFAULT_PERIOD, value_name = "S", value_parser = seconds)]
    pub period: Duration,

    /// Port of the web page on 127.0.0.1; 0 takes a free one [default: 8088, or a free one]
    #[arg(long, env = "CONSOLE_PORT", value_name = "PORT")]
    pub port: Option<u16>,

    /// Print only the result, as one JSON object on stdout
    #[arg(long)]
    pub json: bool,

    /// Kafka to use instead of the embedded broker
    #[arg(long = "broker", id = "demo_broker", value_name = "HOST:PORT")]
    pub broker: Option<String>,

    /// Schema registry to use instead of the embedded one
    #[arg(long = "schema-registry", id = "demo_schema_registry", value_name = "URL")]
    pub schema_registry: Option<String>,

    /// InfluxDB 2 to use instead of SQLite; its token comes from INFLUXDB_TOKEN
    #[arg(long, value_name = "URL")]
    pub influxdb: Option<String>,

    /// Organisation in InfluxDB
    #[arg(long, default_value = INFLUXDB_DATABASE, value_name = "NAME")]
    pub influxdb_org: String,

    /// Bucket in InfluxDB
    #[arg(long, default_value = INFLUXDB_DATABASE, value_name = "NAME")]
    pub influxdb_bucket: String,

    /// File for the SQLite database [default: a new file in the system's temporary folder]
    #[arg(long, env = "DATABASE", value_name = "FILE", conflicts_with = "influxdb")]
    pub database: Option<PathBuf>,

    /// error, warn, info, debug, trace, or a filter such as info,librdkafka=debug; logs go to stderr
    #[arg(long, env = "LOG_LEVEL", default_value = COMMAND_LOG_LEVEL, value_name = "FILTER")]
    pub log_level: String,
}

/// The demo failed.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("cannot write to the database {path}")]
    Database {
        path: String,
        #[source]
        source: rusqlite::Error,
    },
    #[error(transparent)]
    Kafka(#[from] stage::config::KafkaConfigError),
    #[error(transparent)]
    Services(#[from] ServicesError),
    #[error(transparent)]
    Stages(#[from] StagesError),
    #[error("cannot read the database back")]
    Store(#[from] StoreError),
    #[error("cannot serve the web page")]
    Page(#[from] std::io::Error),
    #[error("cannot serve the web page")]
    Console(#[from] operator::failure::Failure),
    #[error(transparent)]
    Output(#[from] StdoutError),
}

impl DemoError {
    /// As [`crate::exit`] lists them.
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Database { .. } | Self::Kafka(_) => EXIT_USAGE.into(),
            Self::Services(error) => error.exit_code(),
            _ => ExitCode::FAILURE,
        }
    }
}

impl DemoArgs {
    /// Exits with 0 only if the counts add up and every record is in the database.
    pub(crate) async fn run(self) -> ExitCode {
        let _logging = match init_logging(&service_args(&self.log_level)) {
            Ok(logging) => logging,
            Err(error) => {
                stage::stderr_line!("kafkaefd demo: {}", stage::chain(&error));
                return EXIT_USAGE.into();
            }
        };
        match demo(&self).await {
            Ok(reconciliation) if reconciliation.adds_up() => ExitCode::SUCCESS,
            Ok(_) => ExitCode::FAILURE,
            Err(error) => {
                stage::stderr_line!("kafkaefd demo: {}", stage::chain(&error));
                error.exit_code()
            }
        }
    }
}

impl DemoArgs {
    /// Checks what the flags name before anything starts.
    fn check(&self) -> Result<(), DemoError> {
        if let Some(broker) = &self.broker {
            stage::config::KafkaArgs::at(broker).client_config(&[])?;
        }
        let Some(path) = &self.database else {
            return Ok(());
        };
        influxsink::sqlite::check_path(path).map_err(|source| DemoError::Database {
            path: path.display().to_string(),
            source,
        })
    }
}

fn service_args(log_level: &str) -> ServiceArgs {
    ServiceArgs {
        log_level: log_level.to_owned(),
        ..ServiceArgs::default()
    }
}

async fn demo(args: &DemoArgs) -> Result<Reconciliation, DemoError> {
    let stop = Shutdown::of_command(STOP_TIMEOUT);
    args.check()?;
    let launched = Instant::now();
    let mut screen = Screen::new(args.json);
    let page = console::listen(args.port).await?;
    screen.page(&format!("http://{}/", page.local_addr()?));
    let services = Services::start(args, &mut screen).await?;
    let store = Store::of(services.written.clone(), &services.schemas);
    let stages = Stages::start(args, &services, &mut screen).await?;
    console::serve(&services, &stages.metrics, page, &stop)?;
    screen.started(args);
    stages.wait_until_flowing(&stop).await;

    let start = Instant::now();
    // The time that the start took is part of what was asked for, except for the least that shows anything.
    let limit = args.seconds.map(|limit| {
        let least = limit.min(MIN_FLOW_DURATION);
        limit.saturating_sub(launched.elapsed()).max(least)
    });
    let mut last = stages.sample();
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.tick().await;
    while !stop.is_set() && !stages.any_failed() && limit.is_none_or(|limit| start.elapsed() < limit) {
        let left = limit.map_or(Duration::MAX, |limit| limit.saturating_sub(start.elapsed()));
        tokio::select! {
            _ = tick.tick() => {
                let now = stages.sample();
                screen.live(&last, &now);
                last = now;
            }
            () = stop.wait() => {}
            () = tokio::time::sleep(left), if limit.is_some() => {}
        }
    }
    screen.stopping();
    let produced = stages.stop_producing().await?;
    let stopped = Instant::now();
    while !stages.sample().has_processed(produced)
        && !stages.any_failed()
        && stopped.elapsed() < SETTLE_TIMEOUT
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let end = stages.stop().await?;
    let reconciliation = Reconciliation::new(
        produced,
        end,
        store.count().await?,
        store.last_values().await?,
        start.elapsed(),
    );
    screen.finished(&reconciliation, &store)?;
    Ok(reconciliation)
}
