//! `kafkaefd console`: serves the web page of an operator, until it is asked to end.

mod database;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderName;
use clap::Args;
use console::{Access, Console, Settings};
use operator::failure::Failure;
use stage::address::Address;
use stage::config::{KafkaArgs, RegistryArgs, Secret, ServiceArgs, seconds};
use stage::service::{Service, init_logging};
use tokio::net::TcpListener;

use crate::commands::DEFAULT_INTERVAL;
use crate::commands::connect::ConnectLoginArgs;
use crate::exit::Done;
use database::DatabaseArgs;

/// Serve a web page of the pipeline: live state, telemetry plotted, topics, groups, schemas and dead letters
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Nothing can be changed unless --token-file or --user-header is given.\n\n\
                  Example: kafkaefd console --broker localhost:9092 --schema-registry http://localhost:8081 \
                  --metrics localhost:9464 --metrics localhost:9465 --influxdb http://localhost:8086"
)]
pub struct ConsoleArgs {
    /// Port of the page; 0 takes a free one and logs it
    #[arg(long, env = "CONSOLE_PORT", default_value_t = 8088, value_name = "PORT")]
    port: u16,
    /// Address that the port is bound to; in a container, 0.0.0.0
    #[arg(long, env = "CONSOLE_HOST", default_value = "127.0.0.1", value_name = "IP")]
    host: IpAddr,
    /// Address of a stage's metrics, HOST:PORT or a URL, or dns+HOST:PORT for a process at each address of a name; may be
    /// repeated, or a list separated by commas
    #[arg(
        long = "metrics",
        env = "CONSOLE_METRICS",
        value_name = "URL",
        value_delimiter = ','
    )]
    metrics: Vec<String>,
    /// Seconds between two looks at the stages and the brokers
    #[arg(long, default_value = DEFAULT_INTERVAL, value_name = "S", value_parser = seconds)]
    interval: Duration,
    /// File that holds a token: whoever logs in with it may reset offsets and replay dead letters
    #[arg(
        long,
        env = "CONSOLE_TOKEN_FILE",
        value_name = "FILE",
        conflicts_with = "user_header",
        help_heading = "Access"
    )]
    token_file: Option<PathBuf>,
    /// Header in which a proxy names the user it has logged in, who may then reset offsets and replay dead letters; the
    /// port must not be reachable except through that proxy
    #[arg(
        long,
        env = "CONSOLE_USER_HEADER",
        value_name = "NAME",
        help_heading = "Access"
    )]
    user_header: Option<HeaderName>,
    /// Address of Kafka Connect's REST API, for the page of its connectors
    #[arg(
        long,
        env = "KAFKA_CONNECT",
        value_name = "URL",
        hide_env_values = true,
        help_heading = "Kafka Connect"
    )]
    kafka_connect: Option<Address>,
    #[command(flatten)]
    connect_login: ConnectLoginArgs,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    service: ServiceArgs,
}

impl ConsoleArgs {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        let _logging = init_logging(&self.service).map_err(usage)?;
        let address = SocketAddr::new(self.host, self.port);
        let service_args = self.service.clone();
        let mut service = Service::embedded(&service_args);
        let console = Console::new(self.settings()?, service.shutdown.clone())?;
        service.open(&service_args).await.map_err(usage)?;
        let listening = || Failure::io(format!("listening on {address}"));
        let listener = TcpListener::bind(address).await.map_err(listening())?;
        let bound = listener.local_addr().map_err(listening())?;
        tracing::info!(address = %format!("http://{bound}/"), "the console is served");
        console.serve(listener).await;
        tracing::info!("stopped");
        Ok(Done::All)
    }

    fn settings(self) -> Result<Settings, Failure> {
        let access = match (&self.token_file, self.user_header) {
            (Some(path), _) => Access::Token(Secret::from_file(path).map_err(usage)?),
            (None, Some(header)) => Access::UserHeader(header),
            (None, None) => Access::ReadOnly,
        };
        let connect = self.kafka_connect.map(|url| self.connect_login.settings(url));
        Ok(Settings {
            database: self.database.database()?,
            connect: connect.transpose()?,
            kafka: self.kafka,
            registry: self.registry,
            metrics: self.metrics,
            access,
            interval: self.interval,
            is_demo: false,
        })
    }
}

fn usage(error: impl std::error::Error) -> Failure {
    Failure::Usage(stage::chain(&error))
}
