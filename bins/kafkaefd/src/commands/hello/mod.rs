//! `kafkaefd helloworld` and `helloavro`: the first five minutes with a new broker and a new registry. Whether they work
//! is seen before any telemetry comes.
//!
//! ```text
//! args ─▶ topic (made if missing) ─▶ send: where each message went
//!                                └─▶ tail: what comes, until it is enough
//! ```

mod avro;
mod record;
mod send;
mod tail;
mod topic;
mod world;

pub use avro::HelloAvroCommand;
pub use world::HelloWorldCommand;
