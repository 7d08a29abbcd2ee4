//! Lists of partitions in parts. librdkafka (2.12) looks for each partition of an answer among all that were asked for
//! (`rd_kafka_topic_partition_list_update`), so that the time of a question grows with the square of their number.

use rdkafka::TopicPartitionList;
use rdkafka::error::KafkaResult;

/// How many partitions are asked about at once.
pub const MAX_PARTITIONS: usize = 256;

/// The same partitions with their offsets, in lists of at most [`MAX_PARTITIONS`].
pub fn parts(list: &TopicPartitionList) -> KafkaResult<Vec<TopicPartitionList>> {
    list.elements()
        .chunks(MAX_PARTITIONS)
        .map(|elements| {
            let mut part = TopicPartitionList::with_capacity(elements.len());
            for element in elements {
                part.add_partition_offset(element.topic(), element.partition(), element.offset())?;
            }
            Ok(part)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rdkafka::Offset;

    use super::*;

    #[test]
    fn each_partition_is_in_one_part() {
        let mut list = TopicPartitionList::new();
        for number in 0..600 {
            let place = match number {
                0 => Offset::Invalid,
                1 => Offset::End,
                _ => Offset::Offset(i64::from(number)),
            };
            list.add_partition_offset("topic", number, place).unwrap();
        }
        let parts = parts(&list).unwrap();
        let counts: Vec<_> = parts.iter().map(TopicPartitionList::count).collect();
        assert_eq!(counts, [256, 256, 88]);
        let mut all = parts.iter().flat_map(TopicPartitionList::elements);
        for element in list.elements() {
            let same = all.next().unwrap();
            assert_eq!(
                (same.partition(), same.offset()),
                (element.partition(), element.offset())
            );
        }
    }
}
