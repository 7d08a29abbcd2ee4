//! The sink's tests, along the data flow: records against apache-avro's own encoder, lines against an independent
//! parser, deliveries against a faulty InfluxDB, SQLite files, and all of it together with an embedded broker and
//! registry.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

mod decode;
mod delivery;
mod end_to_end;
mod in_flight;
mod json;
mod letters;
mod line;
mod outputs;
mod overwrites;
mod points;
mod registry;
mod sqlite;
mod stack;
