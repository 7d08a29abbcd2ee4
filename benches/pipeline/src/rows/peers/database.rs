//! InfluxDB, queried directly: a bucket for each run, and its contents afterwards.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::failure::{Doing, Failure, Outcome};

/// Administrator access to the database.
pub(super) struct Database<'b> {
    bench: &'b Bench,
    url: &'b str,
    token: &'b str,
    org: &'b str,
}

impl<'b> Database<'b> {
    pub(super) fn new(bench: &'b Bench) -> Outcome<Self> {
        let get = |key| bench.services.get(key);
        Ok(Self {
            bench,
            url: get("INFLUXDB_URL")?,
            token: get("INFLUXDB_TOKEN")?,
            org: get("INFLUXDB_ORG")?,
        })
    }

    /// Creates a bucket and returns its id.
    pub(super) async fn create(&self, bucket: &str) -> Outcome<String> {
        let request = self
            .bench
            .http
            .get(format!("{}/api/v2/orgs?org={}", self.url, self.org));
        let orgs = self.json(request, "ask for the organisation").await?;
        let body = json!({"orgID": orgs["orgs"][0]["id"], "name": bucket, "retentionRules": []});
        let request = self
            .bench
            .http
            .post(format!("{}/api/v2/buckets", self.url))
            .json(&body);
        let made = self.json(request, "make a bucket").await?;
        let id = made["id"].as_str();
        Ok(id
            .ok_or_else(|| Failure::Unexpected(format!("no bucket was made: {made}")))?
            .to_owned())
    }

    /// Removes the bucket, so that its compaction does not disturb later runs.
    pub(super) async fn remove(&self, id: &str) -> Outcome<()> {
        let request = self
            .bench
            .http
            .delete(format!("{}/api/v2/buckets/{id}", self.url));
        self.text(request, "remove a bucket").await.map(drop)
    }

    /// The number of values of each field in a measurement.
    pub(super) async fn fields(&self, bucket: &str, measurement: &str) -> Outcome<BTreeMap<String, u64>> {
        let flux = format!(
            "from(bucket: {bucket:?}) |> range(start: 0) |> filter(fn: (r) => r._measurement == {measurement:?}) \
             |> count() |> group() |> keep(columns: [\"_field\", \"_value\"])"
        );
        let body = json!({"query": flux, "dialect": {"annotations": [], "header": true}});
        let request = self
            .bench
            .http
            .post(format!("{}/api/v2/query?org={}", self.url, self.org));
        let csv = self
            .text(
                request.json(&body).header("Accept", "application/csv"),
                "ask the database",
            )
            .await?;
        let mut counts = BTreeMap::new();
        let mut columns = None;
        for line in csv.lines() {
            let cells: Vec<&str> = line.split(',').collect();
            let position = |name: &str| cells.iter().position(|cell| *cell == name);
            match (position("_field"), position("_value"), columns) {
                (Some(field), Some(value), _) => columns = Some((field, value)),
                (_, _, Some((field, value))) => {
                    if let (Some(field), Some(Ok(count))) =
                        (cells.get(field), cells.get(value).map(|cell| cell.parse()))
                    {
                        counts.insert((*field).to_owned(), count);
                    }
                }
                _ => {}
            }
        }
        Ok(counts)
    }

    async fn json(&self, request: reqwest::RequestBuilder, doing: &str) -> Outcome<Value> {
        let text = self.text(request, doing).await?;
        serde_json::from_str(&text).doing(doing)
    }

    async fn text(&self, request: reqwest::RequestBuilder, doing: &str) -> Outcome<String> {
        let request = request.header("Authorization", format!("Token {}", self.token));
        let answer = request
            .timeout(Duration::from_secs(180))
            .send()
            .await
            .doing(doing)?;
        let status = answer.status();
        let text = answer.text().await.doing(doing)?;
        if status.is_success() {
            Ok(text)
        } else {
            Err(Failure::Unexpected(format!("cannot {doing}: {status}: {text}")))
        }
    }
}
