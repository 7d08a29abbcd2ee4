//! kafkaefd: the command-line tool of the observatory's telemetry operators. The library [`operator`] answers their
//! questions; this crate holds the command line ([`cli`]), one module per sub-command ([`commands`]), output
//! ([`terminal`]) and exit codes ([`exit`]).

pub mod cli;
pub mod commands;
#[cfg(feature = "demo")]
pub mod demo;
pub mod exit;
pub mod habits;
pub mod legacy_flags;
pub mod terminal;
