//! Writing, the last step of the data flow. A [`Destination`] accepts lines and returns a [`WriteResult`];
//! [`deliver`](Delivery::deliver) acts on it until every point of a batch is written, a dead letter, or given up at the
//! end of the process (then its offset is not committed, and the next process reads it again).

mod answer;
mod create;
mod credentials;
mod deliver;
mod exchange;
mod http;
mod suspects;

pub use credentials::{Credentials, CredentialsError, SecretSource};
pub use deliver::{Delivery, Ended, Outcomes};
pub use exchange::Place;
pub use http::{InfluxSetupError, InfluxTarget, InfluxWriter};

use bytes::Bytes;

use crate::sqlite::SqliteWriter;
use crate::write_result::WriteResult;

/// Where points go. Each writer thread has a clone.
#[derive(Clone, Debug)]
pub enum Destination {
    /// An InfluxDB, over HTTP.
    Influx(InfluxWriter),
    /// A SQLite file.
    Sqlite(SqliteWriter),
}

impl Destination {
    /// Writes whole lines, in one request or one transaction. Blocks until it is answered.
    pub fn write(&self, lines: Bytes) -> WriteResult {
        match self {
            Destination::Influx(influx) => influx.write(lines),
            Destination::Sqlite(sqlite) => sqlite.write(&lines),
        }
    }
}
