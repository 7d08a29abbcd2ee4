//! InfluxDB as the judge: queried with Flux, bypassing all proxies, for the sequence number of every point.

use std::time::Duration;

use serde_json::json;

use crate::failure::{Failure, Outcome};

/// The field with a SAL message's sequence number.
const SEQUENCE: &str = "sal_sequence";

/// A point, by what identifies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) measurement: String,
    pub(crate) time_ms: i64,
    pub(crate) sequence: i64,
}

/// A client of the database.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    http: reqwest::Client,
    url: String,
    token: String,
    bucket: String,
}

impl Database {
    /// A client for one bucket.
    pub(crate) fn new(url: &str, org: &str, bucket: &str, token: &str) -> Outcome<Self> {
        let client = reqwest::Client::builder().no_proxy();
        Ok(Self {
            http: client.build().map_err(Failure::http("make an HTTP client"))?,
            url: format!("{url}/api/v2/query?org={org}"),
            token: token.to_owned(),
            bucket: bucket.to_owned(),
        })
    }

    /// The points in a span of milliseconds (both ends included), of all measurements or of one.
    pub(crate) async fn points(
        &self,
        (from_ms, to_ms): (i64, i64),
        measurement: Option<&str>,
        timeout: Duration,
    ) -> Outcome<Vec<Point>> {
        let only = measurement.map_or_else(String::new, |name| format!(" and r._measurement == {name:?}"));
        let flux = format!(
            "from(bucket: {:?}) |> range(start: time(v: {}), stop: time(v: {})) \
             |> filter(fn: (r) => r._field == {SEQUENCE:?}{only}) \
             |> keep(columns: [\"_measurement\", \"_time\", \"_value\"])",
            self.bucket,
            from_ms * 1_000_000,
            (to_ms + 1) * 1_000_000,
        );
        let request = self
            .http
            .post(&self.url)
            .timeout(timeout)
            .header("Authorization", format!("Token {}", self.token))
            .header("Accept", "application/csv")
            .json(&json!({"query": flux, "dialect": {"annotations": [], "header": true}}));
        let doing = || "ask the database";
        let answer = request.send().await.map_err(Failure::http(doing()))?;
        let status = answer.status();
        let text = answer.text().await.map_err(Failure::http(doing()))?;
        if !status.is_success() {
            return Err(Failure::Unexpected(format!(
                "the database answers {status}: {text}"
            )));
        }
        parse(&text).ok_or_else(|| {
            let start: String = text.chars().take(200).collect();
            Failure::Unexpected(format!(
                "cannot read the database's answer, which begins {start:?}"
            ))
        })
    }
}

/// Parses CSV tables, each with its own header. None of our values contains a comma.
fn parse(csv: &str) -> Option<Vec<Point>> {
    let mut points = Vec::new();
    let mut columns: Option<[usize; 3]> = None;
    for line in csv.lines() {
        let cells: Vec<&str> = line.split(',').collect();
        if cells.len() < 4 {
            columns = None;
            continue;
        }
        match columns {
            None => {
                let position = |name: &str| cells.iter().position(|cell| *cell == name);
                columns = Some([position("_measurement")?, position("_time")?, position("_value")?]);
            }
            Some([measurement, time, value]) => points.push(Point {
                measurement: (*cells.get(measurement)?).to_owned(),
                time_ms: millis(cells.get(time)?)?,
                sequence: cells.get(value)?.parse().ok()?,
            }),
        }
    }
    Some(points)
}

/// Milliseconds since 1970 of a time such as `2026-11-21T17:03:05.25Z`.
fn millis(time: &str) -> Option<i64> {
    let (date, clock) = time.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut clock = clock.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let fraction: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    // Days since 1970-01-01: years start in March here, so that the leap day is their last day.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 1
        - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(millis("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(millis("2026-11-21T17:03:05.25Z"), Some(1_795_280_585_250));
        assert_eq!(millis("2024-02-29T23:59:59.999Z"), Some(1_709_251_199_999));
        assert_eq!(millis("yesterday"), None);
    }

    #[test]
    fn tables_are_read_one_after_the_other() {
        let csv = ",result,table,_measurement,_time,_value\r\n,_result,0,a,1970-01-01T00:00:01Z,7\r\n\r\n\
                   ,result,table,_time,_value,_measurement\r\n,_result,0,1970-01-01T00:00:02.5Z,8,b\r\n";
        let point = |measurement: &str, time_ms, sequence| Point {
            measurement: measurement.to_owned(),
            time_ms,
            sequence,
        };
        assert_eq!(parse(csv), Some(vec![point("a", 1_000, 7), point("b", 2_500, 8)]));
        assert_eq!(parse(""), Some(Vec::new()));
    }
}
