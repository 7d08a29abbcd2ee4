//! The harness's own access to Kafka: topics, offsets, and messages produced before a measurement begins.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use stage::config::KafkaArgs;
use stage::create_topics::{self, Created, Shape};
use stage::kafka::SAFE_PRODUCER;
use tokio::task::block_in_place;

use crate::failure::{Doing, Failure, Outcome};

const TIMEOUT: Duration = Duration::from_secs(20);

/// A view of the broker that is independent of what is measured.
pub(crate) struct Kafka {
    config: ClientConfig,
    client: BaseConsumer,
}

impl Kafka {
    /// Connects.
    pub(crate) fn new(broker: &str) -> Outcome<Self> {
        let config = KafkaArgs::at(broker).client_config(&[("client.id", "bench-pipeline")]);
        let config = config.doing("make a kafka client")?;
        Ok(Self {
            client: config.create().doing("make a kafka client")?,
            config,
        })
    }

    /// Creates a topic, which must be new: old data would be measured as well.
    pub(crate) async fn create(&self, name: &str, partitions: i32) -> Outcome<()> {
        let shape = Shape {
            partitions,
            replication: 1,
        };
        let answers = create_topics::create(&self.config, &[name], shape, &[], TIMEOUT).await;
        match answers.doing(format!("create topic {name}"))?.as_slice() {
            [Created::New] => Ok(()),
            other => Err(Failure::Unexpected(format!("topic {name}: {other:?}"))),
        }
    }

    /// The sum of the end offsets of the topics' partitions, in one request.
    pub(crate) fn end<'t>(&self, topics: impl Iterator<Item = (&'t str, i32)>) -> Outcome<u64> {
        let mut list = TopicPartitionList::new();
        for (topic, partitions) in topics {
            for partition in 0..partitions {
                let added = list.add_partition_offset(topic, partition, Offset::End);
                added.doing("list partitions")?;
            }
        }
        let ends = block_in_place(|| self.client.offsets_for_times(list, TIMEOUT)).doing("ask for ends")?;
        Ok(sum(&ends))
    }

    /// The sum of a group's committed offsets. The client belongs to that group but never joins it.
    pub(crate) fn committed<'t>(
        client: &BaseConsumer,
        topics: impl Iterator<Item = (&'t str, i32)>,
    ) -> Outcome<u64> {
        let mut list = TopicPartitionList::new();
        for (topic, partitions) in topics {
            list.add_partition_range(topic, 0, partitions - 1);
        }
        let committed = block_in_place(|| client.committed_offsets(list, TIMEOUT));
        Ok(sum(&committed.doing("ask for committed offsets")?))
    }

    /// A client that can query a group's offsets.
    pub(crate) fn member_of(&self, group: &str) -> Outcome<BaseConsumer> {
        let mut config = self.config.clone();
        config.set("group.id", group);
        config.create().doing("make a kafka client")
    }

    /// Produces messages to the partitions in turn and waits for the acknowledgements.
    pub(crate) async fn fill(
        &self,
        topic: &str,
        partitions: i32,
        count: u64,
        mut text: impl FnMut(u64, &mut Vec<u8>),
    ) -> Outcome<()> {
        let producer = self.producer()?;
        let mut buffer = Vec::new();
        for number in 0..count {
            text(number, &mut buffer);
            // In runs of messages, so that each partition's batches are as large as those of a single
            // partition.
            let partition = (number / 64) as i32 % partitions;
            send(&producer, topic, Some(partition), &buffer)?;
            if number.is_multiple_of(1_024) {
                tokio::task::yield_now().await;
            }
        }
        flush(&producer)
    }

    /// A producer with salmock's settings.
    pub(crate) fn producer(&self) -> Outcome<ThreadedProducer<DefaultProducerContext>> {
        let mut config = self.config.clone();
        for (key, value) in SAFE_PRODUCER {
            config.set(key, value);
        }
        config.set("compression.type", "lz4").set("linger.ms", "5");
        config.create().doing("make a kafka producer")
    }
}

/// Sends one message; waits while the queue is full.
pub(crate) fn send(
    producer: &ThreadedProducer<DefaultProducerContext>,
    topic: &str,
    partition: Option<i32>,
    value: &[u8],
) -> Outcome<()> {
    let mut record: BaseRecord<'_, (), [u8]> = BaseRecord::to(topic).payload(value);
    if let Some(partition) = partition {
        record = record.partition(partition);
    }
    while let Err((error, back)) = producer.send(record) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
            return Err(error).doing(format!("send to {topic}"));
        }
        std::thread::sleep(Duration::from_millis(2));
        record = back;
    }
    Ok(())
}

/// Waits for all acknowledgements.
pub(crate) fn flush(producer: &ThreadedProducer<DefaultProducerContext>) -> Outcome<()> {
    block_in_place(|| producer.flush(Duration::from_secs(60))).doing("send the last messages")
}

fn sum(list: &TopicPartitionList) -> u64 {
    let elements = list.elements();
    let offsets = elements.iter().filter_map(|element| match element.offset() {
        Offset::Offset(offset) => u64::try_from(offset).ok(),
        _ => None,
    });
    offsets.sum()
}
