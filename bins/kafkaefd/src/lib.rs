//! kafkaefd: the command of the observatory's telemetry operator. One module a sub-command, over what they share: how
//! they speak ([`screen`]), how they fail ([`failure`]) and the cluster that they talk to ([`cluster`]).

pub mod admin;
pub mod cli;
pub mod cluster;
pub mod dead_letters;
pub mod demo;
pub mod failure;
pub mod hello;
pub mod inject;
pub mod messages;
pub mod order;
pub mod produce;
pub mod registry;
mod resolution;
pub mod salschema;
pub mod screen;
pub mod shell;
pub mod tail;
