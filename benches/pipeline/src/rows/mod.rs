//! The rows, one file per group: what is started, what is measured, and the targets.

mod age;
mod console;
mod flat;
mod idle;
mod peers;
mod rolls;
mod scaling;
mod sustained;
mod topics;
mod transform;
mod whole;

use crate::bench::Bench;
use crate::config::Row;
use crate::failure::Outcome;
use crate::report::Section;

/// Measures a group of rows.
pub(crate) async fn measure(row: Row, bench: &Bench) -> Outcome<Section> {
    match row {
        Row::Transform => transform::measure(bench).await,
        Row::Age => age::measure(bench).await,
        Row::Topics => topics::measure(bench).await,
        Row::Console => console::measure(bench).await,
        Row::Scaling => scaling::measure(bench).await,
        Row::Flat => flat::measure(bench).await,
        Row::Idle => idle::measure(bench).await,
        Row::Rolls => rolls::measure(bench).await,
        Row::Peers => peers::measure(bench).await,
        Row::Sustained => sustained::measure(bench).await,
    }
}
