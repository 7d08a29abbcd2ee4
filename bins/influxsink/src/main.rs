//! influxsink's table of contents: read the flags, check all of them, open the port, run, say how it ended.

use std::process::ExitCode;

use influxsink::config::{Cli, Command, RunArgs};
use stage::config::{EXIT_USAGE, parse_cli};
use stage::service::{Service, init_logging};

fn main() -> ExitCode {
    let cli = match parse_cli::<Cli>() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    match cli.command {
        Command::Run(args) => run(&args),
    }
}

fn run(args: &RunArgs) -> ExitCode {
    let config = match args.check() {
        Ok(config) => config,
        Err(error) => return wrong(&error),
    };
    let _logging = match init_logging(&args.service) {
        Ok(logging) => logging,
        Err(error) => return wrong(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let service = match runtime.block_on(Service::start(&args.service)) {
        Ok(service) => service,
        Err(error) => return failed(&error),
    };
    match influxsink::run(&config, &service, runtime.handle()) {
        Err(error) => failed(&error),
        Ok(()) if service.shutdown.has_failed() => ExitCode::FAILURE,
        Ok(()) if service.shutdown.given_up() => {
            tracing::warn!("stopped at the drain's deadline; what was not written is read again");
            ExitCode::FAILURE
        }
        Ok(()) => {
            tracing::info!("stopped; everything that was read is written");
            ExitCode::SUCCESS
        }
    }
}

fn wrong(error: &dyn std::error::Error) -> ExitCode {
    stage::stderr_line!("influxsink: {}", stage::chain(error));
    EXIT_USAGE.into()
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    tracing::error!(error = stage::chain(error), "sink cannot go on");
    ExitCode::FAILURE
}
