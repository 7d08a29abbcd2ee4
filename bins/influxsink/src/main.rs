//! influxsink's table of contents: the command line, and its one command.

use std::process::ExitCode;

use influxsink::config::{Cli, Command, RunArgs};
use stage::config::parse_cli;
use stage::service::{Ending, StageProcess};

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
    let process = StageProcess {
        name: "influxsink",
        args: &args.service,
        finished: "everything that was read is written",
        unfinished: "what was not written is read again",
    };
    process.run(
        |_| {
            let config = args.check()?;
            config.check_files().map(|()| config)
        },
        |config, service, runtime| {
            influxsink::run(&config, service, runtime).map(|()| Ending::of(&service.shutdown))
        },
    )
}
