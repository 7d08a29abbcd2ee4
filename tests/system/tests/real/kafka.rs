//! Direct access to Kafka for the tests: creates topics, produces SAL text, reads dead letters. Plain
//! rdkafka, none of our code.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use rdkafka::producer::BaseRecord;

use super::Services;

/// The timeout for one request to a broker.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Creates topics; existing ones are kept.
pub(crate) async fn create_topics(services: &Services, names: &[String], partitions: i32) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", services.get("BROKER"))
        .create()
        .unwrap();
    let topics: Vec<_> = names
        .iter()
        .map(|name| NewTopic::new(name, partitions, TopicReplication::Fixed(1)))
        .collect();
    for result in admin.create_topics(&topics, &AdminOptions::new()).await.unwrap() {
        if let Err((name, code)) = result {
            assert_eq!(
                code,
                rdkafka::types::RDKafkaErrorCode::TopicAlreadyExists,
                "{name}"
            );
        }
    }
}

/// Produces messages without a key, like SAL, and waits for the acknowledgements.
pub(crate) fn produce(services: &Services, messages: &[(String, Vec<u8>)]) {
    let producer = testkit::producer(ClientConfig::new().set("bootstrap.servers", services.get("BROKER")));
    for (topic, text) in messages {
        producer
            .send(BaseRecord::<(), [u8]>::to(topic).payload(text))
            .map_err(|(error, _)| error)
            .unwrap();
    }
    testkit::deliver(&producer);
}

/// A message of a dead-letter topic.
#[derive(Debug)]
pub(crate) struct DeadLetter {
    /// The original bytes.
    pub(crate) payload: Vec<u8>,
    /// Its headers, as text.
    pub(crate) headers: BTreeMap<String, String>,
}

/// The number of messages in the topics, according to their offsets: nothing is deleted, compacted or
/// transactional here.
pub(crate) fn message_count(services: &Services, topics: &[String]) -> u64 {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", services.get("BROKER"))
        .create()
        .unwrap();
    let end = |topic: &str, partition| {
        // A topic that was just created has no leaders yet.
        super::until("a partition's offsets", TIMEOUT.as_secs(), || {
            let ends = consumer.fetch_watermarks(topic, partition, TIMEOUT);
            ends.map(|(low, high)| high - low)
                .map_err(|error| format!("{topic} {partition}: {error}"))
        })
    };
    let ends = |topic: &String| -> i64 {
        partitions(&consumer, topic)
            .into_iter()
            .map(|partition| end(topic, partition))
            .sum()
    };
    u64::try_from(topics.iter().map(ends).sum::<i64>()).unwrap()
}

/// Empty for a topic that does not exist.
fn partitions(consumer: &BaseConsumer, topic: &str) -> Vec<i32> {
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).unwrap();
    metadata.topics()[0]
        .partitions()
        .iter()
        .map(|partition| partition.id())
        .collect()
}

/// All messages of a topic, from its beginning to its current end.
pub(crate) fn dead_letters(services: &Services, topic: &str) -> Vec<DeadLetter> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", services.get("BROKER"))
        .set("group.id", super::unique("dead-letters-"))
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "false")
        .create()
        .unwrap();
    let mut wanted: i64 = 0;
    let mut assignment = rdkafka::TopicPartitionList::new();
    for partition in partitions(&consumer, topic) {
        let (low, high) = consumer.fetch_watermarks(topic, partition, TIMEOUT).unwrap();
        wanted += high - low;
        assignment
            .add_partition_offset(topic, partition, rdkafka::Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let mut letters = Vec::new();
    while i64::try_from(letters.len()).unwrap() < wanted {
        let message = consumer.poll(TIMEOUT).expect("the partition has more").unwrap();
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        letters.push(DeadLetter {
            payload: message.payload().unwrap_or_default().to_vec(),
            headers: headers
                .map(|header| (header.key.to_owned(), text(header.value)))
                .collect(),
        });
    }
    letters
}
