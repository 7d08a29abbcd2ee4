//! The rows, one file per group: what is started, what is measured, and the targets.

mod age;
mod peers;
mod rolls;
mod scaling;
mod sustained;
mod topics;
mod transform;

use sal::avro::Options;
use schema_dir::SchemaDir;

use crate::bench::Bench;
use crate::config::Row;
use crate::failure::{Doing, Outcome};
use crate::report::Section;

/// The topics of salmock in the rows that run the whole pipeline.
const TOPICS: usize = 100;

/// Measures a group of rows.
pub(crate) async fn measure(row: Row, bench: &Bench) -> Outcome<Section> {
    match row {
        Row::Transform => transform::measure(bench).await,
        Row::Age => age::measure(bench).await,
        Row::Topics => topics::measure(bench).await,
        Row::Scaling => scaling::measure(bench).await,
        Row::Rolls => rolls::measure(bench).await,
        Row::Peers => peers::measure(bench).await,
        Row::Sustained => sustained::measure(bench).await,
    }
}

/// The components of the topics that salmock sends, which are the first ones in alphabetical order.
fn subsystems(bench: &Bench) -> Outcome<Vec<String>> {
    let dir = SchemaDir::read(&bench.args.schemas).doing("read the schemas")?;
    let found = dir.schemas(&Options::default());
    let topics = found.schemas.iter().take(TOPICS);
    let mut names: Vec<String> = topics.map(|schema| schema.topic.component().to_owned()).collect();
    names.dedup();
    Ok(names)
}
