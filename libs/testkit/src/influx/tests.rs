//! Tests the stand-in with a plain HTTP client.

use std::io::Write as _;

use super::*;

const V2: &str = "/api/v2/write?org=o&bucket=b&precision=us";
const V1: &str = "/write?db=efd&precision=u";

async fn write(server: &InfluxServer, path: &str, body: &str) -> (u16, String) {
    let request = reqwest::Client::new()
        .post(server.url() + path)
        .body(body.to_owned());
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_replay_overwrites_itself() {
    let server = InfluxServer::start().await.unwrap();
    assert_eq!(write(&server, V2, "m f=1 1\nm f=2,g=1i 2").await.0, 204);
    assert_eq!(write(&server, V1, "m f=3 2").await.0, 204);
    let points = server.points();
    let fields: Vec<_> = points
        .iter()
        .map(|(key, fields)| (key.time_ns, fields["f"].clone()))
        .collect();
    assert_eq!(
        fields,
        [(1000, FieldValue::Float(1.0)), (2000, FieldValue::Float(3.0))]
    );
    assert_eq!(
        points.values().nth(1).unwrap().len(),
        2,
        "fields are merged, not replaced"
    );
    let counts = server.counts();
    assert_eq!(
        (
            counts.requests,
            counts.accepted,
            counts.created,
            counts.overwritten
        ),
        (2, 3, 2, 1)
    );
}

#[tokio::test]
async fn takes_gzip_and_answers_413_over_the_limit() {
    let server = InfluxServer::start().await.unwrap();
    let lines: String = (0..100).map(|i| format!("m f={i} {i}\n")).collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(lines.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let send = || {
        let client = reqwest::Client::new()
            .post(server.url() + V2)
            .header("Content-Encoding", "gzip");
        client.body(gzip.clone()).send()
    };
    assert_eq!(send().await.unwrap().status(), 204);
    assert_eq!(server.points().len(), 100);
    server.body_limit(lines.len() - 1);
    assert_eq!(send().await.unwrap().status(), 413);
}

#[tokio::test]
async fn a_bad_line_refuses_the_request_on_v2_and_itself_on_v1() {
    let server = InfluxServer::start().await.unwrap();
    let (status, body) = write(&server, V2, "m f=1 1\nm f=x 2").await;
    assert_eq!(status, 400);
    assert!(
        body.starts_with(r#"{"code":"invalid","message":"unable to parse 'm f=x 2'"#),
        "{body}"
    );
    assert_eq!(server.points().len(), 0);
    let (status, body) = write(&server, V1, "m f=1 1\nm f=x 2").await;
    assert_eq!(status, 400);
    assert!(body.contains("partial write"), "{body}");
    assert_eq!(server.points().len(), 1);
    server.reject_lines_with("poison");
    assert_eq!(write(&server, V2, "m s=\"poison\" 5").await.0, 400);
    assert_eq!(write(&server, V2, "m s=\"cure\" 5").await.0, 204);
    assert_eq!(server.counts().rejected, 3);
}

#[tokio::test]
async fn a_type_conflict_refuses_only_its_own_line() {
    let server = InfluxServer::start().await.unwrap();
    let (status, body) = write(&server, V2, "m f=1 1\nm f=1i 2\nm f=3 3").await;
    assert_eq!(status, 422);
    assert!(
        body.contains(r#"is type integer, already exists as type float dropped=1"#),
        "{body}"
    );
    assert_eq!(write(&server, V1, "m f=t 4").await.0, 400);
    assert_eq!(server.points().len(), 2);
}

#[tokio::test]
async fn retention_drops_older_points_and_stores_the_rest() {
    let server = InfluxServer::start().await.unwrap();
    server.retain_from(10);
    let (status, body) = write(&server, V2, "m f=1 9\nm f=2 10\nm f=3 1").await;
    assert_eq!(status, 422);
    assert!(
        body.contains("partial write: dropped 2 points outside retention policy"),
        "{body}"
    );
    assert!(body.contains(" dropped=2 for database"), "{body}");
    let (status, body) = write(&server, V1, "m f=1 9\nm f=4 11").await;
    assert_eq!(
        (status, body.as_str()),
        (
            400,
            r#"{"error":"partial write: points beyond retention policy dropped=1"}"#
        )
    );
    let counts = server.counts();
    assert_eq!((counts.accepted, counts.rejected), (2, 3));
}

#[tokio::test]
async fn injected_answers_come_first_and_in_order() {
    let server = InfluxServer::start().await.unwrap();
    server.answer_next(Answer::status(503).header("Retry-After", "2").body("busy"));
    server.answer_next(Answer::status(429));
    let answer = reqwest::Client::new()
        .post(server.url() + V2)
        .body("m f=1 1")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["Retry-After"]),
        (503, &"2".parse().unwrap())
    );
    assert_eq!(answer.text().await.unwrap(), "busy");
    assert_eq!(write(&server, V2, "m f=1 1").await.0, 429);
    assert_eq!(write(&server, V2, "m f=1 1").await.0, 204);
    server.answer_always(Some(Answer::status(500)));
    assert_eq!(write(&server, V2, "m f=1 1").await.0, 500);
    server.answer_always(None);
    assert_eq!(write(&server, V2, "m f=1 1").await.0, 204);
}

#[tokio::test]
async fn token_and_bucket_are_checked_on_demand() {
    let server = InfluxServer::start().await.unwrap();
    server.require_token("t");
    assert_eq!(write(&server, V2, "m f=1 1").await.0, 401);
    server.require_bucket(&["b"]);
    let authorized = |path: &str| {
        let request = reqwest::Client::new()
            .post(server.url() + path)
            .header("Authorization", "Token t");
        request.body("m f=1 1").send()
    };
    assert_eq!(authorized(V1).await.unwrap().status(), 404);
    assert_eq!(authorized(V2).await.unwrap().status(), 204);
    assert_eq!(authorized("/api/v2/write?bucket=b").await.unwrap().status(), 400);
    assert_eq!(
        authorized("/api/v2/write?org=o&bucket=b&precision=m")
            .await
            .unwrap()
            .status(),
        400
    );
}

#[tokio::test]
async fn goes_down_and_comes_up_with_its_points() {
    let mut server = InfluxServer::start().await.unwrap();
    let client = reqwest::Client::new();
    let send = || client.post(server.url() + V2).body("m f=1 1").send();
    assert_eq!(send().await.unwrap().status(), 204);
    let url = server.url();
    server.down().await;
    assert!(
        client
            .get(format!("{url}/ping"))
            .send()
            .await
            .unwrap_err()
            .is_connect()
    );
    server.up().await.unwrap();
    assert_eq!(
        client.get(format!("{url}/ping")).send().await.unwrap().status(),
        204
    );
    assert_eq!(server.points().len(), 1);
}

#[tokio::test]
async fn a_delay_holds_the_response_back() {
    let server = InfluxServer::start().await.unwrap();
    server.delay(Duration::from_millis(300));
    let started = std::time::Instant::now();
    assert_eq!(write(&server, V2, "m f=1 1").await.0, 204);
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_body_beyond_all_limits_is_refused() {
    let server = InfluxServer::start().await.unwrap();
    let long = "x".repeat(DEFAULT_BODY_LIMIT + 2_000_000);
    let request = reqwest::Client::new().post(server.url() + V2).body(long).send();
    // The rest of the body is not read, so the response can be lost with the connection.
    if let Ok(answer) = request.await {
        assert_eq!(answer.status(), 413);
    }
    assert_eq!(write(&server, V2, "m f=1 1").await.0, 204);
}
