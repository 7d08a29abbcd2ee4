//! `kafkaefd helloworld` and `helloavro`: check that a new broker and a new registry work before telemetry arrives.
//!
//! ```text
//! args ─▶ topic (created if missing) ─▶ round trip: both, with a verdict
//!                                   ├─▶ send: prints where each message went
//!                                   └─▶ tail: prints messages until a limit, the end or Ctrl-C
//! ```

mod avro;
mod record;
mod round_trip;
mod send;
mod tail;
mod topic;
mod world;

pub use avro::HelloAvroCommand;
pub use world::HelloWorldCommand;
