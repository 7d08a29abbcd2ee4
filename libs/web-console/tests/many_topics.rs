//! What a page costs where an observatory has its 3,348 topics: the requests that reach the broker, by API key, as the proxy
//! in front of it counts them. A page that is asked for again opens no connection, and asks for the offsets of the topics in
//! sight with as many requests as for those of ten.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod served;

use std::collections::BTreeMap;

use devstack::{Broker, RegistryServer};
use reqwest::Client;
use testkit::KafkaProxy;
use testkit::raw::Batch;

use served::{Served, settings};

const FEW: usize = 10;
const MANY: usize = 3_348;
const DEAD_LETTERS: &str = "saltransform.dead-letter";
/// How often each page is asked for.
const LOADS: usize = 6;
/// Each page, and what it has to show.
const PAGES: [(&str, &str); 5] = [
    ("topics", "lsst.sal.Test_0007"),
    ("topics?q=test_0003", "lsst.sal.Test_0003"),
    ("topic?name=lsst.sal.Test_0003", "offset"),
    (
        "messages?topic=lsst.sal.Test_0003&start=beginning&long=1",
        "searched 3 of 3",
    ),
    ("dead-letters", "bad_header"),
];
/// Requests of which a page sends the same number, however many topics there are.
const EXACT: [&str; 1] = ["ListOffsets"];

struct Stack {
    served: Served,
    proxy: KafkaProxy,
    _broker: Broker,
    _registry: RegistryServer,
}

impl Stack {
    async fn start(topics: usize) -> Self {
        let broker = Broker::start().unwrap();
        let batch = Batch::new().record(b"x", &[]).record(b"y", &[]).record(b"z", &[]);
        for number in 0..topics {
            let name = format!("lsst.sal.Test_{number:04}");
            broker.create_topic(&name, 1).unwrap();
            batch.send(broker.bootstrap_servers(), &name, 0).unwrap();
        }
        broker.create_topic(DEAD_LETTERS, 1).unwrap();
        let letter = Batch::new().record(b"x", &[(b"stage", b"parse"), (b"reason", b"bad_header")]);
        letter.send(broker.bootstrap_servers(), DEAD_LETTERS, 0).unwrap();
        let registry = RegistryServer::start().await.unwrap();
        let proxy = KafkaProxy::start(broker.bootstrap_servers()).unwrap();
        let settings = settings(proxy.bootstrap_servers(), &registry);
        Self {
            served: Served::start(settings, Client::new()).await,
            proxy,
            _broker: broker,
            _registry: registry,
        }
    }

    async fn page(&self, path: &str, expected: &str) {
        let text = self.served.text(path).await;
        assert!(text.contains(expected), "{path} without {expected}: {text}");
    }

    /// What a page costs that has been asked for before: the least of some times. Some pages ask several questions at once,
    /// each with a client of its own, and how many are needed at a time is chance.
    async fn cost(&self, path: &str, expected: &str) -> BTreeMap<&'static str, u64> {
        let mut costs = Vec::new();
        for _ in 0..LOADS {
            let before = self.proxy.requests();
            self.page(path, expected).await;
            let after = self.proxy.requests().into_iter();
            let cost: BTreeMap<_, _> = after
                .map(|(name, count)| (name, count - before.get(name).copied().unwrap_or_default()))
                .filter(|(_, count)| *count > 0)
                .collect();
            costs.push(cost);
        }
        costs
            .into_iter()
            .min_by_key(|cost| cost.values().sum::<u64>())
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_costs_the_same_whatever_number_of_topics_there_is() {
    let (few, many) = (Stack::start(FEW).await, Stack::start(MANY).await);
    for (path, expected) in PAGES {
        let (few, many) = (few.cost(path, expected).await, many.cost(path, expected).await);
        let costs = format!("{path}: {few:?} for {FEW} topics, {many:?} for {MANY}");
        assert_eq!(many.get("ApiVersions"), None, "a new connection for {costs}");
        for kind in EXACT {
            assert_eq!(few.get(kind), many.get(kind), "{kind} of {costs}");
        }
        assert!(many.values().all(|count| *count <= 20), "{costs}");
    }
}
