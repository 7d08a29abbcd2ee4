//! Searches of messages over an embedded broker: what is found comes as events until the search is over, a search ends when
//! its reader goes, and only a few run at a time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod served;

use std::time::Duration;

use devstack::{Broker, RegistryServer};
use reqwest::{Client, Response};
use testkit::raw::Batch;

use served::{Served, settings};

const TOPIC: &str = "lsst.sal.Test_scalars";
/// As many as are searched at a time.
const SEARCHES: usize = 4;

struct Page {
    served: Served,
    _broker: Broker,
    _registry: RegistryServer,
}

impl Page {
    /// A console of a topic that holds this many messages, `m0` to `m9` over and over.
    async fn start(messages: usize) -> Self {
        let one_of_ten =
            |batch: Batch, number: usize| batch.record(format!("m{}", number % 10).as_bytes(), &[]);
        Self::with(&(0..1_000).fold(Batch::new(), one_of_ten), messages / 1_000).await
    }

    /// A console of a topic that holds this batch several times.
    async fn with(batch: &Batch, times: usize) -> Self {
        let broker = Broker::start().unwrap();
        broker.create_topic(TOPIC, 1).unwrap();
        for _ in 0..times {
            batch.send(broker.bootstrap_servers(), TOPIC, 0).unwrap();
        }
        let registry = RegistryServer::start().await.unwrap();
        let settings = settings(broker.bootstrap_servers(), &registry);
        Self {
            served: Served::start(settings, Client::new()).await,
            _broker: broker,
            _registry: registry,
        }
    }

    /// The events of a search through all messages.
    async fn events(&self, query: &str) -> Response {
        let path = format!("messages-events?topic={TOPIC}&start=beginning&{query}");
        self.served.get(&path).await
    }
}

/// Reads events until they contain a text; all events so far.
async fn read_until(events: &mut Response, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        let chunk = tokio::time::timeout(Duration::from_secs(60), events.chunk()).await;
        let chunk = chunk.unwrap_or_else(|_| panic!("no {wanted} in {text}"));
        let chunk = chunk
            .unwrap()
            .unwrap_or_else(|| panic!("ended without {wanted}: {text}"));
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_comes_until_the_end() {
    let page = Page::start(5_000).await;
    let mut events = page.events("n=500&filter=value+%3D%3D+%27m7%27").await;
    let text = read_until(&mut events, "data: end\n").await;
    assert!(
        text.starts_with("data: results\n"),
        "what the page has found is replaced: {text}"
    );
    assert_eq!(text.matches("<details").count(), 500);
    assert!(
        text.contains("500 messages found, searched 4,998 of 5,000"),
        "{text}"
    );
    let mut events = page.events("filter=value+%3D%3D+%27none%27").await;
    let text = read_until(&mut events, "data: end\n").await;
    assert!(
        !text.contains("results+") && text.contains("0 messages found, searched 5,000 of 5,000"),
        "{text}"
    );
    let mut events = page.events("filter=nonsense+%3D%3D").await;
    let text = read_until(&mut events, "data: end\n").await;
    assert!(text.contains("role=\"alert\""), "{text}");
    let mut events = page.served.get("messages-events?topic=none").await;
    let text = read_until(&mut events, "data: end\n").await;
    assert!(text.contains("there is no topic none"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_messages_fill_a_page_before_many_do() {
    let large = Batch::new().record(&[b'x'; 840_000], &[]);
    let page = Page::with(&large, 6).await;
    let full = "5 messages found, searched 5 of 6. They are as large as a page may be.";
    let address = format!("messages?topic={TOPIC}&start=beginning&long=1");
    let text = page.served.text(&address).await;
    assert!(
        text.contains(full) && text.matches("<details").count() == 5,
        "{} characters",
        text.len()
    );
    let mut events = page.events("n=50").await;
    let text = read_until(&mut events, "data: end\n").await;
    assert!(text.contains(full), "{} characters", text.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_without_scripts_leads_on() {
    let page = Page::start(300_000).await;
    let address = format!("messages?topic={TOPIC}&start=beginning&filter=value+%3D%3D+%27none%27");
    let text = page.served.text(&address).await;
    assert!(text.contains("data-search=\"messages-events?"), "{text}");
    assert!(
        text.contains(">Search on</a>") && text.contains("long=1"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_few_run_and_they_end_with_their_readers() {
    let page = Page::start(400_000).await;
    let endless = "filter=value+%3D%3D+%27none%27";
    let mut running = Vec::new();
    for _ in 0..SEARCHES {
        let mut events = page.events(endless).await;
        read_until(&mut events, "searched").await;
        running.push(events);
    }
    let mut refused = page.events(endless).await;
    let text = read_until(&mut refused, "data: end\n").await;
    assert!(text.contains("Too many searches are running"), "{text}");
    running.pop();
    let accepted = async {
        loop {
            let mut events = page.events(endless).await;
            if !read_until(&mut events, "searched").await.contains("Too many") {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), accepted)
        .await
        .unwrap();
}
