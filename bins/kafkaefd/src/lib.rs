//! kafkaefd: the command of the observatory's telemetry operator. What can be asked is the library [`operator`]; here is
//! the command line ([`cli`]), one module a sub-command ([`commands`]), and what they share: how they print ([`terminal`]) and
//! how they end ([`exit`]).

pub mod cli;
pub mod commands;
#[cfg(feature = "demo")]
pub mod demo;
pub mod exit;
pub mod legacy_flags;
pub mod terminal;
