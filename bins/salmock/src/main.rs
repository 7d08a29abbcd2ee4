//! salmock's entry point: the command line, and one of two commands.

use std::process::ExitCode;

use clap::CommandFactory;
use salmock::config::{Cli, Command, ProduceArgs};
use stage::config::{DefaultCluster, parse_cli};
use stage::service::{StageProcess, hang_up_with_terminal, run_command};

const NAME: &str = "salmock";

fn main() -> ExitCode {
    if let Some(code) = stage::shell::complete::<Cli>(DefaultCluster::Ignored) {
        return code;
    }
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
        Command::Completions(args) => args.main(Cli::command()),
        Command::Man(args) => args.main(Cli::command()),
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
