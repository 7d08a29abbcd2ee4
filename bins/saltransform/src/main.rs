//! saltransform's table of contents: command line, logging, then one of its three works.

use std::process::ExitCode;

use saltransform::config::{Cli, Command, RunArgs};
use saltransform::run::Stage;
use saltransform::{check, init};
use stage::config::{EXIT_USAGE, parse_cli};
use stage::service::{Service, init_logging};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match parse_cli::<Cli>() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    match cli.command {
        Command::Init(args) => init::main(&args).await,
        Command::Check(args) => check::main(&args),
        Command::Run(args) => run(*args).await,
    }
}

async fn run(args: RunArgs) -> ExitCode {
    let _logging = match init_logging(&args.service) {
        Ok(logging) => logging,
        Err(error) => {
            stage::stderr_line!("saltransform: {}", stage::chain(&error));
            return ExitCode::from(EXIT_USAGE);
        }
    };
    // The port opens only after the whole configuration has been checked.
    let mut service = Service::embedded(&args.service);
    let stage = match Stage::new(&args, &service) {
        Ok(stage) => stage,
        Err(error) => {
            tracing::error!(error = %stage::chain(&error), "wrong configuration");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if let Err(error) = service.open(&args.service).await {
        tracing::error!(error = %stage::chain(&error), "cannot start");
        return ExitCode::FAILURE;
    }
    let result = tokio::task::spawn_blocking(move || stage.run()).await;
    match result {
        Ok(Ok(())) if service.shutdown.has_failed() => ExitCode::FAILURE,
        Ok(Ok(())) if service.shutdown.given_up() => {
            tracing::warn!("stopped at the drain's deadline; what was not acknowledged is read again");
            ExitCode::FAILURE
        }
        Ok(Ok(())) => {
            tracing::info!("stopped; everything that was read is acknowledged");
            ExitCode::SUCCESS
        }
        Ok(Err(error)) => {
            tracing::error!(error = %stage::chain(&error), "stopped");
            ExitCode::FAILURE
        }
        Err(panic) => {
            tracing::error!(error = %panic, "stopped by a fault of its own");
            ExitCode::FAILURE
        }
    }
}
