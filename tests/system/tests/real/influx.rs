//! The two databases, each with a bucket or database for this test, queried in their own languages.

use std::collections::BTreeMap;

use influxdb2::Client;
use influxdb2::models::{PostBucketRequest, Query, RetentionRule, retention_rule};
use serde_json::Value as Json;

use super::Services;
use super::value::Value;

/// A point: its time in microseconds since 1970, and its fields.
pub(crate) type Points = BTreeMap<i64, BTreeMap<String, Value>>;

/// Points by time and tags.
pub(crate) type Series = BTreeMap<(i64, BTreeMap<String, String>), BTreeMap<String, Value>>;

/// InfluxDB 2, through its client crate and Flux.
pub(crate) struct Influx2 {
    client: Client,
    bucket: String,
}

impl Influx2 {
    /// Creates the bucket.
    pub(crate) async fn with_bucket(services: &Services, bucket: &str) -> Self {
        Self::with_retention(services, bucket, Vec::new()).await
    }

    /// Creates the bucket with a retention of one hour.
    pub(crate) async fn with_an_hour(services: &Services, bucket: &str) -> Self {
        let hour = RetentionRule::new(retention_rule::Type::Expire, 3_600);
        Self::with_retention(services, bucket, vec![hour]).await
    }

    /// A bucket that another creates.
    pub(crate) fn of(services: &Services, bucket: &str) -> Self {
        let [url, org, token] = ["INFLUXDB", "INFLUXDB_ORG", "INFLUXDB_TOKEN"].map(|key| services.get(key));
        Self {
            client: Client::new(url, org, token),
            bucket: bucket.to_owned(),
        }
    }

    async fn with_retention(services: &Services, bucket: &str, rules: Vec<RetentionRule>) -> Self {
        let influx = Self::of(services, bucket);
        let (client, org) = (&influx.client, services.get("INFLUXDB_ORG"));
        let organizations = client.list_organizations(Default::default()).await.unwrap().orgs;
        let id = organizations
            .into_iter()
            .find(|found| found.name == org)
            .and_then(|found| found.id)
            .unwrap();
        let mut request = PostBucketRequest::new(id, bucket.to_owned());
        request.retention_rules = rules;
        client.create_bucket(Some(request)).await.unwrap();
        influx
    }

    /// All points of a measurement, with their tags.
    pub(crate) async fn series(&self, measurement: &str) -> Series {
        let flux = format!(
            "from(bucket: {:?}) |> range(start: 0) |> filter(fn: (r) => r._measurement == {measurement:?}) \
             |> map(fn: (r) => ({{r with _time: int(v: r._time)}}))",
            self.bucket
        );
        let mut series = Series::new();
        for record in self.client.query_raw(Some(Query::new(flux))).await.unwrap() {
            let mut values = record.values;
            let mut take = |column: &str| values.remove(column).unwrap();
            let (time, field, value) = (take("_time"), take("_field"), take("_value"));
            let value = (value.bool().map(Value::Bool))
                .or_else(|| value.i64().map(Value::Int))
                .or_else(|| value.f64().map(Value::Double))
                .or_else(|| value.string().map(Value::Text))
                .unwrap();
            let own = ["result", "table", "_start", "_stop", "_measurement", ""];
            let tags = values.into_iter().filter(|(name, _)| !own.contains(&&**name));
            let tags = tags.filter_map(|(name, value)| Some((name, value.string()?)));
            let key = (
                time.i64().unwrap() / 1_000,
                tags.filter(|(_, tag)| !tag.is_empty()).collect(),
            );
            series
                .entry(key)
                .or_default()
                .insert(field.string().unwrap(), value);
        }
        series
    }

    /// All points of a measurement.
    pub(crate) async fn points(&self, measurement: &str) -> Points {
        let flux = format!(
            "from(bucket: {:?}) |> range(start: 0) |> filter(fn: (r) => r._measurement == {measurement:?}) \
             |> map(fn: (r) => ({{r with _time: int(v: r._time)}}))",
            self.bucket
        );
        let mut points = Points::new();
        for mut record in self.client.query_raw(Some(Query::new(flux))).await.unwrap() {
            let mut take = |column: &str| record.values.remove(column).unwrap();
            let (time, field, value) = (take("_time"), take("_field"), take("_value"));
            let value = (value.bool().map(Value::Bool))
                .or_else(|| value.i64().map(Value::Int))
                .or_else(|| value.f64().map(Value::Double))
                // The answer is CSV whose writer turns every line end into \r\n, including those inside
                // values.
                .or_else(|| value.string().map(|text| Value::Text(text.replace("\r\n", "\n"))))
                .unwrap();
            let nanos = time.i64().unwrap();
            assert_eq!(nanos % 1_000, 0, "times are microseconds");
            let fields = points.entry(nanos / 1_000).or_default();
            fields.insert(field.string().unwrap(), value);
        }
        points
    }

    /// The number of points of each measurement, counted by a field that each of its points has.
    pub(crate) async fn counts(&self, field: &str) -> BTreeMap<String, u64> {
        let flux = format!(
            "from(bucket: {:?}) |> range(start: 0) |> filter(fn: (r) => r._field == {field:?}) \
             |> group(columns: [\"_measurement\"]) |> count()",
            self.bucket
        );
        let rows = self.client.query_raw(Some(Query::new(flux))).await.unwrap();
        let count = |value: i64| u64::try_from(value).unwrap();
        rows.into_iter()
            .map(|row| {
                let measurement = row.values["_measurement"].string().unwrap();
                (measurement, count(row.values["_value"].i64().unwrap()))
            })
            .collect()
    }
}

/// InfluxDB 1, queried with InfluxQL over HTTP.
pub(crate) struct Influx1 {
    http: reqwest::Client,
    url: String,
    database: String,
}

impl Influx1 {
    /// Creates the database.
    pub(crate) async fn with_database(services: &Services, database: &str) -> Self {
        Self::with_duration(services, database, "").await
    }

    /// Creates the database with a retention of one hour.
    pub(crate) async fn with_an_hour(services: &Services, database: &str) -> Self {
        Self::with_duration(services, database, " WITH DURATION 1h").await
    }

    /// A database that another creates.
    pub(crate) fn of(services: &Services, database: &str) -> Self {
        Self {
            http: reqwest::Client::new(),
            url: format!("{}/query", services.get("INFLUXDB1")),
            database: database.to_owned(),
        }
    }

    async fn with_duration(services: &Services, database: &str, duration: &str) -> Self {
        let influx = Self::of(services, database);
        influx
            .query(&format!("CREATE DATABASE {database:?}{duration}"))
            .await;
        influx
    }

    /// All points of a measurement.
    pub(crate) async fn points(&self, measurement: &str) -> Points {
        // Field types are queried separately: in JSON, a float without decimals looks like an integer.
        let mut types = BTreeMap::new();
        for row in self.rows(&format!("SHOW FIELD KEYS FROM {measurement:?}")).await {
            types.insert(
                row["fieldKey"].as_str().unwrap().to_owned(),
                row["fieldType"].as_str().unwrap().to_owned(),
            );
        }
        let mut points = Points::new();
        for mut row in self.rows(&format!("SELECT * FROM {measurement:?}")).await {
            let time = row.remove("time").unwrap().as_i64().unwrap();
            let typed = row
                .into_iter()
                .filter(|(_, json)| !json.is_null())
                .map(|(field, json)| {
                    let value = match types[&field].as_str() {
                        "boolean" => Value::Bool(json.as_bool().unwrap()),
                        "integer" => Value::Int(json.as_i64().unwrap()),
                        "float" => Value::Double(json.as_f64().unwrap()),
                        _ => Value::Text(json.as_str().unwrap().to_owned()),
                    };
                    (field, value)
                });
            points.insert(time, typed.collect());
        }
        points
    }

    /// All points of a measurement, with their tags.
    pub(crate) async fn series(&self, measurement: &str) -> Series {
        let types: BTreeMap<String, String> = self
            .rows(&format!("SHOW FIELD KEYS FROM {measurement:?}"))
            .await
            .into_iter()
            .map(|row| {
                let text = |key: &str| row[key].as_str().unwrap().to_owned();
                (text("fieldKey"), text("fieldType"))
            })
            .collect();
        let answer = self
            .query(&format!("SELECT * FROM {measurement:?} GROUP BY *"))
            .await;
        let mut found = Series::new();
        for series in answer["results"][0]["series"].as_array().into_iter().flatten() {
            let tags = series["tags"].as_object().into_iter().flatten();
            let tags = tags.map(|(name, tag)| (name.clone(), tag.as_str().unwrap().to_owned()));
            let tags: BTreeMap<_, _> = tags.filter(|(_, tag)| !tag.is_empty()).collect();
            let columns: Vec<_> = series["columns"].as_array().unwrap().iter().collect();
            for row in series["values"].as_array().unwrap() {
                let mut fields = BTreeMap::new();
                let mut time = 0;
                for (column, json) in columns.iter().zip(row.as_array().unwrap()) {
                    let name = column.as_str().unwrap();
                    let value = match types.get(name).map(String::as_str) {
                        _ if json.is_null() => continue,
                        None => {
                            time = json.as_i64().unwrap();
                            continue;
                        }
                        Some("boolean") => Value::Bool(json.as_bool().unwrap()),
                        Some("integer") => Value::Int(json.as_i64().unwrap()),
                        Some("float") => Value::Double(json.as_f64().unwrap()),
                        Some(_) => Value::Text(json.as_str().unwrap().to_owned()),
                    };
                    fields.insert(name.to_owned(), value);
                }
                found.insert((time, tags.clone()), fields);
            }
        }
        found
    }

    async fn rows(&self, query: &str) -> Vec<BTreeMap<String, Json>> {
        let answer = self.query(query).await;
        let Some(series) = answer["results"][0]["series"].get(0) else {
            return Vec::new();
        };
        let columns: Vec<_> = series["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        let rows = series["values"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row.as_array().unwrap());
        rows.map(|row| {
            columns
                .iter()
                .map(|name| (*name).to_owned())
                .zip(row.iter().cloned())
                .collect()
        })
        .collect()
    }

    /// The whole answer to a query.
    pub(crate) async fn query(&self, query: &str) -> Json {
        let parameters = [("db", self.database.as_str()), ("epoch", "u"), ("q", query)];
        let answer = self.http.post(&self.url).query(&parameters).send().await.unwrap();
        let answer: Json = answer.error_for_status().unwrap().json().await.unwrap();
        assert!(answer["results"][0].get("error").is_none(), "{query}: {answer}");
        answer
    }
}
