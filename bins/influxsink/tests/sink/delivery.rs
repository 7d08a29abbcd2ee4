//! Delivery to a database that fails in all the ways that writers must survive. Each point is a number; how it ended is
//! recorded.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use influxsink::batch::{Batch, BatchedPoint};
use influxsink::metrics::SinkMetrics;
use influxsink::write::{
    Credentials, Delivery, Destination, Ended, InfluxTarget, InfluxWriter, Outcomes, Place, SecretSource,
};
use stage::config::Secret;
use stage::reason::Reason;
use stage::service::{Readiness, Shutdown};
use testkit::influx::{Answer, InfluxServer};
use testkit::until_true;
use tokio::runtime::{Builder, Runtime};

/// The stand-in, its runtime, and a delivery to it.
struct Stage {
    runtime: Runtime,
    server: InfluxServer,
    readiness: Readiness,
    shutdown: Shutdown,
    metrics: SinkMetrics,
}

#[derive(Debug, Default)]
struct Noted {
    written: Vec<usize>,
    rejected: BTreeMap<usize, (&'static str, String)>,
    abandoned: bool,
}

impl Outcomes<usize> for Noted {
    fn written(&mut self, points: impl Iterator<Item = BatchedPoint<usize>>) {
        self.written.extend(points.map(|point| point.kept));
    }
    fn rejected(&mut self, point: BatchedPoint<usize>, reason: Reason) {
        assert_eq!(
            self.rejected.insert(point.kept, (reason.reason, reason.detail)),
            None,
            "each point ends once"
        );
    }
    fn is_abandoned(&self, _: &usize) -> bool {
        self.abandoned
    }
}

impl Stage {
    fn new() -> Stage {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let server = runtime.block_on(InfluxServer::start()).unwrap();
        let metrics = SinkMetrics::register(&prometheus::Registry::new()).unwrap();
        let shutdown = Shutdown::new(Duration::from_millis(300));
        Stage {
            runtime,
            server,
            readiness: Readiness::default(),
            shutdown,
            metrics,
        }
    }

    fn delivery_to(&self, place: Place, credentials: Credentials) -> Delivery {
        let target = InfluxTarget {
            base: self.server.url().parse().unwrap(),
            place,
            create: false,
            credentials,
            gzip: true,
            timeout: Duration::from_millis(500),
            ca_file: None,
        };
        let writer = InfluxWriter::new(&target, self.metrics.clone(), self.runtime.handle().clone()).unwrap();
        let part = self.readiness.dependency("database");
        Delivery::new(
            Destination::Influx(writer),
            self.metrics.clone(),
            part,
            self.shutdown.clone(),
        )
    }

    fn delivery(&self) -> Delivery {
        self.delivery_to(v2(), Credentials::None)
    }

    fn deliver(&self, mut batch: Batch<usize>) -> Noted {
        let mut noted = Noted::default();
        assert_eq!(self.delivery().deliver(batch.take(), &mut noted), Ended::Settled);
        noted
    }

    fn retries(&self, reason: &str) -> u64 {
        self.metrics.retries.with_label_values(&[reason]).get()
    }
}

fn v2() -> Place {
    Place::V2 {
        org: "lsst".into(),
        bucket: "efd".into(),
    }
}

/// Points 0, 1, … of one measurement, at times 1, 2, …
fn batch(lines: impl IntoIterator<Item = String>) -> Batch<usize> {
    batch_at(1, lines)
}

/// The same from time `first` on.
fn batch_at(first: usize, lines: impl IntoIterator<Item = String>) -> Batch<usize> {
    let mut batch = Batch::default();
    for (at, fields) in lines.into_iter().enumerate() {
        batch
            .lines_mut()
            .extend_from_slice(format!("m {fields} {}\n", first + at).as_bytes());
        batch.add(at, (first + at) as i64);
    }
    batch
}

fn good(points: usize) -> Batch<usize> {
    batch((0..points).map(|at| format!("v={at}i")))
}

#[test]
fn points_arrive_by_both_interfaces_compressed_or_not() {
    for place in [
        v2(),
        Place::V1 {
            database: "efd".into(),
        },
    ] {
        let stage = Stage::new();
        let mut noted = Noted::default();
        stage
            .delivery_to(place, Credentials::None)
            .deliver(good(100).take(), &mut noted);
        assert_eq!(noted.written, (0..100).collect::<Vec<_>>());
        let points = stage.server.points();
        assert_eq!(points.len(), 100);
        assert!(points.keys().any(|key| key.time_ns == 100_000), "microseconds");
        assert!(stage.readiness.is_ready());
        assert!(stage.metrics.sent_bytes.get() < stage.metrics.line_bytes.get());
    }
}

#[test]
fn one_bad_point_among_5000_costs_only_itself() {
    for place in [
        v2(),
        Place::V1 {
            database: "efd".into(),
        },
    ] {
        let stage = Stage::new();
        stage.server.reject_lines_with("v=3210i");
        let mut noted = Noted::default();
        stage
            .delivery_to(place, Credentials::None)
            .deliver(good(5_000).take(), &mut noted);
        assert_eq!(noted.written.len(), 4_999);
        assert_eq!(noted.rejected.keys().collect::<Vec<_>>(), [&3210]);
        let (reason, detail) = &noted.rejected[&3210];
        assert!(
            *reason == "rejected" && detail.contains("unable to parse 'm v=3210i 3211'"),
            "{detail}"
        );
        assert_eq!(stage.server.points().len(), 4_999);
        assert!(
            stage.server.counts().requests <= 30,
            "{:?}",
            stage.server.counts()
        );
    }
}

#[test]
fn a_type_conflict_in_a_partial_write_costs_only_the_points_in_conflict() {
    let stage = Stage::new();
    let of = |at: usize| {
        if at % 10 == 7 {
            format!("v={at}i")
        } else {
            format!("v={at}.5")
        }
    };
    let noted = stage.deliver(batch((0..50).map(of)));
    assert_eq!(
        noted.rejected.keys().copied().collect::<Vec<_>>(),
        [7, 17, 27, 37, 47]
    );
    assert!(
        noted.rejected[&7].1.contains("field type conflict"),
        "{:?}",
        noted.rejected[&7]
    );
    assert_eq!((noted.written.len(), stage.server.points().len()), (45, 45));
}

#[test]
fn points_beyond_retention_are_kept_as_dead_letters() {
    let stage = Stage::new();
    let body = r#"{"code":"unprocessable entity","message":"failure writing points to database: partial write: points beyond retention policy dropped=1"}"#;
    // The whole, its first half (one point), and not the second.
    for _ in 0..2 {
        stage.server.answer_next(Answer::status(422).body(body));
    }
    let noted = stage.deliver(good(2));
    assert_eq!(noted.written, [1]);
    assert!(noted.rejected[&0].1.contains("beyond retention policy"));
}

#[test]
fn many_refused_points_cost_a_few_requests() {
    const POINTS: usize = 1_000;
    let refused = |at: usize| at.is_multiple_of(2);
    for place in [
        v2(),
        Place::V1 {
            database: "efd".into(),
        },
    ] {
        // Every second point is older than the bucket keeps: 1 to 500 of 1 to 1,500.
        let stage = Stage::new();
        stage.server.retain_from(501);
        let mut batch = Batch::default();
        for at in 0..POINTS {
            let time = if refused(at) { at / 2 + 1 } else { 501 + at };
            batch
                .lines_mut()
                .extend_from_slice(format!("m v={at}i {time}\n").as_bytes());
            batch.add(at, time as i64);
        }
        check(&stage, place.clone(), batch, refused, "retention policy", 3);

        // Every second has a field of another type, of two kinds.
        let stage = Stage::new();
        stage.deliver(batch_at(0, ["v=1.5,w=t".to_owned()]));
        let of = |at: usize| match at % 4 {
            0 => format!("v={at}i"),
            2 => "w=\"text\"".to_owned(),
            _ => format!("v={at}.5"),
        };
        let batch = batch_at(1, (0..POINTS).map(of));
        check(&stage, place.clone(), batch, refused, "field type conflict", 6);

        // Every second is malformed, for all that the database knows.
        let stage = Stage::new();
        stage.server.reject_lines_with("poison");
        let of = |at| format!("v={at}i,s=\"{}\"", if refused(at) { "poison" } else { "cure" });
        let batch = batch_at(1, (0..POINTS).map(of));
        check(&stage, place, batch, refused, "unable to parse", 3);
    }
}

/// Delivers, and checks which points were refused, with which message, and after how many requests.
fn check(
    stage: &Stage,
    place: Place,
    mut batch: Batch<usize>,
    refused: impl Fn(usize) -> bool,
    words: &str,
    most_requests: u64,
) {
    let points = batch.points();
    let before = stage.server.counts();
    let stored = stage.server.points().len();
    let mut noted = Noted::default();
    stage
        .delivery_to(place, Credentials::None)
        .deliver(batch.take(), &mut noted);
    let rejected: Vec<_> = noted.rejected.keys().copied().collect();
    let expected: Vec<_> = (0..points).filter(|at| refused(*at)).collect();
    assert_eq!(rejected, expected, "{words}");
    for (_, detail) in noted.rejected.values() {
        assert!(detail.contains(words) && detail.len() < 1_000, "{detail}");
    }
    noted.written.sort_unstable();
    assert_eq!(
        noted.written,
        (0..points).filter(|at| !refused(*at)).collect::<Vec<_>>()
    );
    assert_eq!(stage.server.points().len() - stored, points - expected.len());
    let requests = stage.server.counts().requests - before.requests;
    assert!(requests <= most_requests, "{words}: {requests} requests");
}

#[test]
fn a_whole_batch_beyond_retention_is_one_request() {
    let stage = Stage::new();
    stage.server.retain_from(1_000_000);
    let noted = stage.deliver(good(5_000));
    assert_eq!((noted.written.len(), noted.rejected.len()), (0, 5_000));
    assert_eq!(stage.server.counts().requests, 1);
}

#[test]
fn wrong_messages_cost_requests_and_no_point() {
    // As from a proxy that reports a partial write, stored nothing, and gives the wrong number.
    let body = r#"{"error":"partial write: points beyond retention policy dropped=7"}"#;
    let stage = Stage::new();
    stage.server.answer_next(Answer::status(400).body(body));
    stage.server.retain_from(3);
    let noted = stage.deliver(good(100));
    assert_eq!(noted.rejected.keys().collect::<Vec<_>>(), [&0, &1]);
    assert_eq!((noted.written.len(), stage.server.points().len()), (98, 98));
}

#[test]
fn too_large_requests_are_split() {
    let stage = Stage::new();
    stage.server.body_limit(200);
    let long = batch((0..40).map(|at| {
        if at == 20 {
            format!("s=\"{}\"", "x".repeat(300))
        } else {
            format!("v={at}i")
        }
    }));
    let noted = stage.deliver(long);
    assert_eq!(noted.written.len(), 39);
    assert_eq!(noted.rejected[&20].0, "too_large");
    assert_eq!(stage.server.points().len(), 39);
}

#[test]
fn a_busy_database_is_given_the_time_it_asks_for() {
    for status in [429, 503] {
        let stage = Stage::new();
        stage
            .server
            .answer_next(Answer::status(status).header("Retry-After", "1"));
        let begun = Instant::now();
        let noted = stage.deliver(good(3));
        assert!(begun.elapsed() >= Duration::from_secs(1), "{status}");
        assert_eq!(noted.written.len(), 3);
        assert_eq!(stage.server.counts().requests, 2);
    }
}

#[test]
fn server_errors_timeouts_and_invalid_answers_are_retried() {
    let stage = Stage::new();
    for status in [500, 502, 504, 302, 405] {
        stage.server.answer_next(Answer::status(status));
    }
    let noted = stage.deliver(good(3));
    assert_eq!((noted.written.len(), noted.rejected.len()), (3, 0));
    assert_eq!(
        (stage.retries("server_error"), stage.retries("unexpected_status")),
        (3, 2)
    );

    let stage = Stage::new();
    stage.server.delay(Duration::from_secs(1));
    let mut noted = Noted::default();
    let mut delivery = stage.delivery();
    std::thread::scope(|scope| {
        let delivered = scope.spawn(|| delivery.deliver(good(3).take(), &mut noted));
        until_true("a retry after a time-out", 30, || stage.retries("timeout") > 0);
        assert!(!stage.readiness.is_ready());
        stage.server.delay(Duration::ZERO);
        assert_eq!(delivered.join().unwrap(), Ended::Settled);
    });
    assert_eq!(noted.written.len(), 3);
}

/// A page as a proxy, a captive portal or another service of the same host gives it.
fn page(status: u16) -> Answer {
    let page = "<!doctype html>\n<title>Welcome</title>\nSign in to the \u{1b}[2Jnetwork";
    Answer::status(status)
        .header("Content-Type", "text/html; charset=utf-8")
        .body(page)
}

#[test]
fn only_what_a_write_endpoint_answers_is_a_write() {
    let health = r#"{"name":"influxdb","message":"ready for queries and writes","status":"pass"}"#;
    let json = |status| Answer::status(status).header("Content-Type", "application/json");
    for (answer, told) in [
        (page(200), "200, text/html; charset=utf-8: <!doctype html>"),
        (json(200).body(health), "ready for queries and writes"),
        (
            Answer::status(200),
            "200, text/plain; charset=utf-8: nothing in it",
        ),
        (json(202).body("{}"), "202, application/json: {}"),
        (page(201), "201, text/html"),
        (Answer::status(206), "206"),
        (
            page(302).header("Location", "https://portal.example/login"),
            "redirects to https://portal.example/login",
        ),
        (Answer::status(307), "307"),
        // Not about the points either: a web server that receives an unexpected request.
        (page(400), "400, text/html"),
        (
            Answer::status(400).body("Client sent an HTTP request to an HTTPS server.\n"),
            "400, text/plain; charset=utf-8: Client sent an HTTP request to an HTTPS server.",
        ),
        (page(422), "422, text/html"),
        (json(400).body("[1, 2]"), "400, application/json: [1, 2]"),
    ] {
        let stage = Stage::new();
        stage.server.answer_always(Some(answer));
        let mut delivery = stage.delivery();
        delivery.probe();
        assert!(!stage.readiness.is_ready(), "the probe believed in {told}");
        let mut noted = Noted::default();
        let why = std::thread::scope(|scope| {
            let delivered = scope.spawn(|| delivery.deliver(good(3).take(), &mut noted));
            until_true("two retries", 30, || stage.server.counts().requests > 2);
            let why = stage.readiness.missing().pop();
            stage.server.answer_always(None);
            assert_eq!(delivered.join().unwrap(), Ended::Settled);
            why
        });
        let (_, why) = why.expect(told);
        assert!(
            why.contains(told) && why.contains("not the write endpoint of an InfluxDB"),
            "{told}: {why}"
        );
        assert!(!why.contains('\u{1b}'), "{why}");
        assert_eq!((noted.written.len(), noted.rejected.len()), (3, 0), "{told}");
        assert_eq!(stage.server.points().len(), 3, "{told}");
        assert!(stage.readiness.is_ready());
    }
}

#[test]
fn a_page_without_an_end_is_read_only_at_its_beginning() {
    let stage = Stage::new();
    stage
        .server
        .answer_next(Answer::status(200).body(&"x".repeat(20_000_000)));
    let noted = stage.deliver(good(3));
    assert_eq!((noted.written.len(), stage.retries("unexpected_status")), (3, 1));
}

#[test]
fn a_request_that_was_stored_in_part_is_not_a_write() {
    // InfluxDB Cloud Dedicated, where partial writes are switched on.
    let body = r#"{"error":"partial write of line protocol occurred","data":[{"original_line":"m v=0i 1","line_number":1,"error_message":"invalid column type"}]}"#;
    let stage = Stage::new();
    stage.server.answer_next(
        Answer::status(201)
            .header("Content-Type", "application/json")
            .body(body),
    );
    let noted = stage.deliver(good(3));
    assert_eq!(noted.written.len(), 3, "sent again, and then taken");
    assert_eq!(stage.server.points().len(), 3);
}

#[test]
fn a_bucket_or_token_that_is_not_there_yet_is_waited_for() {
    let stage = Stage::new();
    stage.server.require_bucket(&[]);
    stage.server.require_token("right");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "wrong\n").unwrap();
    let mut delivery = stage.delivery_to(v2(), Credentials::Token(SecretSource::File(file.clone())));
    delivery.probe();
    let why = stage.readiness.missing();
    assert!(
        why[0].1.contains("unauthorized access"),
        "known before there is data: {why:?}"
    );

    let mut noted = Noted::default();
    std::thread::scope(|scope| {
        let delivered = scope.spawn(|| delivery.deliver(good(3).take(), &mut noted));
        until_true("a retry after 401", 30, || stage.retries("unauthorized") > 0);
        // The file changes; the sink reads it again by itself.
        std::fs::write(&file, "right\n").unwrap();
        until_true("a retry after 404", 30, || stage.retries("not_found") > 0);
        let why = stage.readiness.missing();
        assert!(why[0].1.contains("bucket \"efd\" not found"), "{why:?}");
        stage.server.require_bucket(&["efd"]);
        assert_eq!(delivered.join().unwrap(), Ended::Settled);
    });
    assert_eq!((noted.written.len(), noted.rejected.len()), (3, 0));
    assert!(stage.readiness.is_ready());
}

#[test]
fn a_token_revoked_right_after_it_was_replaced_in_its_file_causes_no_wait() {
    let stage = Stage::new();
    stage.server.require_token("first");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "first\n").unwrap();
    let mut delivery = stage.delivery_to(v2(), Credentials::Token(SecretSource::File(file.clone())));
    let mut noted = Noted::default();
    delivery.deliver(good(3).take(), &mut noted);
    // Before the file is checked again.
    std::fs::write(&file, "second\n").unwrap();
    stage.server.require_token("second");
    delivery.deliver(good(3).take(), &mut noted);
    assert_eq!(noted.written.len(), 6);
    assert_eq!(stage.retries("unauthorized"), 0);
}

#[test]
fn an_absent_database_is_waited_for() {
    let mut stage = Stage::new();
    let mut delivery = stage.delivery();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(stage.server.down());
    let mut noted = Noted::default();
    std::thread::scope(|scope| {
        let delivered = scope.spawn(|| delivery.deliver(good(3).take(), &mut noted));
        let retries = stage.metrics.retries.clone();
        until_true("two retries", 30, || {
            retries.with_label_values(&["connect"]).get() > 1
        });
        assert!(!stage.readiness.is_ready());
        runtime.block_on(stage.server.up()).unwrap();
        assert_eq!(delivered.join().unwrap(), Ended::Settled);
    });
    assert_eq!(noted.written.len(), 3);
}

#[test]
fn an_end_or_a_revoked_partition_gives_points_up_unfinished() {
    let stage = Stage::new();
    stage.server.answer_always(Some(Answer::status(500)));
    let mut revoked = Noted {
        abandoned: true,
        ..Noted::default()
    };
    assert_eq!(
        stage.delivery().deliver(good(3).take(), &mut revoked),
        Ended::GivenUp
    );

    stage.shutdown.ask();
    let mut noted = Noted::default();
    assert_eq!(
        stage.delivery().deliver(good(3).take(), &mut noted),
        Ended::GivenUp
    );
    assert!(noted.written.is_empty() && noted.rejected.is_empty(), "{noted:?}");
}

#[test]
fn a_token_shows_nowhere() {
    let stage = Stage::new();
    let delivery = stage.delivery_to(
        v2(),
        Credentials::Token(SecretSource::Fixed(Secret::new("s3cr3t"))),
    );
    assert!(!format!("{delivery:?}").contains("s3cr3t"));
}
