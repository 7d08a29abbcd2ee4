//! The entry point of kafkaefd: parse the flags, run the sub-command, return its exit code.

use std::process::ExitCode;

use kafkaefd::cli::Cli;
use kafkaefd::habits::translated;
use kafkaefd::legacy_flags::in_order;
use stage::config::{DefaultCluster, parse_cli_from};
use stage::service::{hang_up_with_terminal, keep_little_memory};

fn main() -> ExitCode {
    if let Some(code) = stage::shell::complete::<Cli>(DefaultCluster::Used) {
        return code;
    }
    let cli = match parse_cli_from::<Cli>(translated(in_order(std::env::args_os())), DefaultCluster::Used) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    hang_up_with_terminal();
    keep_little_memory();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            stage::stderr_line!("kafkaefd: {}", stage::chain(&error));
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(cli.run())
}
