//! Dead letters may be as large as a broker takes: a page has the beginning of each, and page and file are of limited size.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod served;

use devstack::{Broker, RegistryServer};
use reqwest::Client;
use serde_json::Value;
use testkit::raw::Batch;

use served::{Served, settings};

const DEAD_LETTERS: &str = "group.dead-letter";
/// Three are more than a page may have, and less than the embedded broker keeps.
const BYTES: usize = 1_500_000;
const LETTERS: usize = 3;
const MAX_PAGE_BYTES: usize = 100_000;

#[tokio::test(flavor = "multi_thread")]
async fn large_dead_letters_make_no_large_page() {
    let (broker, registry) = (Broker::start().unwrap(), RegistryServer::start().await.unwrap());
    broker.create_topic(DEAD_LETTERS, 1).unwrap();
    let value = "x".repeat(BYTES);
    for offset in 0..LETTERS {
        let offset = offset.to_string();
        let headers: [(&[u8], &[u8]); 5] = [
            (b"topic", b"Test_telemetry"),
            (b"partition", b"0"),
            (b"offset", offset.as_bytes()),
            (b"stage", b"parse"),
            (b"reason", b"too_large"),
        ];
        let letter = Batch::new().record(value.as_bytes(), &headers);
        letter.send(broker.bootstrap_servers(), DEAD_LETTERS, 0).unwrap();
    }
    let served = Served::start(settings(broker.bootstrap_servers(), &registry), Client::new()).await;

    let page = served.text("dead-letters").await;
    assert!(page.len() < MAX_PAGE_BYTES, "{} bytes", page.len());
    assert!(page.contains("The newest 2 of 3"), "{page}");
    assert!(page.contains("the first 4,096 of 1,500,000 bytes"), "{page}");

    let url = format!("{}dead-letters.json", served.address);
    let answer = served.client.get(url).send().await.unwrap();
    assert_eq!(answer.headers()["x-total-count"], "3");
    let letters: Vec<Value> = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(letters.len(), 2);
    assert_eq!(
        letters[0]["original"].as_str().map(str::len),
        Some(BYTES),
        "a file has all of it"
    );
    assert_eq!(letters[0]["origin"]["offset"], 2, "the newest come first");
}
