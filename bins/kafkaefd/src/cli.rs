//! The whole command line: every sub-command, and how each ends.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::admin::AdminCommand;
use crate::demo::DemoArgs;
use crate::failure::{Done, Failure};
use crate::salschema::SalschemaCommand;

/// The command of the observatory's telemetry operator
#[derive(Parser, Debug)]
#[command(
    version,
    about,
    after_help = "Exit codes: 0 all was done; 1 something was refused, not found or left out; 2 not confirmed; 64 wrong \
                  flags; 69 a service cannot be reached.\n\n\
                  Example: kafkaefd admin topics list --broker localhost:9092"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Admin(AdminCommand),
    #[command(after_help = "Example: kafkaefd salschema convert --xml-dir schemas --print --subsystem Test")]
    Salschema(SalschemaCommand),
    Demo(DemoArgs),
}

impl Cli {
    /// Runs the sub-command.
    pub async fn run(self) -> ExitCode {
        match self.command {
            Command::Admin(command) => end(command.run().await),
            Command::Salschema(command) => command.run().await,
            Command::Demo(args) => args.run().await,
        }
    }
}

fn end(result: Result<Done, Failure>) -> ExitCode {
    match result {
        Ok(done) => done.into(),
        Err(failure) => {
            failure.print();
            failure.exit_code()
        }
    }
}
