//! `kafkaefd admin`: topics and brokers of the cluster, connectors of Kafka Connect.

mod brokers;
mod connectors;
mod topics;

use clap::{Args, Subcommand};

use crate::exit::Done;
pub use brokers::BrokersArgs;
pub use connectors::ConnectorsCommand;
use operator::failure::Failure;
pub use topics::TopicsCommand;

/// Manage topics and connectors, and list brokers; `admin` itself may be left out
#[derive(Args, Debug, Clone)]
pub struct AdminCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug, Clone)]
enum Action {
    Topics(TopicsCommand),
    Brokers(BrokersArgs),
    Connectors(ConnectorsCommand),
}

impl AdminCommand {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        match self.action {
            Action::Topics(command) => command.run().await,
            Action::Brokers(args) => args.run().await,
            Action::Connectors(command) => command.run().await,
        }
    }
}
