//! InfluxDB's administrator: buckets, tokens with a single permission, and the contents of a bucket.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::stack::{Secured, words};

/// A bucket for this test.
pub(crate) struct Bucket {
    pub(crate) name: String,
    id: String,
    organisation: String,
}

/// A token and the id with which it can be revoked.
pub(crate) struct Token {
    pub(crate) text: String,
    id: String,
}

impl Secured {
    fn ask(&self, method: Method, path: &str, body: &Value) -> Value {
        let request = self.http.request(
            method,
            format!("{}/api/v2/{path}", self.services.get("SECURED_INFLUXDB")),
        );
        let request = request.header(
            "Authorization",
            format!("Token {}", self.services.get("SECURED_INFLUXDB_TOKEN")),
        );
        let answer = self.runtime.block_on(async {
            let answer = request
                .json(body)
                .send()
                .await
                .unwrap()
                .error_for_status()
                .unwrap();
            answer.text().await.unwrap()
        });
        serde_json::from_str(&answer).unwrap_or(Value::String(answer))
    }

    /// Creates the test's bucket.
    pub(crate) fn bucket(&self) -> Bucket {
        let organisations = self.ask(Method::GET, "orgs", &Value::Null);
        let organisation = organisations["orgs"][0]["id"].as_str().unwrap().to_owned();
        let bucket = json!({"orgID": organisation, "name": self.name});
        let made = self.ask(Method::POST, "buckets", &bucket);
        Bucket {
            name: self.name.clone(),
            id: made["id"].as_str().unwrap().to_owned(),
            organisation,
        }
    }

    /// Creates a token that can write to the bucket and nothing else.
    pub(crate) fn write_token(&self, bucket: &Bucket) -> Token {
        let resource = json!({"type": "buckets", "id": bucket.id, "orgID": bucket.organisation});
        let permissions = json!([{"action": "write", "resource": resource}]);
        let wanted = json!({"orgID": bucket.organisation, "permissions": permissions});
        let made = self.ask(Method::POST, "authorizations", &wanted);
        let text = |key: &str| made[key].as_str().unwrap().to_owned();
        Token {
            text: text("token"),
            id: text("id"),
        }
    }

    /// Revokes the token.
    pub(crate) fn revoke(&self, token: &Token) {
        self.ask(
            Method::DELETE,
            &format!("authorizations/{}", token.id),
            &Value::Null,
        );
    }

    /// The distinct sequence numbers of all points, and the number of points.
    pub(crate) fn sequences(&self, bucket: &Bucket) -> (BTreeSet<i64>, usize) {
        let flux = format!(
            "from(bucket: {:?}) |> range(start: 0) |> filter(fn: (r) => r._field == \"sal_sequence\") \
             |> group() |> keep(columns: [\"_value\"])",
            bucket.name
        );
        let csv = self.ask(
            Method::POST,
            &format!("query?org={}", self.services.get("INFLUXDB_ORG")),
            &json!({"query": flux, "type": "flux"}),
        );
        let rows = csv.as_str().unwrap_or_default().lines();
        let values: Vec<i64> = rows
            .filter_map(|row| row.trim().rsplit(',').next()?.parse().ok())
            .collect();
        (values.iter().copied().collect(), values.len())
    }

    /// Flags of influxsink from a mocked topic into the bucket.
    pub(crate) fn sink(&self, topic: &str, bucket: &Bucket, token: &str) -> Vec<String> {
        let file = self.file("token", token).display().to_string();
        let (group, ca) = (format!("{}.sink", self.name), self.cert("ca.pem"));
        words(&[
            "run",
            topic,
            "--group",
            &group,
            "--into",
            self.services.get("SECURED_INFLUXDB"),
            "--org",
            self.services.get("INFLUXDB_ORG"),
            "--bucket",
            &bucket.name,
            "--token-file",
            &file,
            "--influxdb-ca-file",
            &ca,
        ])
    }
}
