//! What the Overview says of the stages, with made-up `/metrics` in their place: the lag in messages and in time, how long a
//! message takes, how old points are at the database, dead letters by reason, and whether the counts add up.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod served;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use console::Settings;
use devstack::{Broker, RegistryServer};
use regex::Regex;
use reqwest::Client;
use tokio::net::TcpListener;

use served::{Served, settings};

/// Serves the metrics of a process that has consumed 100 more messages each time it is asked.
async fn stage(metrics: fn(u64) -> String) -> String {
    let asked = Arc::new(AtomicU64::new(10));
    let answer = move || {
        let count = 100 * asked.fetch_add(1, Ordering::Relaxed);
        async move { metrics(count) }
    };
    let router = Router::new()
        .route("/metrics", get(answer))
        .route("/ready", get(async || "ready\n"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Nine of ten messages take at most a millisecond, and all of them ten. Five messages are in flight, and the gauge that says
/// so is read a moment before or after the counters.
fn of_saltransform(count: u64) -> String {
    format!(
        "saltransform_consumed_total {count}\nsaltransform_produced_total {}\n\
         saltransform_dead_letters_total{{stage=\"parse\",reason=\"bad_header\"}} 7\n\
         saltransform_dead_letters_total{{stage=\"encode\",reason=\"out_of_range\"}} 2\n\
         saltransform_dead_letters_total{{stage=\"encode\",reason=\"never_seen\"}} 0\n\
         saltransform_transform_seconds_bucket{{le=\"0.001\"}} {}\n\
         saltransform_transform_seconds_bucket{{le=\"0.01\"}} {count}\n\
         saltransform_transform_seconds_bucket{{le=\"+Inf\"}} {count}\n\
         saltransform_lag_seconds{{subsystem=\"Test\"}} 1.5\nsaltransform_lag_seconds{{subsystem=\"ATDome\"}} 12\n\
         kafka_consumer_lag{{topic=\"Test_telemetry\",partition=\"0\"}} 1200\n\
         kafka_consumer_lag{{topic=\"ATDome_telemetry\",partition=\"0\"}} 34\nkafka_in_flight_messages {}\n",
        count - 14,
        count / 10 * 9,
        4 + count / 100 % 2 * 2
    )
}

/// Half of the points are at most half a second old, and all of them one; a request takes at most 20 milliseconds. Three
/// messages have come to nothing.
fn of_influxsink(count: u64) -> String {
    format!(
        "influxsink_consumed_total {count}\ninfluxsink_written_total {}\n\
         influxsink_dead_letters_total{{stage=\"decode\",reason=\"unknown_schema\"}} 4\n\
         influxsink_point_age_seconds_bucket{{le=\"0.5\"}} {}\n\
         influxsink_point_age_seconds_bucket{{le=\"1\"}} {count}\n\
         influxsink_point_age_seconds_bucket{{le=\"+Inf\"}} {count}\n\
         influxsink_request_seconds_bucket{{le=\"0.02\"}} {count}\n\
         influxsink_request_seconds_bucket{{le=\"+Inf\"}} {count}\n\
         influxsink_lag_seconds{{subsystem=\"Test\"}} 0.25\n\
         kafka_consumer_lag{{topic=\"lsst.sal.Test_scalars\",partition=\"0\"}} 56\n",
        count - 7,
        count / 2
    )
}

/// The text that stands between a mark and another, without its markup.
fn text(page: &str, from: &str, to: &str) -> String {
    let (_, part) = page
        .split_once(from)
        .unwrap_or_else(|| panic!("no {from} in {page}"));
    let (part, _) = part.split_once(to).unwrap_or_else(|| panic!("no {to} in {part}"));
    let part = Regex::new("<svg.*?</svg>").unwrap().replace_all(part, " ");
    let part = Regex::new("<[^>]*>").unwrap().replace_all(&part, " ");
    part.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_has_times_ages_lags_and_reasons() {
    let (broker, registry) = (Broker::start().unwrap(), RegistryServer::start().await.unwrap());
    let settings = Settings {
        metrics: vec![stage(of_saltransform).await, stage(of_influxsink).await],
        interval: Duration::from_millis(100),
        ..settings(broker.bootstrap_servers(), &registry)
    };
    let served = Served::start(settings, Client::new()).await;
    // Quantiles are of the time between two looks; whether counts add up is known after some more.
    let complete = async {
        loop {
            let page = served.text("").await;
            if page.contains("p99 9.10 ms") && page.contains("p99 990 ms") && page.contains("missing") {
                break page;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let page = match tokio::time::timeout(Duration::from_secs(60), complete).await {
        Ok(page) => page,
        Err(_) => panic!("{}", served.text("").await),
    };

    let nodes: Vec<&str> = page.split("<li class=\"node").skip(1).collect();
    let node = |number: usize| text(nodes[number], ">", "</li>");
    assert_eq!(node(0), "SAL sends text");
    assert_eq!(node(1), "Kafka text topics lag 1,234 12.0 s");
    assert_eq!(
        node(2),
        "saltransform text → Avro time 556 µs p99 9.10 ms 1 process ready"
    );
    assert_eq!(node(3), "Kafka record topics lag 56 250 ms");
    assert_eq!(
        node(4),
        "influxsink Avro → points write 10.0 ms p99 19.8 ms 1 process ready"
    );
    assert_eq!(node(5), "Database not named age 500 ms p99 990 ms");

    let lag = text(&page, "<div id=\"lag\">", "</tbody>");
    assert!(lag.contains("saltransform stage 1,234 12.0 s"), "{lag}");
    assert!(lag.contains("influxsink stage 56 250 ms"), "{lag}");
    let refused = text(&page, "<div id=\"refused\">", "</table>");
    assert_eq!(
        refused,
        "Stage Step Reason Messages saltransform parse bad_header 7 saltransform encode out_of_range 2 influxsink decode \
         unknown_schema 4"
    );
    assert!(
        page.contains("href=\"dead-letters?step=parse&amp;reason=bad_header\""),
        "{page}"
    );
    let counts = text(&page, "<div id=\"counts\">", "</tbody>");
    assert!(counts.contains("9 0 5 adds up"), "{counts}");
    assert!(counts.ends_with("4 0 0 3 missing"), "{counts}");
    let verdict = text(&page, "class=\"verdict", "</ul>");
    assert!(
        verdict.contains("influxsink counts do not add up: 3 messages unaccounted for"),
        "{verdict}"
    );
    let ages = text(&page, "<figcaption>", "</figcaption>");
    assert!(ages.contains("now 990 ms, at most 990 ms"), "{ages}");
}
