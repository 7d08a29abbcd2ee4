//! What the Overview shows, kept up to date:
//!
//! ```text
//!  operator::stages::Watch ─▶ hub ─▶ course (the last ten minutes and the last hour) ─▶ overview ─▶ pages and event streams
//! ```

mod course;
mod hub;
mod overview;
mod trouble;

pub(crate) use course::Course;
pub(crate) use hub::Hub;
pub(crate) use overview::{GroupView, Overview, Severity, StageKind, StageView};
