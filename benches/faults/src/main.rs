//! The faults' table of contents: a real cluster is started by `scripts/services`, broken here again and again while data
//! flows, and every record is accounted for.
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
mod cluster;
mod config;
mod database;
mod failure;
mod faults;
mod instance;
mod ledger;
mod lines;
mod metrics;
mod proxy;
mod registry;
mod replica;
mod report;
mod run;
mod signal;
mod traffic;
mod world;

use std::process::ExitCode;

use clap::Parser;

use crate::config::Args;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    // Dropped in the middle, a run ends the processes that it started.
    let report = tokio::select! {
        report = run::run(&args) => report,
        () = asked_to_end() => Err(failure::Failure::Unexpected("ended by a signal".to_owned())),
    };
    let written = match report {
        Ok(report) => report.write(&args).map(|()| report.is_clean()),
        Err(failure) => Err(failure),
    };
    match written {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("faults: {}", pipeline::chain(&failure));
            ExitCode::from(2)
        }
    }
}

async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
