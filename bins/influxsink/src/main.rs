//! influxsink's table of contents: the command line, and its one command.

use std::process::ExitCode;

use clap::CommandFactory;
use influxsink::config::{Cli, Command, RunArgs};
use stage::config::{DefaultCluster, parse_cli};
use stage::service::{Ending, StageProcess};

fn main() -> ExitCode {
    if let Some(code) = stage::shell::complete::<Cli>(DefaultCluster::Ignored) {
        return code;
    }
    let cli = match parse_cli::<Cli>() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    match cli.command {
        Command::Run(args) => run(&args),
        Command::Completions(args) => args.main(Cli::command()),
        Command::Man(args) => args.main(Cli::command()),
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
