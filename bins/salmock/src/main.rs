//! salmock's entry point: the command line, and one of two commands.

use std::process::ExitCode;

use salmock::config::{Cli, Command, ProduceArgs};
use stage::config::parse_cli;
use stage::service::{StageProcess, hang_up_with_terminal, run_command};

const NAME: &str = "salmock";

fn main() -> ExitCode {
    let cli = match parse_cli::<Cli>() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    match cli.command {
        Command::Produce(args) => produce(&args),
        Command::Consume(args) => {
            hang_up_with_terminal();
            run_command(NAME, salmock::consume::main(&args))
        }
    }
}

fn produce(args: &ProduceArgs) -> ExitCode {
    let process = StageProcess {
        name: NAME,
        args: &args.service,
        finished: "everything that was sent is acknowledged",
        unfinished: "what was not acknowledged counts as failed",
    };
    process.run(
        |_| args.check(),
        |config, service, runtime| {
            let report = runtime.block_on(salmock::produce(&config, service))?;
            Ok::<_, salmock::ProduceError>(report.ending(&service.shutdown))
        },
    )
}
