//! kafkaefd's table of contents: read the flags, run the sub-command, say how it ended.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use kafkaefd::admin::AdminCommand;
use kafkaefd::demo::DemoArgs;
use kafkaefd::failure::{Done, Failure};
use kafkaefd::groups::GroupsCommand;
use kafkaefd::latency::LatencyArgs;
use kafkaefd::load::LoadArgs;
use kafkaefd::salschema::SalschemaCommand;
use kafkaefd::top::TopArgs;
use pipeline::config::parse_cli;

/// The command of the observatory's telemetry operator
#[derive(Parser, Debug)]
#[command(
    version,
    about,
    after_help = "Exit codes: 0 all was done; 1 something was refused, not found or left out; 2 not confirmed; 64 wrong \
                  flags; 69 a service cannot be reached.\n\n\
                  Example: kafkaefd admin topics list --broker localhost:9092"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Admin(AdminCommand),
    Groups(GroupsCommand),
    Load(LoadArgs),
    Latency(LatencyArgs),
    Top(TopArgs),
    #[command(after_help = "Example: kafkaefd salschema convert --xml-dir schemas --print --subsystem Test")]
    Salschema(SalschemaCommand),
    Demo(DemoArgs),
}

fn main() -> ExitCode {
    let cli = match parse_cli::<Cli>() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("kafkaefd: {}", pipeline::chain(&error));
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        match cli.command {
            Command::Admin(command) => end(command.run().await),
            Command::Groups(command) => end(command.run().await),
            Command::Load(args) => end(args.run().await),
            Command::Latency(args) => end(args.run().await),
            Command::Top(args) => end(args.run().await),
            Command::Salschema(command) => command.run().await,
            Command::Demo(args) => args.run().await,
        }
    })
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
