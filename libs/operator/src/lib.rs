//! What an operator can ask of the Kafka cluster, the schema registry and the stages: typed answers, nothing printed.
//! The command line shows them; any other face, such as a web console, can show the same.
//!
//! What a question costs depends on the brokers and the groups, not on the number of topics (`tests/many_topics.rs`). Only the
//! versions and compatibility levels of subjects take a request for each, as registries have none for all.

pub mod ask;
pub mod brokers;
pub mod cancel;
pub mod cluster;
pub mod connectors;
pub mod dead_letters;
pub mod failure;
pub mod groups;
pub mod histogram;
pub mod inject;
pub mod latency;
pub mod load;
pub mod messages;
pub mod outcome;
pub mod overlays;
pub mod progress;
pub mod stages;
pub mod subjects;
pub mod telemetry;
pub mod topics;

pub use stage::text;
