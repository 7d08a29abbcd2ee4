//! Reads the database back: the number of records and the last values of three telemetry fields.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use operator::telemetry::{Bucket, DatabaseAddress};
use rusqlite::{Connection, OpenFlags};
use sal::name::Kind;
use schema_dir::DirSchema;
use serde_json::Value;

/// How many fields are shown, each of a different component.
const MAX_SHOWN_FIELDS: usize = 3;
/// Every record has this field, so that its count is the number of records.
const FIELD_OF_EVERY_RECORD: &str = "sal_sequence";

/// The database cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("cannot read {path}")]
    Sqlite {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error("cannot query InfluxDB")]
    Http(#[from] reqwest::Error),
    #[error("InfluxDB answered {status}: {body}")]
    Refused { status: u16, body: String },
}

/// A field's newest value.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(super) struct LastValue {
    pub(super) measurement: String,
    pub(super) field: String,
    pub(super) unit: Option<String>,
    /// Microseconds since 1970, UTC.
    pub(super) time_us: i64,
    pub(super) value: f64,
}

/// A measurement and one of its fields.
#[derive(Debug, Clone)]
struct ShownField {
    measurement: String,
    field: String,
    unit: Option<String>,
}

/// The database of this run.
pub(super) struct Store {
    database: DatabaseAddress,
    measurements: Vec<String>,
    fields: Vec<ShownField>,
    since_us: i64,
}

impl Store {
    pub(super) fn of(database: DatabaseAddress, schemas: &[DirSchema]) -> Self {
        let measurements = schemas.iter().map(measurement).collect();
        let mut components = HashSet::new();
        let fields = schemas
            .iter()
            .filter_map(|schema| Some((schema.topic.component(), first_double(schema)?)))
            .filter(|(component, _)| components.insert(*component))
            .map(|(_, field)| field)
            .take(MAX_SHOWN_FIELDS)
            .collect();
        Self {
            database,
            measurements,
            fields,
            since_us: stage::unix_micros(),
        }
    }

    /// A command line that queries a field.
    pub(super) fn how_to_query(&self) -> String {
        let Some(ShownField {
            measurement, field, ..
        }) = self.fields.first()
        else {
            return String::new();
        };
        match &self.database {
            DatabaseAddress::Sqlite(path) => format!(
                "sqlite3 {} 'SELECT datetime(time/1e6, \"unixepoch\"), {field} FROM \"{measurement}\" ORDER BY time DESC LIMIT 5'",
                path.display()
            ),
            DatabaseAddress::InfluxdbV1(_) => String::new(),
            DatabaseAddress::InfluxdbV2(Bucket { bucket, .. }) => format!(
                "influx query 'from(bucket: \"{bucket}\") |> range(start: -1h) |> filter(fn: (r) => \
                 r._measurement == \"{measurement}\" and r._field == \"{field}\") |> last()'"
            ),
        }
    }

    /// The number of records that this run has stored.
    pub(super) async fn count(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        match &self.database {
            DatabaseAddress::Sqlite(path) => {
                let connection = open(path)?;
                let tables = tables(&connection).map_err(|source| sqlite_error(path, source))?;
                for measurement in self.measurements.iter().filter(|m| tables.contains(m)) {
                    let sql = format!(
                        "SELECT count({FIELD_OF_EVERY_RECORD}) FROM {} WHERE time >= ?1",
                        quoted(measurement)
                    );
                    let rows: i64 = connection
                        .query_row(&sql, [self.since_us], |row| row.get(0))
                        .map_err(|source| sqlite_error(path, source))?;
                    count += rows.unsigned_abs();
                }
            }
            DatabaseAddress::InfluxdbV1(_) | DatabaseAddress::InfluxdbV2(_) => {
                let flux = format!("filter(fn: (r) => r._field == \"{FIELD_OF_EVERY_RECORD}\") |> count()");
                for row in self.query(&flux).await? {
                    let is_ours = row
                        .get("_measurement")
                        .is_some_and(|name| self.measurements.contains(name));
                    let rows = row.get("_value").and_then(|value| value.parse::<u64>().ok());
                    count += rows.filter(|_| is_ours).unwrap_or_default();
                }
            }
        }
        Ok(count)
    }

    /// The newest value of each shown field.
    pub(super) async fn last_values(&self) -> Result<Vec<LastValue>, StoreError> {
        let mut values = Vec::new();
        for field in &self.fields {
            let found = match &self.database {
                DatabaseAddress::Sqlite(path) => last_in_sqlite(path, field)?,
                DatabaseAddress::InfluxdbV1(_) | DatabaseAddress::InfluxdbV2(_) => {
                    self.last_in_influx(field).await?
                }
            };
            values.extend(found.map(|(time_us, value)| LastValue {
                measurement: field.measurement.clone(),
                field: field.field.clone(),
                unit: field.unit.clone(),
                time_us,
                value,
            }));
        }
        Ok(values)
    }

    async fn last_in_influx(&self, field: &ShownField) -> Result<Option<(i64, f64)>, StoreError> {
        let flux = format!(
            "filter(fn: (r) => r._measurement == \"{}\" and r._field == \"{}\") |> last() \
             |> map(fn: (r) => ({{r with us: int(v: r._time) / 1000}}))",
            field.measurement, field.field
        );
        let rows = self.query(&flux).await?;
        let read = |row: &HashMap<String, String>| {
            Some((row.get("us")?.parse().ok()?, row.get("_value")?.parse().ok()?))
        };
        Ok(rows.first().and_then(read))
    }

    /// Runs a Flux query on the points of this run and returns its rows by column name. No name or value contains a
    /// comma.
    async fn query(&self, flux: &str) -> Result<Vec<HashMap<String, String>>, StoreError> {
        let DatabaseAddress::InfluxdbV2(Bucket {
            url,
            org,
            bucket,
            token,
        }) = &self.database
        else {
            return Ok(Vec::new());
        };
        let start = self.since_us / 1_000_000;
        let url = url.reveal().trim_end_matches('/');
        let query = format!("from(bucket: \"{bucket}\") |> range(start: {start}) |> {flux}");
        let mut request = reqwest::Client::builder()
            .no_proxy()
            .build()?
            .post(format!("{url}/api/v2/query"))
            .query(&[("org", org)])
            .header("Accept", "application/csv")
            .json(&serde_json::json!({"query": query, "type": "flux"}));
        if let Some(token) = token {
            request = request.header("Authorization", format!("Token {}", token.reveal()));
        }
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.text().await?;
        if !status.is_success() {
            return Err(StoreError::Refused {
                status: status.as_u16(),
                body,
            });
        }
        Ok(csv_rows(&body))
    }
}

/// The rows of CSV without annotations: tables are separated by empty lines, and each begins with its header.
fn csv_rows(body: &str) -> Vec<HashMap<String, String>> {
    let mut rows = Vec::new();
    let mut header: Option<Vec<&str>> = None;
    for line in body.lines().map(str::trim_end) {
        match (&header, line.is_empty()) {
            (_, true) => header = None,
            (None, false) => header = Some(line.split(',').collect()),
            (Some(header), false) => {
                let cells = line.split(',').map(str::to_owned);
                rows.push(header.iter().map(|name| (*name).to_owned()).zip(cells).collect());
            }
        }
    }
    rows
}

fn last_in_sqlite(path: &PathBuf, field: &ShownField) -> Result<Option<(i64, f64)>, StoreError> {
    let connection = open(path)?;
    let column = quoted(&field.field);
    let sql = format!(
        "SELECT time, {column} FROM {} WHERE {column} IS NOT NULL ORDER BY time DESC LIMIT 1",
        quoted(&field.measurement)
    );
    let mut statement = match connection.prepare(&sql) {
        Ok(statement) => statement,
        // The table does not exist before the topic's first message.
        Err(_) => return Ok(None),
    };
    let mut rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(|e| sqlite_error(path, e))?;
    rows.next()
        .transpose()
        .map_err(|source| sqlite_error(path, source))
}

fn open(path: &PathBuf) -> Result<Connection, StoreError> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(|source| sqlite_error(path, source))
}

fn tables(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut statement = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

fn sqlite_error(path: &std::path::Path, source: rusqlite::Error) -> StoreError {
    StoreError::Sqlite {
        path: path.to_owned(),
        source,
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The measurement of a point is the record's full name.
fn measurement(schema: &DirSchema) -> String {
    schema.kafka_topic.clone()
}

/// The first field of type double in a telemetry topic, except timestamps.
fn first_double(schema: &DirSchema) -> Option<ShownField> {
    if schema.kind != Kind::Telemetry {
        return None;
    }
    let record: Value = serde_json::from_str(&schema.text).ok()?;
    let is_wanted = |field: &&Value| {
        let name = field.get("name").and_then(Value::as_str).unwrap_or_default();
        field.get("type").and_then(Value::as_str) == Some("double")
            && !name.to_lowercase().contains("timestamp")
    };
    let field = record.get("fields")?.as_array()?.iter().find(is_wanted)?;
    Some(ShownField {
        measurement: measurement(schema),
        field: field.get("name")?.as_str()?.to_owned(),
        unit: field.get("sal_units").and_then(Value::as_str).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_csv_table_has_its_own_header() {
        let rows = csv_rows(",result,_value\r\n,_result,7\r\n\r\n,result,us\r\n,_result,9\r\n");
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0]["_value"], "7");
        assert_eq!(rows[1]["us"], "9");
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }
}
