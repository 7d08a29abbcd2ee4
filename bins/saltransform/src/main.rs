//! saltransform's table of contents: the command line, and one of three commands.

use std::process::ExitCode;

use clap::CommandFactory;
use saltransform::config::{Cli, Command, RunArgs};
use saltransform::run::Stage;
use saltransform::{check, init};
use stage::config::{DefaultCluster, parse_cli};
use stage::service::{Ending, StageProcess, run_command};

const NAME: &str = "saltransform";

fn main() -> ExitCode {
    if let Some(code) = stage::shell::complete::<Cli>(DefaultCluster::Ignored) {
        return code;
    }
    let cli = match parse_cli::<Cli>() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    match cli.command {
        Command::Init(args) => run_command(NAME, init::main(&args)),
        Command::Check(args) => run_command(NAME, check::main(&args)),
        Command::Run(args) => run(&args),
        Command::Completions(args) => args.main(Cli::command()),
        Command::Man(args) => args.main(Cli::command()),
    }
}

fn run(args: &RunArgs) -> ExitCode {
    let process = StageProcess {
        name: NAME,
        args: &args.service,
        finished: "everything that was read is acknowledged",
        unfinished: "what was not acknowledged is read again",
    };
    process.run(
        |service| Stage::new(args, service),
        |stage, service, _| stage.run().map(|()| Ending::of(&service.shutdown)),
    )
}
