//! kafkaefd: the command of the observatory's telemetry operator. One module a sub-command.

pub mod demo;
pub mod salschema;
