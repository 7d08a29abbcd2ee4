//! A field's values from InfluxDB 2, in Flux. Answers are CSV: tables separated by empty lines, each with its header.

use reqwest::Client;
use serde_json::json;
use stage::address::Address;
use stage::config::Secret;

use super::influxdb::answer;
use super::series::{MAX_NAMES, Point, Quantity, Series, TimeRange};
use crate::failure::Failure;

/// A bucket of an InfluxDB 2.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// The address of the InfluxDB.
    pub url: Address,
    /// The organisation.
    pub org: String,
    /// The name.
    pub bucket: String,
    /// A token that may read it.
    pub token: Option<Secret>,
}

pub(super) async fn series(
    client: &Client,
    to: &Bucket,
    of: &Quantity,
    range: TimeRange,
    most: usize,
) -> Result<Series, Failure> {
    let data = format!(
        "data = from(bucket: {}) |> range(start: time(v: {}), stop: time(v: {})) \
         |> filter(fn: (r) => r._measurement == {} and r._field == {})\n",
        quoted(&to.bucket),
        nanos(range.from),
        nanos(range.to),
        quoted(&of.measurement),
        quoted(&of.field)
    );
    let counted = ask(
        client,
        to,
        format!("{data}data |> count() |> group() |> sum() |> keep(columns: [\"_value\"])"),
    )
    .await?;
    let count = column(&counted, "_value")
        .first()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0_u64);
    if count == 0 {
        return Ok(Series::default());
    }
    if !of.symbols.is_empty() {
        let query = format!(
            "{data}data |> group() |> sort(columns: [\"_time\"], desc: true) |> limit(n: {MAX_NAMES}) \
             |> map(fn: (r) => ({{t: int(v: r._time) / 1000, v: string(v: r._value)}})) |> sort(columns: [\"t\"])"
        );
        let text = ask(client, to, query).await?;
        let times = column(&text, "t")
            .into_iter()
            .filter_map(|time| time.parse().ok());
        let names: Vec<(i64, String)> = times.zip(column(&text, "v")).collect();
        return Ok(Series::of_names(of, &names, count, range, most));
    }
    let as_row = "map(fn: (r) => ({t: int(v: r._time) / 1000, v: float(v: r._value)}))";
    if count <= most as u64 {
        let query = format!("{data}data |> group() |> {as_row} |> sort(columns: [\"t\"])");
        let text = ask(client, to, query).await?;
        let times = column(&text, "t");
        let values = column(&text, "v");
        let point =
            |(time, value): (&String, &String)| Some(Point::single(time.parse().ok()?, value.parse().ok()?));
        return Ok(Series {
            points: times.iter().zip(&values).filter_map(point).collect(),
            count,
            ..Series::default()
        });
    }
    let stretch = range.stretch(most);
    let of_each = |function: &str, column: &str| {
        format!(
            "{column} = data |> group() |> toFloat() |> aggregateWindow(every: {stretch}us, fn: {function}, \
             createEmpty: false, timeSrc: \"_start\") |> {as_row} |> map(fn: (r) => ({{t: r.t, what: \"{column}\", v: r.v}}))\n"
        )
    };
    let query = format!(
        "{data}{}{}{}union(tables: [value, low, high]) |> group() |> sort(columns: [\"t\", \"what\"])",
        of_each("mean", "value"),
        of_each("min", "low"),
        of_each("max", "high")
    );
    let text = ask(client, to, query).await?;
    Ok(Series {
        points: stretches(&text),
        count,
        stretch: Some(stretch),
        out_of: None,
    })
}

async fn ask(client: &Client, to: &Bucket, query: String) -> Result<String, Failure> {
    let Bucket { url, org, token, .. } = to;
    let base = url.reveal().trim_end_matches('/');
    let mut request = client
        .post(format!("{base}/api/v2/query"))
        .query(&[("org", org)])
        .header("Accept", "application/csv")
        .json(&json!({"query": query, "type": "flux"}));
    if let Some(token) = token {
        request = request.header("Authorization", format!("Token {}", token.reveal()));
    }
    answer(request, url).await
}

/// The three rows of each time, in the order high, low, value.
fn stretches(text: &str) -> Vec<Point> {
    let (times, values) = (column(text, "t"), column(text, "v"));
    let times: Vec<i64> = times.iter().filter_map(|time| time.parse().ok()).collect();
    let values: Vec<f64> = values.iter().filter_map(|value| value.parse().ok()).collect();
    let of_one = |(times, values): (&[i64], &[f64])| match (times, values) {
        ([time, ..], [high, low, value]) => Some(Point {
            time: *time,
            value: *value,
            low: *low,
            high: *high,
        }),
        _ => None,
    };
    times.chunks(3).zip(values.chunks(3)).filter_map(of_one).collect()
}

/// A column of all tables. Cells hold numbers and our own words, so that none is quoted.
fn column(text: &str, name: &str) -> Vec<String> {
    let (mut found, mut place, mut is_header) = (Vec::new(), None, true);
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() {
            is_header = true;
        } else if std::mem::take(&mut is_header) {
            place = line.split(',').position(|cell| cell == name);
        } else if let Some(cell) = place.and_then(|place| line.split(',').nth(place)) {
            found.push(cell.to_owned());
        }
    }
    found
}

fn nanos(micros: i64) -> i64 {
    micros.saturating_mul(1_000)
}

/// A text in Flux: nothing in it ends it, and `${` begins no expression.
fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace("${", "\\${")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read() {
        let text = ",result,table,t,what,v\r\n,_result,0,5,high,3\r\n,_result,0,5,low,1\r\n,_result,0,5,value,2\r\n\r\n";
        let point = Point {
            time: 5,
            value: 2.0,
            low: 1.0,
            high: 3.0,
        };
        assert_eq!(stretches(text), [point]);
        assert!(stretches("").is_empty());
    }

    #[test]
    fn a_text_stays_a_text() {
        assert_eq!(quoted(r#"a"b\${c}"#), r#""a\"b\\\${c}""#);
    }
}
