//! The messages that the stages could not process: which there are, why, and how they return to their topics.
//!
//! ```text
//!  <group>.dead-letter ─▶ selection ─▶ dead letter ─┬▶ list, newest, survey
//!                                                   └▶ plan ─▶ replay ─▶ the original topic
//!                                                                 └────▶ <group>.dead-letter.replayed   in one transaction
//! ```
//! [`plan()`] changes nothing; [`replay()`] does what a plan says, so that a person can confirm it in between.

mod dead_letter;
mod deduplication;
mod lineage;
mod list;
mod newest;
mod original;
mod plan;
mod replay;
mod replay_log;
mod replay_transaction;
mod replayed;
mod selection;
mod survey;
mod unmatched;

pub use dead_letter::{DeadLetter, Omitted, Origin};
pub use list::{Row, list};
pub use newest::{Newest, Shown, newest};
pub use plan::{Plan, Route, plan};
pub use replay::{Step, replay};
pub use replayed::{Refused, Replayed};
pub use selection::{STAGES, Selection};
pub use survey::{Survey, survey};
pub use unmatched::unmatched;

use std::time::Duration;

/// How long one look for a message may take: how soon a question ends that is no longer wanted.
const POLL_TIMEOUT: Duration = Duration::from_millis(500);
