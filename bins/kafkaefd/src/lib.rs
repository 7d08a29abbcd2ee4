//! kafkaefd: the command of the observatory's telemetry operator. One module a sub-command, over what they share: how
//! they speak ([`terminal`]), how they fail ([`failure`]) and the cluster that they talk to ([`cluster`]).

pub mod admin;
pub mod cli;
pub mod cluster;
mod compatibility;
pub mod completions;
pub mod dead_letters;
#[cfg(feature = "demo")]
pub mod demo;
pub mod failure;
pub mod groups;
pub mod hello;
mod histogram;
pub mod inject;
pub mod latency;
pub mod legacy_flags;
pub mod load;
pub mod messages;
pub mod produce;
pub mod registry;
pub mod salschema;
pub mod tail;
pub mod terminal;
pub mod top;
