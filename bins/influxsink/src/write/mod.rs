//! Writing: the last step of the data's way. A [`Destination`] takes lines and gives an [`Answer`];
//! [`deliver`](Delivery::deliver) does what the answer asks for, until every point of a batch has a fate:
//! written, dead-lettered, or given up at the end of the process (then its offset is not committed, and the
//! next process reads it again).

mod answer;
mod deliver;
mod group;
mod http;
mod suspects;
mod token;

pub use answer::Answer;
pub use deliver::{Delivery, Ended, Fates};
pub(crate) use group::Group;
pub use http::{InfluxSetupError, InfluxTarget, InfluxWriter, Place};
pub use token::{Token, TokenError};

use bytes::Bytes;

use crate::sqlite::SqliteWriter;

/// Where points go. Each writer thread has a clone.
#[derive(Clone, Debug)]
pub enum Destination {
    /// An InfluxDB, over HTTP.
    Influx(InfluxWriter),
    /// A SQLite file.
    Sqlite(SqliteWriter),
}

impl Destination {
    /// Writes whole lines, in one request or one transaction. Blocks until it has been answered.
    pub fn write(&self, lines: Bytes) -> Answer {
        match self {
            Destination::Influx(influx) => influx.write(lines),
            Destination::Sqlite(sqlite) => sqlite.write(&lines),
        }
    }
}
