//! The command line: all sub-commands, and how each one ends.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use stage::config::ClusterArgs;
use stage::shell::{CompletionsArgs, ManArgs};

use crate::commands::admin::{AdminCommand, BrokersArgs, ConnectorsCommand, TopicsCommand};
use crate::commands::clusters::ClustersArgs;
use crate::commands::console::ConsoleArgs;
use crate::commands::dead_letters::DeadLettersCommand;
use crate::commands::groups::GroupsCommand;
use crate::commands::hello::{HelloAvroCommand, HelloWorldCommand};
use crate::commands::inject::InjectArgs;
use crate::commands::k8s::K8sCommand;
use crate::commands::latency::LatencyArgs;
use crate::commands::load::LoadArgs;
use crate::commands::produce::ProduceArgs;
use crate::commands::registry::RegistryCommand;
use crate::commands::salschema::SalschemaCommand;
use crate::commands::tail::TailArgs;
use crate::commands::top::TopArgs;
#[cfg(feature = "demo")]
use crate::demo::DemoArgs;
use crate::exit::end;

/// The command-line tool of the observatory's telemetry operators
#[derive(Parser, Debug)]
#[command(
    version,
    about,
    after_help = "Exit codes: 0 everything was done; 1 something was refused, not found or left out, or the answer could not \
                  be written; 2 not confirmed; 64 invalid flags; 69 a service is unreachable or refuses access.\n\n\
                  Example: kafkaefd admin topics list --broker localhost:9092"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    clusters: ClusterArgs,
}

// `--help` lists them in this order: the pipeline, messages, the cluster, schemas, deployment, load, checks.
#[derive(Subcommand, Debug)]
enum Command {
    #[cfg(feature = "demo")]
    Demo(DemoArgs),
    Console(Box<ConsoleArgs>),
    Top(TopArgs),
    Latency(LatencyArgs),
    Tail(Box<TailArgs>),
    Produce(Box<ProduceArgs>),
    Inject(Box<InjectArgs>),
    DeadLetters(DeadLettersCommand),
    Groups(GroupsCommand),
    Topics(TopicsCommand),
    Brokers(BrokersArgs),
    Connectors(ConnectorsCommand),
    Admin(AdminCommand),
    Clusters(ClustersArgs),
    Registry(RegistryCommand),
    Salschema(SalschemaCommand),
    K8s(K8sCommand),
    Load(LoadArgs),
    #[command(name = "helloworld")]
    HelloWorld(HelloWorldCommand),
    #[command(name = "helloavro")]
    HelloAvro(HelloAvroCommand),
    #[command(
        after_help = "Names of topics, groups and clusters are completed as well, from the brokers that the line names so far.\n\n\
                      Example: kafkaefd completions bash > ~/.local/share/bash-completion/completions/kafkaefd"
    )]
    Completions(CompletionsArgs),
    #[command(after_help = "Examples:\n\n  kafkaefd man | man -l -\n  kafkaefd man ~/.local/share/man/man1")]
    Man(ManArgs),
}

impl Cli {
    /// Runs the sub-command and returns its exit code.
    pub async fn run(self) -> ExitCode {
        match self.command {
            #[cfg(feature = "demo")]
            Command::Demo(args) => args.run().await,
            Command::Console(args) => end(args.run().await),
            Command::Top(args) => end(args.run().await),
            Command::Latency(args) => end(args.run().await),
            Command::Tail(args) => end(args.run().await),
            Command::Produce(args) => end(args.run().await),
            Command::Inject(args) => end(args.run().await),
            Command::DeadLetters(command) => end(command.run().await),
            Command::Groups(command) => end(command.run().await),
            Command::Topics(command) => end(command.run().await),
            Command::Brokers(args) => end(args.run().await),
            Command::Connectors(command) => end(command.run().await),
            Command::Admin(command) => end(command.run().await),
            Command::Clusters(args) => end(args.run(&self.clusters)),
            Command::Registry(command) => end(command.run().await),
            Command::Salschema(command) => end(command.run().await),
            Command::K8s(command) => end(command.run()),
            Command::Load(args) => end(args.run().await),
            Command::HelloWorld(command) => end(command.run().await),
            Command::HelloAvro(command) => end(command.run().await),
            Command::Completions(args) => args.main(Self::command()),
            Command::Man(args) => args.main(Self::command()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command_has_an_example() {
        fn check(command: &clap::Command, path: &str) {
            let below: Vec<_> = command.get_subcommands().collect();
            for sub in &below {
                check(sub, &format!("{path} {}", sub.get_name()));
            }
            if below.is_empty() {
                let help = command
                    .get_after_help()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                assert!(help.contains("Example"), "{path} has no example");
                assert!(
                    help.contains("kafkaefd "),
                    "{path}: the example is not a command line"
                );
            }
        }
        check(&Cli::command(), "kafkaefd");
    }
}
