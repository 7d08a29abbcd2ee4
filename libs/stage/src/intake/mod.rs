//! The consumer loop that saltransform and influxsink share: from librdkafka to the lanes, and offsets back.
//!
//! ```text
//!                 poll thread                    lane threads (a partition always goes to the same one)
//!  librdkafka ──▶ Taken, noted in the board ──▶  ≤ 8 batches ──▶ Lane::take … downstream … Receipt::finish
//!      ▲                                                                                        │
//!      └──── commit of each partition's finished prefix, once a second and before a revoke ◀────┘
//! ```
//!
//! - Payloads are not copied: a [`Taken`] borrows librdkafka's message until downstream has it.
//! - When lanes are full, or more than the allowed bytes are in flight, the loop first waits; if that lasts it
//!   pauses the partitions and goes on polling, so that the group membership is kept however long downstream is away.
//! - A partition that is revoked is drained first (bounded), then its offset is committed, then it is given up.
//! - Where a partition starts is decided when it is assigned (`start.rs`). What retention deleted before it was read is
//!   counted, and a topic that was made anew is read from its beginning.
//! - A stage that produces in transactions says so ([`LaneFactory::transaction`]): then offsets are committed within
//!   them, by a thread of their own (`transaction.rs`), and after an aborted one the consumer seeks back.

mod anew;
mod assigned;
mod blocked;
mod board;
mod commits;
mod context;
mod deal;
mod error;
mod expression;
mod gate;
mod lag;
mod lane;
mod options;
mod poll;
mod range;
mod retention;
mod settings;
mod start;
mod topic_ids;
mod transaction;
mod vitals;

pub use anew::run_generations;
pub use board::Receipt;
pub use error::IntakeError;
pub use gate::{Gate, Pass};
pub use lane::{Lane, LaneError, LaneFactory, Taken};
pub use options::{IntakeOptions, Topics};
pub use poll::Intake;
pub use range::TimeRange;
pub use transaction::{TransactionalOutlet, TransactionalProducer};
