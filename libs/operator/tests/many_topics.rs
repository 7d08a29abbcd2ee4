//! What each question costs where an observatory has its 3,348 topics: the requests that reach the broker, by API key, as
//! the proxy in front of it counts them. No question sends one for each topic.
//!
//! The embedded broker answers neither ListGroups nor DescribeGroups, of which librdkafka sends one to each broker:
//! questions about groups are asked here about groups that the test names.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use devstack::{Broker, RegistryServer};
use operator::cluster::{Cluster, Place, Topic};
use operator::dead_letters::{self, Selection};
use operator::groups::{Group, GroupState, SeenGaps};
use operator::messages::reader::{Met, Reader, Start, Stop};
use operator::subjects::{self, Subjects};
use operator::topics::{self, TopicFilter};
use operator::{brokers, groups};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use stage::config::{KafkaArgs, RegistryArgs, Timestamp};
use stage::kafka::MAX_PARTITIONS;
use stage::registry::Registry;
use testkit::KafkaProxy;
use testkit::raw::Batch;

const FEW: usize = 10;
const MANY: usize = 3_348;
const GROUPS: [&str; 3] = ["saltransform", "influxsink", "third"];
/// What a question may send of any kind. Chance has a part in how often clients connect, ask for metadata and fetch.
const MAX_REQUESTS: u64 = 100;
/// Kinds in which chance has none: as many as for a few topics, for each part of the partitions.
const EXACT: [&str; 4] = ["ListOffsets", "OffsetFetch", "OffsetCommit", "Produce"];

/// By the name of their API key.
type Requests = BTreeMap<&'static str, u64>;
type Question = (&'static str, fn(&Cluster));

/// A proxy in front of a broker whose topics have one message each, which the groups have yet to read.
struct Stack {
    proxy: KafkaProxy,
    _broker: Broker,
}

impl Stack {
    fn start(topics: usize) -> Self {
        let broker = Broker::start().unwrap();
        let names: Vec<String> = (0..topics)
            .map(|number| format!("lsst.sal.Test_{number:04}"))
            .collect();
        let batch = Batch::new().record(b"x", &[]);
        let mut beginnings = TopicPartitionList::new();
        for name in &names {
            broker.create_topic(name, 1).unwrap();
            batch.send(broker.bootstrap_servers(), name, 0).unwrap();
            beginnings
                .add_partition_offset(name, 0, Offset::Offset(0))
                .unwrap();
        }
        for group in GROUPS {
            let consumer: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", broker.bootstrap_servers())
                .set("group.id", group)
                .create()
                .unwrap();
            consumer.commit(&beginnings, CommitMode::Sync).unwrap();
        }
        Self {
            proxy: KafkaProxy::start(broker.bootstrap_servers()).unwrap(),
            _broker: broker,
        }
    }

    fn cluster(&self) -> Cluster {
        Cluster::reach(&KafkaArgs::at(self.proxy.bootstrap_servers())).unwrap()
    }

    /// The requests that arrive while the question is asked.
    fn cost(&self, question: impl FnOnce(&Cluster)) -> Requests {
        let cluster = self.cluster();
        let before = self.proxy.requests();
        question(&cluster);
        let after = self.proxy.requests().into_iter();
        after
            .map(|(name, count)| (name, count - before.get(name).copied().unwrap_or_default()))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

fn group(name: &str) -> Group {
    Group {
        name: name.to_owned(),
        state: GroupState::Empty,
        protocol_type: String::new(),
        assignor: String::new(),
        members: Vec::new(),
    }
}

/// Each fails if its answer is not about all topics of the cluster.
const QUESTIONS: [Question; 9] = [
    ("the topics", |cluster| {
        let again = cluster.refreshed().unwrap();
        let listed = topics::list(&again, &TopicFilter::default());
        assert_eq!(listed.len(), cluster.topics.len());
    }),
    ("the offsets of all topics", |cluster| {
        let all: Vec<&Topic> = cluster.topics.iter().collect();
        let held = topics::offsets_of_all(cluster, &all).unwrap();
        assert!(held.iter().all(|topic| topic.total == 1));
        assert_eq!(held.len(), all.len());
    }),
    ("how many messages all topics hold", |cluster| {
        let names: Vec<String> = cluster.topics.iter().map(|topic| topic.name.clone()).collect();
        assert_eq!(
            topics::message_count(cluster, &names).unwrap(),
            names.len() as i64
        );
    }),
    ("the offsets of all topics at a time", |cluster| {
        let places = cluster.topics.iter().flat_map(Topic::places).collect();
        cluster.offsets_of(&places, Timestamp(0)).unwrap();
    }),
    ("the brokers", |cluster| {
        assert_eq!(brokers::list(cluster).unwrap()[0].leads, cluster.topics.len());
    }),
    ("where all groups are", |cluster| {
        let positions = cluster.positions(&GROUPS.map(group), || ()).unwrap();
        for positions in positions {
            let lag: i64 = positions.iter().filter_map(groups::Position::lag).sum();
            assert_eq!(lag, cluster.topics.len() as i64);
        }
    }),
    ("the dead letters of all topics", |cluster| {
        let rows = dead_letters::list(cluster, &all(cluster), &|_| ()).unwrap();
        assert_eq!(rows.len(), cluster.topics.len());
        assert!(rows.iter().all(|row| row.letters == 1 && row.originals == 1));
    }),
    ("the newest dead letter of each topic", |cluster| {
        let found = dead_letters::newest(cluster, &all(cluster), 1, &|_| ()).unwrap();
        assert_eq!(found.newest.len(), cluster.topics.len());
    }),
    ("a topic's messages", |cluster| {
        let topic = &cluster.topics[0];
        let mut reader = Reader::open(cluster, topic, None, Start::Beginning, Stop::AtEnd).unwrap();
        while !matches!(reader.next(Duration::from_millis(100)).unwrap(), Met::End) {}
    }),
];

fn all(cluster: &Cluster) -> Selection {
    Selection {
        topics: cluster.topics.iter().map(|topic| topic.name.clone()).collect(),
        ..Selection::default()
    }
}

#[test]
fn no_question_sends_a_request_for_each_topic() {
    let (few, many) = (Stack::start(FEW), Stack::start(MANY));
    assert_eq!(many.cluster().topics.len(), MANY);
    for (name, question) in QUESTIONS {
        let (few, many) = (few.cost(question), many.cost(question));
        let costs = format!("{name}: {few:?} for {FEW} topics, {many:?} for {MANY}");
        for kind in EXACT {
            let sent = |requests: &Requests| requests.get(kind).copied().unwrap_or_default();
            let most = sent(&few) * MANY.div_ceil(MAX_PARTITIONS) as u64;
            assert!(sent(&many) <= most, "{kind} of {costs}");
        }
        assert!(many.values().all(|count| *count <= MAX_REQUESTS), "{costs}");
    }
}

/// librdkafka refuses a question about partitions that are all gone. The others of the cluster have their answer.
#[test]
fn a_part_whose_partitions_are_all_gone_hides_no_other() {
    let stack = Stack::start(FEW);
    let cluster = stack.cluster();
    let (first, others) = cluster.topics.split_first().unwrap();
    let gone = (1..=MAX_PARTITIONS as i32).map(|number| (first.name.clone(), number));
    let there: BTreeSet<Place> = others.iter().flat_map(Topic::places).collect();
    let bounds = cluster.bounds(&gone.chain(there.clone()).collect()).unwrap();
    assert_eq!(bounds, there.into_iter().map(|place| (place, (0, 1))).collect());
}

/// Groups are looked at again and again. What lies behind committed offsets is read once, and in time for all topics.
#[test]
fn what_groups_have_yet_to_read_is_looked_for_once() {
    let stack = Stack::start(MANY);
    stack.cost(|cluster| {
        let consumer = cluster.consumer(&[]).unwrap();
        let committed = [cluster.committed(GROUPS[0]).unwrap()];
        let groups = [group(GROUPS[0])];
        let mut positions = cluster.positions_by(&consumer, &groups, &committed).unwrap();
        let mut seen = SeenGaps::default();
        cluster.look_for_messages(&mut positions, &mut seen).unwrap();
        // The last fetches of the first look may still arrive.
        let is_quiet = (0..20).any(|_| {
            let before = stack.proxy.requests();
            cluster.look_for_messages(&mut positions, &mut seen).unwrap();
            stack.proxy.requests() == before || {
                std::thread::sleep(Duration::from_millis(50));
                false
            }
        });
        assert!(is_quiet, "each look reads again");
    });
}

#[tokio::test]
async fn subjects_are_listed_by_one_request() {
    let server = RegistryServer::start().await.unwrap();
    let registry = Registry::new(&RegistryArgs::at(server.url())).unwrap();
    for number in 0..MANY {
        let schema = format!(r#"{{"type":"record","name":"R{number}","fields":[]}}"#);
        let subject = format!("lsst.sal.Test_{number:04}-value");
        registry.register(&subject, &schema).await.unwrap();
    }
    let before = server.requests();
    let found = subjects::list(&registry, &Subjects::default(), |_, _| ()).await;
    assert_eq!(found.unwrap().len(), MANY);
    assert_eq!(server.requests() - before, 1);
}
