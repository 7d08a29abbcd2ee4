//! The fault harness: `scripts/services` starts a real cluster, which is broken here again and again while
//! data flows, and every record is accounted for.
//!
//! ```text
//!  traffic ──▶ Kafka ──▶ saltransform ×2 ──▶ Kafka ──▶ influxsink ×2 ──▶ InfluxDB
//!     │          ▲            │ proxy              ▲         │ proxy        ▲ proxy, answers
//!     │        faults ────────┴────────────────────┴─────────┴──────────────┘
//!     ▼                       audit reads records and dead letters     database is asked
//!   ledger ◀──────────────────────────┴─────────────────────────────────────┘
//! ```

mod answers;
mod audit;
mod check;
mod claims;
mod cluster;
mod config;
mod database;
mod evidence;
mod failure;
mod faults;
mod in_front;
mod instance;
mod kind;
mod ledger;
mod lines;
mod metrics;
mod proxy;
mod registry;
mod registry_answers;
mod replica;
mod report;
mod report_files;
mod run;
mod schedule;
mod sender;
mod signal;
mod stuck;
mod traffic;
mod undisturbed;
mod world;

use std::process::ExitCode;

use clap::Parser;
use stage::service::wait_for_signal;

use crate::config::Args;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    // If it is dropped early, a run ends the processes that it started.
    let report = tokio::select! {
        report = run::run(&args) => report,
        () = wait_for_signal() => Err(failure::Failure::Unexpected("ended by a signal".to_owned())),
    };
    let written = match report {
        Ok(report) => report.write(&args).map(|()| report.is_clean()),
        Err(failure) => Err(failure),
    };
    match written {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("faults: {}", stage::chain(&failure));
            ExitCode::from(2)
        }
    }
}
