//! The pipeline benchmark: `scripts/services` starts real services; this program loads the stages on them,
//! one row after the other, and compares each with a yardstick or a peer in the same run.
//!
//! ```text
//!  template ──▶ kafka ──▶ saltransform ──▶ Kafka ──▶ influxsink ──▶ InfluxDB
//!                 │          │ usage        │ flow      │ usage       ▲
//!                 └──▶ yardstick (a bare loop) ──▶      └──▶ endpoint ┘
//! ```

mod arrivals;
mod bench;
mod config;
mod endpoint;
mod failure;
mod flow;
mod kafka;
mod metrics;
mod process;
mod provenance;
mod report;
mod rows;
mod schemas;
mod sender;
mod services;
mod template;
mod turns;
mod usage;
mod yardstick;

use std::process::ExitCode;

use clap::Parser;
use stage::service::wait_for_signal;

use crate::config::{Cli, RunArgs, Yardstick};
use crate::failure::{Failure, Outcome};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.yardstick {
        Some(Yardstick::Carry(args)) => yardstick::carry(args),
        Some(Yardstick::Post(args)) => yardstick::post(args).await,
        // If it is dropped early, a run ends the processes that it started.
        None => tokio::select! {
            result = run(&cli.run) => result,
            () = wait_for_signal() => Err(Failure::Unexpected("ended by a signal".to_owned())),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench-pipeline: {}", stage::chain(&failure));
            ExitCode::from(2)
        }
    }
}

async fn run(args: &RunArgs) -> Outcome<()> {
    let bench = bench::Bench::open(args)?;
    let mut sections = Vec::new();
    for row in &args.rows {
        let section = rows::measure(*row, &bench).await?;
        section.print();
        sections.push(section);
    }
    report::write(args, &sections)
}
