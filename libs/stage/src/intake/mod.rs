//! The consumer loop that saltransform and influxsink share: from librdkafka to the workers, and offsets back.
//!
//! ```text
//!                 poll thread                    worker threads (a partition always goes to the same one)
//!  librdkafka ──▶ Consumed, noted in the assignments ──▶  ≤ 8 batches ──▶ Worker::take … downstream … Receipt::finish
//!      ▲                                                                                        │
//!      └──── commit of each partition's finished prefix, once a second and before a revoke ◀────┘
//! ```
//!
//! - Payloads are not copied: a [`Consumed`] borrows librdkafka's message until downstream has it.
//! - When workers are full, or more than the allowed bytes are in flight, the loop first waits; if that lasts it
//!   pauses the partitions and goes on polling, so that the group membership is kept however long downstream is away.
//! - A partition that is revoked is drained first (bounded), then its offset is committed, then it is given up.
//! - Where a partition starts is decided when it is assigned (`start.rs`). What retention deleted before it was read is
//!   counted, and a topic that was made anew is read from its beginning.
//! - A stage that produces in transactions says so ([`WorkerFactory::transaction`]): then offsets are committed within
//!   them, by a thread of their own (`transaction.rs`), and after an aborted one the consumer seeks back.

mod anew;
mod assigned;
mod assignment;
mod blocked;
mod commit_thread;
mod commits;
mod context;
mod dispatch;
mod error;
mod expression;
mod gate;
mod initial_offsets;
mod lag;
mod options;
mod poll;
mod retention;
mod settings;
mod time_range;
mod topic_ids;
mod transaction;
mod vitals;
mod worker;

pub use anew::{Remake, run_generations};
pub use assignment::Receipt;
pub use error::IntakeError;
pub use gate::{Gate, Pass};
pub use options::{IntakeOptions, Topics};
pub use poll::Intake;
pub use time_range::TimeRange;
pub use transaction::{TransactionalProducer, TransactionalSink};
pub use worker::{Consumed, Worker, WorkerError, WorkerFactory};
