//! An operator's actions on topics: creating and deleting them, doubling their partitions, deleting records.

use std::collections::BTreeMap;
use std::ops::Range;

use rdkafka::admin::{AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::block_in_place;

use super::{Cluster, TIMEOUT};
use crate::failure::{Failure, Outcome, until};

impl Cluster {
    /// Creates topics with two partitions and a replica on each broker.
    pub(crate) async fn create(&self, names: &[String]) -> Outcome<()> {
        let topics: Vec<_> = names
            .iter()
            .map(|name| NewTopic::new(name, 2, TopicReplication::Fixed(self.copies() as i32)))
            .collect();
        let doing = || "create the topics";
        let answers = self
            .admin
            .create_topics(&topics, &AdminOptions::new())
            .await
            .map_err(Failure::kafka(doing()))?;
        for answer in answers {
            match answer {
                Ok(_) => {}
                Err((name, RDKafkaErrorCode::TopicAlreadyExists)) => {
                    return Err(Failure::Unexpected(format!(
                        "topic {name} exists: each run needs its own services, without data of an earlier run"
                    )));
                }
                Err((_, code)) => return Err(Failure::kafka(doing())(KafkaError::AdminOp(code))),
            }
        }
        Ok(())
    }

    /// Doubles a topic's partitions; returns their new number.
    pub(crate) async fn double(&self, name: &str) -> Outcome<usize> {
        let wanted = 2 * self.partitions(name)?.max(1);
        let partitions = [NewPartitions::new(name, wanted)];
        let doing = || format!("double the partitions of {name}");
        let answers = self
            .admin
            .create_partitions(&partitions, &AdminOptions::new())
            .await
            .map_err(Failure::kafka(doing()))?;
        for answer in answers {
            answer.map_err(|(_, code)| Failure::kafka(doing())(KafkaError::AdminOp(code)))?;
        }
        Ok(wanted)
    }

    /// Deletes a topic; returns once no broker lists it any more.
    pub(crate) async fn delete(&self, name: &str) -> Outcome<()> {
        let doing = || format!("delete {name}");
        let answers = self
            .admin
            .delete_topics(&[name], &AdminOptions::new())
            .await
            .map_err(Failure::kafka(doing()))?;
        for answer in answers {
            answer.map_err(|(_, code)| Failure::kafka(doing())(KafkaError::AdminOp(code)))?;
        }
        until(&format!("{name} is gone"), 30, || async {
            match self.partitions(name) {
                Ok(0) => Ok(()),
                Ok(partitions) => Err(format!("{partitions} partitions")),
                Err(error) => Err(stage::chain(&error)),
            }
        })
        .await
    }

    /// The range of offsets in each partition of a topic.
    pub(crate) fn held(&self, name: &str) -> Outcome<BTreeMap<i32, Range<i64>>> {
        let mut held = BTreeMap::new();
        for partition in 0..self.partitions(name)? as i32 {
            let ask = || self.client.fetch_watermarks(name, partition, TIMEOUT);
            let doing = format!("ask for the offsets of {name}[{partition}]");
            let (low, high) = block_in_place(ask).map_err(Failure::kafka(doing))?;
            held.insert(partition, low..high);
        }
        Ok(held)
    }

    /// Deletes a topic's messages before these offsets, as retention does.
    pub(crate) async fn delete_before(&self, name: &str, offsets: &BTreeMap<i32, i64>) -> Outcome<()> {
        let mut list = TopicPartitionList::new();
        let doing = || format!("delete messages of {name}");
        for (partition, offset) in offsets {
            list.add_partition_offset(name, *partition, Offset::Offset(*offset))
                .map_err(Failure::kafka(doing()))?;
        }
        let answer = self.admin.delete_records(&list, &AdminOptions::new()).await;
        for element in answer.map_err(Failure::kafka(doing()))?.elements() {
            element.error().map_err(Failure::kafka(doing()))?;
        }
        Ok(())
    }
}
