//! A field's values from InfluxDB 1, in InfluxQL.

use std::fmt::Write as _;

use reqwest::Client;
use serde::Deserialize;
use serde_json::Value;
use stage::address::Address;
use stage::config::Secret;

use super::influxdb::{answer, refused};
use super::series::{MAX_NAMES, Point, Quantity, Series, TimeRange};
use crate::failure::Failure;

/// A database of an InfluxDB 1.
#[derive(Debug, Clone)]
pub struct NamedDatabase {
    /// The address of the InfluxDB.
    pub url: Address,
    /// The name.
    pub database: String,
    /// Who asks, where somebody has to log in: the user and the password.
    pub login: Option<(String, Secret)>,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Results>,
}

#[derive(Deserialize)]
struct Results {
    #[serde(default)]
    series: Vec<Table>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Table {
    values: Vec<Vec<Value>>,
}

pub(super) async fn series(
    client: &Client,
    to: &NamedDatabase,
    of: &Quantity,
    range: TimeRange,
    most: usize,
) -> Result<Series, Failure> {
    let field = quoted(&of.field);
    let within = format!(
        "FROM {} WHERE time >= {}u AND time < {}u",
        quoted(&of.measurement),
        range.from,
        range.to
    );
    let counted = ask(client, to, &format!("SELECT count({field}) {within}")).await?;
    let count = counted
        .first()
        .and_then(|row| row.get(1))
        .and_then(Value::as_u64)
        .unwrap_or_default();
    if !of.symbols.is_empty() {
        let newest = format!("SELECT {field} {within} ORDER BY time DESC LIMIT {MAX_NAMES}");
        let rows = ask(client, to, &newest).await?;
        let names: Vec<(i64, String)> = rows.iter().rev().filter_map(|row| name(row)).collect();
        return Ok(Series::of_names(of, &names, count, range, most));
    }
    if count <= most as u64 {
        let rows = ask(client, to, &format!("SELECT {field} {within}")).await?;
        return Ok(Series {
            points: rows.iter().filter_map(|row| single(row)).collect(),
            count,
            ..Series::default()
        });
    }
    let stretch = range.stretch(most);
    let mut query = format!("SELECT mean({field}), min({field}), max({field}) {within}");
    // A `String` can always be written to.
    let _ = write!(query, " GROUP BY time({stretch}u) fill(none)");
    let rows = ask(client, to, &query).await?;
    Ok(Series {
        points: rows.iter().filter_map(|row| several(row)).collect(),
        count,
        stretch: Some(stretch),
        out_of: None,
    })
}

async fn ask(client: &Client, to: &NamedDatabase, query: &str) -> Result<Vec<Vec<Value>>, Failure> {
    let NamedDatabase { url, database, login } = to;
    let base = url.reveal().trim_end_matches('/');
    let parameters = [("db", database.as_str()), ("epoch", "u"), ("q", query)];
    let mut request = client.get(format!("{base}/query")).query(&parameters);
    if let Some((user, password)) = login {
        request = request.basic_auth(user, Some(password.reveal()));
    }
    let text = answer(request, url).await?;
    rows(&text).map_err(|reason| refused(&reason, url))
}

/// The rows of the first table of an answer.
fn rows(text: &str) -> Result<Vec<Vec<Value>>, String> {
    let answer: Answer = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let results = answer.results.into_iter().next();
    let results = results.ok_or("there is no result for the query")?;
    match results.error {
        Some(error) => Err(error),
        None => Ok(results
            .series
            .into_iter()
            .next()
            .map(|table| table.values)
            .unwrap_or_default()),
    }
}

fn number(value: Option<&Value>) -> Option<f64> {
    match value? {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        value => value.as_f64(),
    }
}

fn single(row: &[Value]) -> Option<Point> {
    Some(Point::single(row.first()?.as_i64()?, number(row.get(1))?))
}

fn name(row: &[Value]) -> Option<(i64, String)> {
    Some((row.first()?.as_i64()?, row.get(1)?.as_str()?.to_owned()))
}

fn several(row: &[Value]) -> Option<Point> {
    Some(Point {
        time: row.first()?.as_i64()?,
        value: number(row.get(1))?,
        low: number(row.get(2))?,
        high: number(row.get(3))?,
    })
}

/// A name in InfluxQL: nothing in it ends it.
fn quoted(name: &str) -> String {
    let escaped = name
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let text = r#"{"results":[{"statement_id":0,"series":[{"name":"m","columns":["time","x"],"values":[[1,2.5],[2,null],[3,true]]}]}]}"#;
        let points: Vec<Point> = rows(text).unwrap().iter().filter_map(|row| single(row)).collect();
        assert_eq!(points, [Point::single(1, 2.5), Point::single(3, 1.0)]);
        assert_eq!(rows(r#"{"results":[{"statement_id":0}]}"#), Ok(Vec::new()));
        assert!(rows(r#"{"results":[]}"#).is_err());
        assert_eq!(
            rows(r#"{"results":[{"statement_id":0,"error":"database not found: efd"}]}"#),
            Err("database not found: efd".to_owned())
        );
    }

    #[test]
    fn a_name_stays_a_name() {
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
    }
}
