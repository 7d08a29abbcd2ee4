//! One of the pipeline's processes, as its metrics show it: asked again and again, and away where it does not answer.

use std::error::Error;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::prometheus_text::Metrics;
use operator::histogram::Times;

/// How long a process may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// No process of ours shows more; what does is none of ours.
const MOST_BYTES: usize = 8 << 20;

/// What is shown of a process. Rates are by second, times in seconds; null is what it does not have, or not yet.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct StageRow {
    /// salmock, saltransform, influxsink, or `?`.
    pub(super) stage: String,
    /// Where its metrics are.
    pub(super) url: String,
    /// Why it is not shown.
    pub(super) away: Option<String>,
    pub(super) in_per_second: Option<f64>,
    pub(super) out_per_second: Option<f64>,
    /// Since it started.
    pub(super) dead_letters: Option<f64>,
    /// Messages behind the ends of its partitions.
    pub(super) lag: Option<f64>,
    pub(super) in_flight: Option<f64>,
    pub(super) paused: bool,
    /// Parse and encode of a message (saltransform), or a request to the database (influxsink).
    pub(super) work_p50: Option<f64>,
    pub(super) work_p99: Option<f64>,
    /// From a point's own time to the database's answer (influxsink).
    pub(super) age_p50: Option<f64>,
    pub(super) age_p99: Option<f64>,
}

/// The names of a process's metrics; all empty where it has none of that kind.
struct Names {
    stage: &'static str,
    input: &'static str,
    output: &'static str,
    dead_letters: &'static str,
    work: &'static str,
    age: &'static str,
}

const KNOWN: [Names; 3] = [
    Names {
        stage: "salmock",
        input: "",
        output: "salmock_produced_total",
        dead_letters: "",
        work: "",
        age: "",
    },
    Names {
        stage: "saltransform",
        input: "saltransform_consumed_total",
        output: "saltransform_produced_total",
        dead_letters: "saltransform_dead_letters_total",
        work: "saltransform_transform_seconds",
        age: "",
    },
    Names {
        stage: "influxsink",
        input: "influxsink_consumed_total",
        output: "influxsink_written_total",
        dead_letters: "influxsink_dead_letters_total",
        work: "influxsink_request_seconds",
        age: "influxsink_point_age_seconds",
    },
];

/// A process that is watched.
pub(super) struct Stage {
    url: String,
    client: reqwest::Client,
    last: Option<(Instant, Metrics)>,
    /// Kept while it is away, so that people see who is.
    name: Option<&'static str>,
}

impl Stage {
    /// At this address; its path is `/metrics` if none is given.
    pub(super) fn at(address: &str) -> Result<Self, String> {
        let with_scheme = if address.contains("://") {
            address.to_owned()
        } else {
            format!("http://{address}")
        };
        let mut url = reqwest::Url::parse(&with_scheme)
            .map_err(|error| format!("{error}, expected an address such as http://localhost:9092/metrics"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("holds a user or password, which process lists show; metrics need none".to_owned());
        }
        if url.path() == "/" {
            url.set_path("/metrics");
        }
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .no_proxy()
            .build()
            .map_err(|error| stage::chain(&error))?;
        Ok(Self {
            url: url.into(),
            client,
            last: None,
            name: None,
        })
    }

    /// Before it was asked.
    pub(super) fn unknown(&self) -> StageRow {
        StageRow {
            stage: self.name.unwrap_or("?").to_owned(),
            url: self.url.clone(),
            ..StageRow::default()
        }
    }

    /// Asks, and answers what is to be shown: what happened since the last time.
    pub(super) async fn look(&mut self) -> StageRow {
        match self.fetch().await {
            Ok(text) => self.row(Instant::now(), Metrics::read(&text)),
            Err(reason) => {
                self.last = None;
                StageRow {
                    away: Some(reason),
                    ..self.unknown()
                }
            }
        }
    }

    async fn fetch(&self) -> Result<String, String> {
        let failed = |error: reqwest::Error| innermost(&error.without_url());
        let answer = self.client.get(&self.url).send().await.map_err(failed)?;
        let mut answer = answer.error_for_status().map_err(failed)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > MOST_BYTES {
                return Err("answers more than any of the binaries would".to_owned());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn row(&mut self, now: Instant, metrics: Metrics) -> StageRow {
        let names = KNOWN
            .iter()
            .find(|names| metrics.has(&format!("{}_", names.stage)));
        let Some(names) = names else {
            return StageRow {
                away: Some("shows no metrics of salmock, saltransform or influxsink".to_owned()),
                ..self.unknown()
            };
        };
        self.name = Some(names.stage);
        let rate = |name: &str| {
            let (then, last) = self.last.as_ref()?;
            // A process that was started anew counts from 0.
            let more = (metrics.sum(name)? - last.sum(name).unwrap_or(0.0)).max(0.0);
            Some(more / now.duration_since(*then).as_secs_f64().max(1e-3))
        };
        let quantile = |name: &str, q: f64| {
            let (_, last) = self.last.as_ref()?;
            metrics.times(name).since(&last.times(name)).quantile(q)
        };
        let row = StageRow {
            stage: names.stage.to_owned(),
            url: self.url.clone(),
            away: None,
            in_per_second: rate(names.input),
            out_per_second: rate(names.output),
            // A counter with labels is not shown before it first counts.
            dead_letters: (!names.dead_letters.is_empty())
                .then(|| metrics.sum(names.dead_letters).unwrap_or(0.0)),
            lag: metrics.sum("kafka_consumer_lag"),
            in_flight: metrics.sum("kafka_in_flight_messages"),
            paused: metrics
                .sum("kafka_consumer_paused")
                .is_some_and(|paused| paused > 0.0),
            work_p50: quantile(names.work, 0.5),
            work_p99: quantile(names.work, 0.99),
            age_p50: quantile(names.age, 0.5),
            age_p99: quantile(names.age, 0.99),
        };
        self.last = Some((now, metrics));
        row
    }
}

/// How old the points of influxsinks were when the database had them, since those started; the error says who is away, and
/// why.
pub(crate) async fn point_age(addresses: &[String]) -> Result<Times, (String, String)> {
    let mut texts = String::new();
    for address in addresses {
        let away = |why| (address.clone(), why);
        let stage = Stage::at(address).map_err(away)?;
        texts.push_str(&stage.fetch().await.map_err(away)?);
        texts.push('\n');
    }
    Ok(Metrics::read(&texts).times("influxsink_point_age_seconds"))
}

/// The cause of causes: a column has no room for those around it.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_time_between_two_looks() {
        let mut stage = Stage::at("localhost:9092").unwrap();
        assert_eq!(stage.url, "http://localhost:9092/metrics");
        let text = |count: u64, slow: u64| {
            Metrics::read(&format!(
                "saltransform_consumed_total {count}\nsaltransform_produced_total {count}\n\
                 saltransform_transform_seconds_bucket{{le=\"0.001\"}} {count}\n\
                 saltransform_transform_seconds_bucket{{le=\"+Inf\"}} {}\nkafka_consumer_lag{{topic=\"t\"}} 5\n",
                count + slow
            ))
        };
        let start = Instant::now();
        let first = stage.row(start, text(100, 0));
        assert_eq!((first.in_per_second, first.work_p50), (None, None));
        assert_eq!((first.dead_letters, first.lag), (Some(0.0), Some(5.0)));
        let second = stage.row(start + Duration::from_secs(2), text(140, 0));
        assert_eq!(second.in_per_second, Some(20.0));
        assert_eq!(second.work_p50, Some(0.000_5));
        let anew = stage.row(start + Duration::from_secs(4), text(10, 0));
        assert_eq!(anew.in_per_second, Some(0.0));
        assert!(anew.work_p50.is_some());
    }

    #[test]
    fn an_address_may_be_short() {
        assert_eq!(Stage::at("http://h:1/x").unwrap().url, "http://h:1/x");
        assert!(Stage::at("http://").is_err());
        assert!(Stage::at("http://user:s3cr3t@h:1").is_err_and(|why| !why.contains("s3cr3t")));
    }

    #[test]
    fn who_is_none_of_ours_is_said() {
        let row = Stage::at("h:1")
            .unwrap()
            .row(Instant::now(), Metrics::read("other_total 1\n"));
        assert!(row.away.is_some_and(|why| why.contains("no metrics of salmock")));
    }
}
