//! kafkaefd: the command of the observatory's telemetry operator. One module a sub-command, over what they share: how
//! they speak ([`screen`]), how they fail ([`failure`]) and the cluster that they talk to ([`cluster`]).

pub mod admin;
pub mod cluster;
pub mod demo;
pub mod failure;
pub mod groups;
pub mod latency;
pub mod load;
pub mod salschema;
pub mod screen;
pub mod top;
