//! The database that influxsink writes to, by its address: `sqlite:FILE`, or an InfluxDB of either API.

use std::path::PathBuf;
use std::time::Duration;

use stage::tls;

use super::influxdb_v1::{self, NamedDatabase};
use super::influxdb_v2::{self, Bucket};
use super::series::{Quantity, Series, TimeRange};
use super::sqlite;
use crate::failure::Failure;

/// How long a query may take: somebody waits.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the database is.
#[derive(Debug, Clone)]
pub enum DatabaseAddress {
    /// A file of influxsink's `sqlite:`.
    Sqlite(PathBuf),
    /// InfluxDB 2, asked in Flux.
    InfluxdbV2(Bucket),
    /// InfluxDB 1, asked in InfluxQL.
    InfluxdbV1(NamedDatabase),
}

/// A database that can be asked.
#[derive(Debug, Clone)]
pub struct Database {
    address: DatabaseAddress,
    client: reqwest::Client,
}

impl Database {
    /// Checks the address; sends no request yet. `ca_file` holds the authorities that sign an InfluxDB's certificate.
    pub fn new(address: DatabaseAddress, ca_file: Option<PathBuf>) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::Usage(format!("the database cannot be asked: {why}"));
        let url = match &address {
            DatabaseAddress::Sqlite(_) => None,
            DatabaseAddress::InfluxdbV2(bucket) => Some(&bucket.url),
            DatabaseAddress::InfluxdbV1(database) => Some(&database.url),
        };
        if let Some(url) = url {
            let text = url.reveal();
            let parsed = reqwest::Url::parse(text).map_err(|error| wrong(error.to_string()))?;
            if !matches!(parsed.scheme(), "http" | "https") {
                return Err(wrong(
                    "expected an address such as http://localhost:8086".to_owned(),
                ));
            }
            if !parsed.username().is_empty() || parsed.password().is_some() {
                return Err(wrong(
                    "its address holds a user or password, which process lists show".to_owned(),
                ));
            }
        }
        let client = tls::trusting(reqwest::Client::builder(), ca_file.as_deref())
            .map_err(|error| wrong(stage::chain(&error)))?
            .timeout(QUERY_TIMEOUT)
            .no_proxy()
            .build()
            .map_err(|error| wrong(stage::chain(&error)))?;
        Ok(Self { address, client })
    }

    /// What it is called where people read it, without secrets.
    pub fn name(&self) -> String {
        match &self.address {
            DatabaseAddress::Sqlite(path) => format!("SQLite {}", path.display()),
            DatabaseAddress::InfluxdbV2(to) => format!("InfluxDB {}, bucket {}", to.url, to.bucket),
            DatabaseAddress::InfluxdbV1(to) => format!("InfluxDB {}, database {}", to.url, to.database),
        }
    }

    /// The values of a field; if there are more than `most`, the mean, least and most of stretches. Nothing is not an error:
    /// a measurement begins with its first point.
    pub async fn series(&self, of: &Quantity, range: TimeRange, most: usize) -> Result<Series, Failure> {
        match &self.address {
            DatabaseAddress::Sqlite(path) => {
                let (path, of) = (path.clone(), of.clone());
                let query = tokio::task::spawn_blocking(move || sqlite::series(&path, &of, range, most));
                query.await.unwrap_or(Err(Failure::Cancelled))
            }
            DatabaseAddress::InfluxdbV2(to) => influxdb_v2::series(&self.client, to, of, range, most).await,
            DatabaseAddress::InfluxdbV1(to) => influxdb_v1::series(&self.client, to, of, range, most).await,
        }
    }
}
