//! `kafkaefd admin connectors`: manages the connectors of Kafka Connect, including the InfluxDB sink of 2019.

mod create;
mod influxdb_sink;
mod status;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::exit::Done;
use crate::terminal::{AnswerArgs, Consent, note, plural};
use operator::connectors::{Change, Changed, Connect, ConnectSettings, without_secrets};
use operator::failure::Failure;
use stage::address::Address;
use stage::config::Secret;

/// List, create, inspect, control and delete connectors of Kafka Connect
#[derive(Args, Debug, Clone)]
#[command(visible_alias = "connector")]
pub struct ConnectorsCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug, Clone)]
enum Action {
    /// List all connectors and their states
    #[command(
        visible_alias = "ls",
        after_help = "Example: kafkaefd admin connectors list --kafka-connect http://localhost:8083"
    )]
    List(AllArgs),
    Create(create::CreateArgs),
    /// Show the state of a connector and its tasks, and why one failed
    #[command(
        visible_alias = "describe",
        after_help = "Example: kafkaefd admin connectors status influxdb-sink"
    )]
    Status(OneArgs),
    /// Show a connector's configuration, without its secrets
    #[command(after_help = "Example: kafkaefd admin connectors config influxdb-sink")]
    Config(OneArgs),
    /// Restart a connector and its tasks
    #[command(after_help = "Example: kafkaefd admin connectors restart influxdb-sink")]
    Restart(OneArgs),
    /// Pause a connector: it keeps its tasks but processes nothing
    #[command(after_help = "Example: kafkaefd admin connectors pause influxdb-sink")]
    Pause(OneArgs),
    /// Resume a paused connector
    #[command(after_help = "Example: kafkaefd admin connectors resume influxdb-sink")]
    Resume(OneArgs),
    #[command(visible_alias = "rm")]
    Delete(DeleteArgs),
}

#[derive(Args, Debug, Clone)]
struct AllArgs {
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Args, Debug, Clone)]
struct OneArgs {
    /// Name of the connector
    name: String,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Delete a connector and its configuration
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd admin connectors delete influxdb-sink --yes")]
struct DeleteArgs {
    /// Name of the connector
    name: String,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Kafka Connect")]
struct ConnectArgs {
    /// Address of Kafka Connect's REST API
    #[arg(
        long,
        env = "KAFKA_CONNECT",
        default_value = "http://localhost:8083",
        value_name = "URL",
        hide_env_values = true
    )]
    kafka_connect: Address,
    /// User for basic authentication; its password comes from --kafka-connect-password-file or KAFKA_CONNECT_PASSWORD
    #[arg(long, env = "KAFKA_CONNECT_USER", value_name = "NAME")]
    kafka_connect_user: Option<String>,
    /// File that holds that user's password
    #[arg(long, env = "KAFKA_CONNECT_PASSWORD_FILE", value_name = "FILE")]
    kafka_connect_password_file: Option<PathBuf>,
    /// PEM file of the certificate authorities to trust instead of the system's
    #[arg(long, env = "KAFKA_CONNECT_CA_FILE", value_name = "FILE")]
    kafka_connect_ca_file: Option<PathBuf>,
}

impl ConnectorsCommand {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        match self.action {
            Action::List(args) => {
                let states = args.connect.client()?.states().await?;
                args.answer.print(&states, || status::list(&states))?;
                if !args.answer.json {
                    note(&plural(states.len(), "connector"));
                }
            }
            Action::Create(args) => return args.run().await,
            Action::Status(args) => {
                let state = args.connect.client()?.state(&args.name).await?;
                args.answer.print(&state, || status::one(&state))?;
                if state.has_failed() {
                    return Ok(Done::Partly);
                }
            }
            Action::Config(args) => {
                let config = without_secrets(&args.connect.client()?.config(&args.name).await?);
                args.answer.print(&config, || status::config(&config))?;
            }
            Action::Restart(args) => args.change(Change::Restart).await?,
            Action::Pause(args) => args.change(Change::Pause).await?,
            Action::Resume(args) => args.change(Change::Resume).await?,
            Action::Delete(args) => {
                let connect = args.connect.client()?;
                let state = connect.state(&args.name).await?;
                args.consent.ask(&format!(
                    "delete the connector {} ({})",
                    state.name,
                    state.state()
                ))?;
                print_changed(&connect.delete(&args.name).await?, args.answer)?;
            }
        }
        Ok(Done::All)
    }
}

impl OneArgs {
    async fn change(&self, change: Change) -> Result<(), Failure> {
        let changed = self.connect.client()?.change(&self.name, change).await?;
        print_changed(&changed, self.answer)
    }
}

impl ConnectArgs {
    fn client(&self) -> Result<Connect, Failure> {
        let password = match &self.kafka_connect_password_file {
            Some(path) => {
                Some(Secret::from_file(path).map_err(|error| Failure::Usage(stage::chain(&error)))?)
            }
            None => std::env::var("KAFKA_CONNECT_PASSWORD").ok().map(Secret::new),
        };
        Connect::new(ConnectSettings {
            url: self.kafka_connect.clone(),
            login: self.kafka_connect_user.clone().map(|user| (user, password)),
            ca_file: self.kafka_connect_ca_file.clone(),
        })
    }
}

fn print_changed(changed: &Changed, answer: AnswerArgs) -> Result<(), Failure> {
    answer.print(changed, || format!("{} {}", changed.result, changed.connector))?;
    Ok(())
}
