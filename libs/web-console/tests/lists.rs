//! The topics a page at a time, and the messages of a topic from an offset.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod served;

use devstack::{Broker, RegistryServer};
use reqwest::Client;
use testkit::raw::Batch;

use served::{Served, settings};

const TOPICS: usize = 120;

struct Page {
    served: Served,
    _broker: Broker,
    _registry: RegistryServer,
}

fn topic(number: usize) -> String {
    format!("lsst.sal.Test_{number:03}")
}

impl Page {
    /// A console of many topics, the first of which holds `m0` to `m9` in each of its two partitions.
    async fn start() -> Self {
        let broker = Broker::start().unwrap();
        (0..TOPICS).for_each(|number| broker.create_topic(&topic(number), 2).unwrap());
        let batch = (0..10).fold(Batch::new(), |batch, number| {
            batch.record(format!("m{number}").as_bytes(), &[])
        });
        for partition in [0, 1] {
            batch
                .send(broker.bootstrap_servers(), &topic(0), partition)
                .unwrap();
        }
        let registry = RegistryServer::start().await.unwrap();
        let settings = settings(broker.bootstrap_servers(), &registry);
        Self {
            served: Served::start(settings, Client::new()).await,
            _broker: broker,
            _registry: registry,
        }
    }

    /// The topics that a page of the list names, in their order, and what it says of itself.
    async fn topics(&self, query: &str) -> (Vec<String>, String) {
        let text = self.served.text(&format!("topics?{query}")).await;
        let rows = text.split("<th scope=\"row\"><a href=\"topic?name=").skip(1);
        let names = rows.map(|row| row.split('"').next().unwrap().to_owned());
        (names.collect(), text.clone())
    }

    /// Where each message of a search is, and the text of the page.
    async fn messages(&self, query: &str) -> (Vec<String>, String) {
        let path = format!("messages?topic={}&{query}", topic(0));
        let text = self.served.text(&path).await;
        let places = text.split("<summary>").skip(1).map(|summary| {
            let mut words = summary.split(" · ");
            words.nth(1).unwrap_or_default().to_owned()
        });
        (places.collect(), text.clone())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_come_a_page_at_a_time() {
    let page = Page::start().await;
    let all: Vec<String> = (0..TOPICS).map(topic).collect();
    for (number, (rows, has_previous, has_next)) in [
        (&all[..50], false, true),
        (&all[50..100], true, true),
        (&all[100..], true, false),
    ]
    .into_iter()
    .enumerate()
    {
        let (found, text) = page.topics(&format!("page={number}")).await;
        assert_eq!(found, rows, "page {number}");
        assert!(text.contains("120 topics"), "{text}");
        assert!(text.contains(&format!("page {} of 3", number + 1)), "{text}");
        assert_eq!(text.contains("rel=\"prev\""), has_previous, "{text}");
        assert_eq!(text.contains("rel=\"next\""), has_next, "{text}");
        if has_next {
            let next = format!("href=\"topics?page={}\"", number + 1);
            assert!(text.contains(&next), "{text}");
        }
    }
    let (found, _) = page.topics("page=99").await;
    assert_eq!(found, all[100..], "the last page is the last");
    let (found, text) = page.topics("q=test_05&page=1").await;
    assert_eq!(found, all[50..60], "what is found has one page");
    assert!(
        text.contains("10 topics of 120") && !text.contains("rel=\"next\""),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_begin_at_an_offset() {
    let page = Page::start().await;
    let (found, text) = page.messages("start=7&partition=1").await;
    assert_eq!(found, ["1:7", "1:8", "1:9"], "{text}");
    assert!(text.contains("3 messages found, searched 3 of 3"), "{text}");
    assert!(text.contains(">m7<") && !text.contains(">m6<"), "{text}");
    let (mut found, text) = page.messages("start=8").await;
    found.sort();
    assert_eq!(found, ["0:8", "0:9", "1:8", "1:9"], "of each partition: {text}");
    let (found, text) = page.messages("start=2&partition=0&n=3").await;
    assert_eq!(found, ["0:2", "0:3", "0:4"], "{text}");
    assert!(text.contains("There may be more"), "{text}");
    let (found, text) = page.messages("start=-2&partition=0").await;
    assert_eq!(found, ["0:8", "0:9"], "the last two: {text}");
    let (found, text) = page.messages("start=10&partition=0").await;
    assert!(found.is_empty() && text.contains("0 messages found"), "{text}");
}
