//! `kafkaefd admin connectors`: manages the connectors of Kafka Connect, including the InfluxDB sink of 2019.

mod create;
mod influxdb_sink;
mod status;

use clap::{Args, Subcommand};

use crate::commands::connect::ConnectLoginArgs;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Consent, note, plural};
use operator::connectors::{Change, Changed, Connect, without_secrets};
use operator::failure::Failure;
use stage::address::Address;

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
    #[command(flatten)]
    login: ConnectLoginArgs,
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
        Connect::new(self.login.settings(self.kafka_connect.clone())?)
    }
}

fn print_changed(changed: &Changed, answer: AnswerArgs) -> Result<(), Failure> {
    answer.print(changed, || format!("{} {}", changed.result, changed.connector))?;
    Ok(())
}
