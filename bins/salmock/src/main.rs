//! salmock's entry point: parses and checks the flags, opens the port, runs, and reports how it ended.

use std::process::ExitCode;

use salmock::config::{Cli, Command, ConsumeArgs, ProduceArgs};
use stage::config::{EXIT_USAGE, ServiceArgs, parse_cli};
use stage::service::{Service, Shutdown, init_logging};

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
        Err(error) => return failed(&error),
    };
    match cli.command {
        Command::Produce(args) => runtime.block_on(produce(&args)),
        Command::Consume(args) => runtime.block_on(consume(&args)),
    }
}

async fn produce(args: &ProduceArgs) -> ExitCode {
    let config = match args.check() {
        Ok(config) => config,
        Err(error) => return wrong(&error),
    };
    let _logging = match init_logging(&args.service) {
        Ok(logging) => logging,
        Err(error) => return wrong(&error),
    };
    let service = match Service::start(&args.service).await {
        Ok(service) => service,
        Err(error) => return failed(&error),
    };
    match salmock::produce(&config, &service).await {
        Err(error) => failed(&error),
        Ok(report) if report.failed > 0 || service.shutdown.has_failed() => ExitCode::FAILURE,
        Ok(_) => ExitCode::SUCCESS,
    }
}

async fn consume(args: &ConsumeArgs) -> ExitCode {
    let service = ServiceArgs {
        log_level: args.log_level.clone(),
        ..ServiceArgs::default()
    };
    let _logging = match init_logging(&service) {
        Ok(logging) => logging,
        Err(error) => return wrong(&error),
    };
    let shutdown = Shutdown::new(service.drain_timeout);
    shutdown.ask_on_signals();
    shutdown.end_process_after_deadline();
    match salmock::consume(args, &mut std::io::stdout(), &shutdown).await {
        Err(error) => failed(&error),
        Ok(_) => ExitCode::SUCCESS,
    }
}

fn wrong(error: &dyn std::error::Error) -> ExitCode {
    stage::stderr_line!("salmock: {}", stage::chain(error));
    EXIT_USAGE.into()
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    tracing::error!(error = stage::chain(error), "salmock failed");
    ExitCode::FAILURE
}
