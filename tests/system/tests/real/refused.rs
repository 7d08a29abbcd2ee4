//! The errors of real databases about refused points are sufficient to find them: a batch in which every
//! second point is refused takes a few requests, and the other points are stored.

use std::collections::BTreeMap;
use std::time::Duration;

use influxsink::batch::{Batch, BatchedPoint};
use influxsink::metrics::SinkMetrics;
use influxsink::write::{
    Credentials, Delivery, Destination, Ended, InfluxTarget, InfluxWriter, Outcomes, Place, SecretSource,
};
use stage::config::Secret;
use stage::reason::Reason;
use stage::service::{Readiness, Shutdown};

use super::influx::{Influx1, Influx2};
use super::{Services, unique};

const POINTS: usize = 1_000;

#[derive(Default)]
struct Noted {
    written: Vec<usize>,
    rejected: BTreeMap<usize, String>,
}

impl Outcomes<usize> for Noted {
    fn written(&mut self, points: impl Iterator<Item = BatchedPoint<usize>>) {
        self.written.extend(points.map(|point| point.kept));
    }
    fn rejected(&mut self, point: BatchedPoint<usize>, reason: Reason) {
        assert_eq!(self.rejected.insert(point.kept, reason.detail), None);
    }
    fn is_abandoned(&self, _: &usize) -> bool {
        false
    }
}

/// Writes points of these lines without a time, each at its time in microseconds; returns their outcomes and
/// the number of requests.
fn deliver(
    target: &InfluxTarget,
    points: impl Iterator<Item = (String, i64)> + Send,
    runtime: &tokio::runtime::Handle,
) -> (Noted, u64) {
    let mut batch = Batch::default();
    for (at, (line, time)) in points.enumerate() {
        batch
            .lines_mut()
            .extend_from_slice(format!("{line} {time}\n").as_bytes());
        batch.add(at, time);
    }
    let metrics = SinkMetrics::register(&prometheus::Registry::new()).unwrap();
    let writer = InfluxWriter::new(target, metrics.clone(), runtime.clone()).unwrap();
    let mut delivery = Delivery::new(
        Destination::Influx(writer),
        metrics.clone(),
        Readiness::default().dependency("database"),
        Shutdown::new(Duration::from_secs(1)),
    );
    let mut noted = Noted::default();
    assert_eq!(delivery.deliver(batch.take(), &mut noted), Ended::Settled);
    noted.written.sort_unstable();
    (noted, metrics.request_seconds.get_sample_count())
}

/// Each second before the previous one, starting from this time.
fn second(first: i64, at: usize) -> i64 {
    first - at as i64 * 1_000_000
}

/// The start of the current one-hour shard, and the time since then, in microseconds.
fn hour() -> (i64, i64) {
    const HOUR: i64 = 3_600_000_000;
    let now = stage::unix_micros();
    (now - now % HOUR, now % HOUR)
}

fn every_second_is_refused(target: &InfluxTarget, runtime: &tokio::runtime::Handle) {
    let is = |noted: &Noted, words: &str| {
        let (even, odd): (Vec<_>, Vec<_>) = (0..POINTS).partition(|at| at % 2 == 0);
        assert_eq!(
            noted.rejected.keys().copied().collect::<Vec<_>>(),
            even,
            "{words}"
        );
        assert_eq!(noted.written, odd, "{words}");
        let refused = noted.rejected.values().all(|detail| detail.contains(words));
        assert!(refused, "{:?}", noted.rejected.first_key_value());
    };
    // Shards last one hour and start on the hour. A point older than the retention is accepted if it falls
    // into the shard of a younger point.
    let (hour, past) = hour();
    let in_one_shard = if past > POINTS as i64 * 1_000_000 {
        hour + past
    } else {
        hour - 1
    };
    let ages = (0..POINTS).map(|at| match at % 2 {
        0 => (format!("m v={at}.5"), second(in_one_shard - 7_300_000_000, at)),
        _ => (format!("m v={at}.5"), second(in_one_shard, at)),
    });
    let (noted, requests) = deliver(target, ages, runtime);
    is(&noted, "retention policy");
    assert!(requests <= 3, "beyond retention: {requests} requests");

    let types = |measurement: &'static str, first: i64| {
        (0..POINTS).map(move |at| match at % 2 {
            0 => (format!("{measurement} v={at}i"), second(first, at)),
            _ => (format!("{measurement} v={at}.5"), second(first, at)),
        })
    };
    let (noted, requests) = deliver(target, types("m", in_one_shard - 1), runtime);
    is(&noted, "field type conflict");
    assert!(requests <= 3, "type conflict: {requests} requests");

    // The error covers one shard at a time: the boundary between shards is found by bisection.
    let boundary = if past < 1_800_000_000 {
        hour
    } else {
        hour + 3_600_000_000
    };
    for middle in [1, POINTS / 3, POINTS / 2] {
        let measurement = ["n", "o", "p"][middle % 3];
        let first = boundary + middle as i64 * 1_000_000 + 500_000;
        let floats = (0..POINTS).map(|at| (format!("{measurement} v=0.5"), second(first, at)));
        let (noted, _) = deliver(target, floats, runtime);
        assert_eq!(noted.written.len(), POINTS);
        let (noted, requests) = deliver(target, types(measurement, first - 1), runtime);
        is(&noted, "field type conflict");
        let limit = 3 + 2 * u64::from(POINTS.ilog2() + 1);
        assert!(
            requests <= limit,
            "type conflict in two shards: {requests} requests"
        );
    }
}

fn target(services: &Services, key: &str, place: Place, credentials: Credentials) -> InfluxTarget {
    InfluxTarget {
        base: services.get(key).parse().unwrap(),
        place,
        create: false,
        credentials,
        gzip: false,
        timeout: Duration::from_secs(10),
        ca_file: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn influxdb_2_reports_enough_to_find_refused_points() {
    let Some(services) = Services::with(&["INFLUXDB", "INFLUXDB_ORG", "INFLUXDB_TOKEN"]) else {
        return;
    };
    let bucket = unique("refused");
    let influx = Influx2::with_an_hour(&services, &bucket).await;
    let place = Place::V2 {
        org: services.get("INFLUXDB_ORG").to_owned(),
        bucket,
    };
    let token = Credentials::Token(SecretSource::Fixed(Secret::new(services.get("INFLUXDB_TOKEN"))));
    let target = target(&services, "INFLUXDB", place, token);
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || every_second_is_refused(&target, &runtime))
        .await
        .unwrap();
    assert_eq!(influx.points("m").await.len(), POINTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn influxdb_1_reports_enough_to_find_refused_points() {
    let Some(services) = Services::with(&["INFLUXDB1"]) else {
        return;
    };
    for v2 in [false, true] {
        let database = unique("refused");
        let influx = Influx1::with_an_hour(&services, &database).await;
        let place = if v2 {
            Place::V2 {
                org: "any".to_owned(),
                bucket: format!("{database}/autogen"),
            }
        } else {
            Place::V1 { database }
        };
        let target = target(&services, "INFLUXDB1", place, Credentials::None);
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || every_second_is_refused(&target, &runtime))
            .await
            .unwrap();
        assert_eq!(influx.points("m").await.len(), POINTS);
    }
}
