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
//! - When workers are full, or more than the allowed bytes are in flight, the loop first waits. If that lasts, it
//!   pauses the partitions and keeps polling, so that the group membership is kept however long downstream is
//!   unavailable.
//! - A revoked partition is drained first, for a limited time; then its offset is committed and it is released.
//! - The start of a partition is decided when it is assigned (`initial_offsets.rs`). What retention deleted before it
//!   was read is counted, and a recreated topic is read from its beginning.
//! - A stage that produces in transactions returns its producer from [`WorkerFactory::transaction`]. Offsets are then
//!   committed within the transactions, by a separate thread (`transaction.rs`), and after an abort the consumer seeks
//!   back.

mod age;
mod assigned;
mod assignment;
mod blocked;
mod commit_thread_handle;
mod commits;
mod context;
mod dispatch;
mod ends;
mod error;
mod expression;
mod gate;
mod generations;
mod initial_offsets;
mod lag;
mod options;
mod partition;
mod poll;
mod retention;
mod settings;
mod stalls;
mod time_range;
mod topic_ids;
mod transaction;
mod transactional_producer;
mod vitals;
mod worker;

pub use error::{IntakeError, WorkerError};
pub use gate::{Gate, Pass};
pub use generations::{Remake, run_generations};
pub use options::{IntakeOptions, Topics};
pub use partition::Receipt;
pub use poll::Intake;
pub use time_range::TimeRange;
pub use transaction::TransactionalSink;
pub use transactional_producer::{TransactionalProducer, transaction_failure};
pub use worker::{Consumed, Worker, WorkerFactory};
