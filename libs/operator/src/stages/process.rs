//! One process of the pipeline as its metrics show it. It is asked repeatedly, so that rates and recent quantiles are known.

use std::error::Error;
use std::time::{Duration, Instant};

use serde::Serialize;
use stage::address::Address;

use super::counts::{DeadLetterCount, StageCounts};
use super::prometheus_text::Metrics;
use crate::failure::Failure;
use crate::histogram::BucketHistogram;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// No stage's metrics are larger.
const MAX_BYTES: usize = 8 << 20;

/// A process. Rates are per second, times in seconds; none is what it does not have, or not yet.
#[derive(Debug, Clone, Default, Serialize)]
pub struct StageRow {
    /// salmock, saltransform, influxsink, or `?`.
    pub stage: String,
    /// Where its metrics are, without what may be secret.
    pub url: String,
    /// Why its metrics are unknown; none if it answered.
    pub away: Option<String>,
    /// Messages that it consumed since the previous look.
    pub in_per_second: Option<f64>,
    /// Messages that it produced or wrote since the previous look.
    pub out_per_second: Option<f64>,
    /// Dead letters since it started.
    pub dead_letters: Option<f64>,
    /// Messages between its positions and the ends of its partitions.
    pub lag: Option<f64>,
    /// The age of its oldest message that is read or waiting and not finished.
    pub lag_seconds: Option<f64>,
    /// Messages that it has consumed and not finished.
    pub in_flight: Option<f64>,
    /// Whether it has paused consuming.
    pub paused: bool,
    /// Median time to parse and encode a message (saltransform), or of a request to the database (influxsink).
    pub work_p50: Option<f64>,
    /// Its 99th percentile.
    pub work_p99: Option<f64>,
    /// Median time from a point's own timestamp to the database's answer (influxsink).
    pub age_p50: Option<f64>,
    /// Its 99th percentile.
    pub age_p99: Option<f64>,
    /// What it consumed since it started, and what became of it.
    pub counts: Option<StageCounts>,
    /// Dead letters since it started, by step and reason; those with none are left out.
    pub dead_letter_counts: Vec<DeadLetterCount>,
    /// What it waits for and why, as its `/ready` answers; none where that is not known.
    pub waiting_for: Option<Vec<String>>,
    /// The memory that its process uses, in bytes.
    pub memory_bytes: Option<f64>,
    /// When this was known; none for a single sample.
    #[serde(skip)]
    pub answered: Option<Instant>,
}

/// The names of a stage's metrics; empty where it has none of that kind.
struct Names {
    stage: &'static str,
    input: &'static str,
    output: &'static str,
    dead_letters: &'static str,
    lag_seconds: &'static str,
    work: &'static str,
    age: &'static str,
}

const KNOWN: [Names; 3] = [
    Names {
        stage: "salmock",
        input: "",
        output: "salmock_produced_total",
        dead_letters: "",
        lag_seconds: "",
        work: "",
        age: "",
    },
    Names {
        stage: "saltransform",
        input: "saltransform_consumed_total",
        output: "saltransform_produced_total",
        dead_letters: "saltransform_dead_letters_total",
        lag_seconds: "saltransform_lag_seconds",
        work: "saltransform_transform_seconds",
        age: "",
    },
    Names {
        stage: "influxsink",
        input: "influxsink_consumed_total",
        output: "influxsink_written_total",
        dead_letters: "influxsink_dead_letters_total",
        lag_seconds: "influxsink_lag_seconds",
        work: "influxsink_request_seconds",
        age: "influxsink_point_age_seconds",
    },
];

/// Asks one process for its metrics.
pub(super) struct StageWatcher {
    url: Address,
    client: reqwest::Client,
    last: Option<(Instant, Metrics)>,
    /// Kept while it does not answer, so that people see which stage that is.
    name: Option<&'static str>,
}

impl StageWatcher {
    /// A process at `HOST:PORT` or a URL, whose path is `/metrics` unless it has one.
    pub(super) fn at(address: &str) -> Result<Self, String> {
        let with_scheme = if address.contains("://") {
            address.to_owned()
        } else {
            format!("http://{address}")
        };
        let mut url = reqwest::Url::parse(&with_scheme)
            .map_err(|error| format!("{error}, expected an address such as http://localhost:9464/metrics"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("holds a user or password, which process lists show; metrics need none".to_owned());
        }
        if url.path() == "/" {
            url.set_path("/metrics");
        }
        let client = reqwest::Client::builder()
            .timeout(ANSWER_TIMEOUT)
            .no_proxy()
            .build()
            .map_err(|error| stage::chain(&error))?;
        Ok(Self {
            url: String::from(url).into(),
            client,
            last: None,
            name: None,
        })
    }

    /// The row before the process has answered.
    pub(super) fn unknown(&self) -> StageRow {
        StageRow {
            stage: self.name.unwrap_or("?").to_owned(),
            url: self.url.to_string(),
            ..StageRow::default()
        }
    }

    /// Asks the process; rates and quantiles are of the time since the previous look.
    pub(super) async fn look(&mut self) -> StageRow {
        match self.fetch().await {
            Ok(text) => {
                let mut row = self.row(Instant::now(), Metrics::read(&text));
                row.dead_letter_counts = DeadLetterCount::read(&text, &row.stage);
                row.waiting_for = self.waiting_for().await;
                row
            }
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
        let answer = self.client.get(self.url.reveal()).send().await.map_err(failed)?;
        text_of(answer.error_for_status().map_err(failed)?).await
    }

    /// What `/ready`, beside the metrics, says that the process waits for; none if there is no such answer.
    async fn waiting_for(&self) -> Option<Vec<String>> {
        let url = self.url.reveal().strip_suffix("/metrics")?;
        let answer = self.client.get(format!("{url}/ready")).send().await.ok()?;
        let is_ready = answer.status().is_success();
        let text = text_of(answer).await.ok()?;
        let missing = text.lines().filter_map(|line| line.strip_prefix("waiting for "));
        let missing: Vec<String> = missing.map(str::to_owned).collect();
        (is_ready || !missing.is_empty()).then_some(missing)
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
            // A restarted process counts from 0.
            let more = (metrics.sum(name)? - last.sum(name).unwrap_or(0.0)).max(0.0);
            Some(more / now.duration_since(*then).as_secs_f64().max(1e-3))
        };
        let quantile = |name: &str, q: f64| {
            let (_, last) = self.last.as_ref()?;
            metrics.histogram(name).since(&last.histogram(name)).quantile(q)
        };
        let row = StageRow {
            stage: names.stage.to_owned(),
            url: self.url.to_string(),
            away: None,
            in_per_second: rate(names.input),
            out_per_second: rate(names.output),
            // A counter with labels does not exist before it first counts.
            dead_letters: (!names.dead_letters.is_empty())
                .then(|| metrics.sum(names.dead_letters).unwrap_or(0.0)),
            lag: metrics.sum("kafka_consumer_lag"),
            lag_seconds: metrics.largest(names.lag_seconds),
            in_flight: metrics.sum("kafka_in_flight_messages"),
            paused: metrics
                .sum("kafka_consumer_paused")
                .is_some_and(|paused| paused > 0.0),
            work_p50: quantile(names.work, 0.5),
            work_p99: quantile(names.work, 0.99),
            age_p50: quantile(names.age, 0.5),
            age_p99: quantile(names.age, 0.99),
            counts: StageCounts::read(&metrics, names.stage, names.input, names.output),
            memory_bytes: metrics.sum("process_resident_memory_bytes"),
            dead_letter_counts: Vec::new(),
            waiting_for: None,
            answered: None,
        };
        self.last = Some((now, metrics));
        row
    }
}

/// How old the points of these influxsinks were when the database stored them: all since the processes started.
pub async fn point_age(addresses: &[String]) -> Result<BucketHistogram, Failure> {
    let mut texts = String::new();
    for address in addresses {
        let away = |reason: String| Failure::Away {
            service: "influxsink",
            url: address.clone(),
            flag: "--metrics",
            source: reason.into(),
        };
        let stage = StageWatcher::at(address).map_err(away)?;
        texts.push_str(&stage.fetch().await.map_err(away)?);
        texts.push('\n');
    }
    Ok(Metrics::read(&texts).histogram("influxsink_point_age_seconds"))
}

async fn text_of(mut answer: reqwest::Response) -> Result<String, String> {
    let failed = |error: reqwest::Error| innermost(&error.without_url());
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if bytes.len() + chunk.len() > MAX_BYTES {
            return Err("answers more than any of the binaries would".to_owned());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The innermost cause: a column has no room for the whole chain.
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
        let mut stage = StageWatcher::at("localhost:9464").unwrap();
        assert_eq!(stage.unknown().url, "http://localhost:9464/metrics");
        let text = |count: u64, slow: u64| {
            Metrics::read(&format!(
                "saltransform_consumed_total {count}\nsaltransform_produced_total {count}\n\
                 saltransform_transform_seconds_bucket{{le=\"0.001\"}} {count}\n\
                 saltransform_transform_seconds_bucket{{le=\"+Inf\"}} {}\nkafka_consumer_lag{{topic=\"t\"}} 5\n\
                 saltransform_lag_seconds{{subsystem=\"A\"}} 1.5\nsaltransform_lag_seconds{{subsystem=\"B\"}} 0\n",
                count + slow
            ))
        };
        let start = Instant::now();
        let first = stage.row(start, text(100, 0));
        assert_eq!((first.in_per_second, first.work_p50), (None, None));
        assert_eq!((first.dead_letters, first.lag), (Some(0.0), Some(5.0)));
        assert_eq!(
            first.lag_seconds,
            Some(1.5),
            "that of the subsystem furthest behind"
        );
        let second = stage.row(start + Duration::from_secs(2), text(140, 0));
        assert_eq!(second.in_per_second, Some(20.0));
        assert_eq!(second.work_p50, Some(0.000_5));
        let restarted = stage.row(start + Duration::from_secs(4), text(10, 0));
        assert_eq!(restarted.in_per_second, Some(0.0));
        assert!(restarted.work_p50.is_some());
    }

    #[test]
    fn no_row_shows_what_may_be_secret_in_an_address() {
        let mut stage = StageWatcher::at("http://h:1/metrics?key=s3cr3t").unwrap();
        for row in [stage.unknown(), stage.row(Instant::now(), Metrics::read(""))] {
            assert_eq!(row.url, "http://h:1/metrics?(hidden)");
        }
    }

    #[test]
    fn an_address_may_be_short() {
        assert_eq!(
            StageWatcher::at("http://h:1/x").unwrap().unknown().url,
            "http://h:1/x"
        );
        assert!(StageWatcher::at("http://").is_err());
        assert!(StageWatcher::at("http://user:s3cr3t@h:1").is_err_and(|why| !why.contains("s3cr3t")));
    }

    #[test]
    fn a_process_without_a_stages_metrics_is_reported() {
        let row = StageWatcher::at("h:1")
            .unwrap()
            .row(Instant::now(), Metrics::read("other_total 1\n"));
        assert!(row.away.is_some_and(|why| why.contains("no metrics of salmock")));
    }
}
