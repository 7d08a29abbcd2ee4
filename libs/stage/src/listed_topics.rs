//! Waits until the brokers list new topics and lead their partitions, so that whoever comes next finds them: the controller
//! answers a creation before each broker knows of it. For all that create topics and end: `saltransform init` and the
//! operator's commands.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::{Offset, TopicPartitionList};

use crate::kafka::OneShotContext;

/// How long the brokers may take to list new topics.
pub const LISTED_TIMEOUT: Duration = Duration::from_secs(30);
/// The first pause between two looks, doubled each time up to [`MAX_PAUSE`].
const FIRST_LOOK_AFTER: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_millis(500);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Waits for at most `timeout`, or until `look` answers false, which learns after each question how many topics are listed.
/// Returns those that are not listed yet, or not led. Blocks.
pub fn wait_until_listed<'n>(
    consumer: &BaseConsumer<OneShotContext>,
    names: impl IntoIterator<Item = &'n str>,
    timeout: Duration,
    mut look: impl FnMut(usize) -> bool,
) -> KafkaResult<BTreeSet<&'n str>> {
    let wanted: BTreeSet<&str> = names.into_iter().collect();
    let mut missing = wanted.clone();
    if missing.is_empty() {
        return Ok(missing);
    }
    let (start, mut pause) = (Instant::now(), FIRST_LOOK_AFTER);
    loop {
        let listed = consumer.fetch_metadata(None, REQUEST_TIMEOUT)?;
        for topic in listed.topics() {
            let partitions = topic.partitions();
            if !partitions.is_empty() && partitions.iter().all(|partition| partition.leader() >= 0) {
                missing.remove(topic.name());
            }
        }
        if missing.is_empty() && is_led(consumer, &listed, &wanted) {
            return Ok(missing);
        }
        if !look(wanted.len() - missing.len()) || start.elapsed() >= timeout {
            return Ok(if missing.is_empty() { wanted } else { missing });
        }
        thread::sleep(pause);
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// Whether the leaders of these topics know that they are: a busy broker lists a topic before it leads its partitions.
fn is_led(consumer: &BaseConsumer<OneShotContext>, listed: &Metadata, names: &BTreeSet<&str>) -> bool {
    use RDKafkaErrorCode::{LeaderNotAvailable, NotLeaderForPartition, UnknownTopicOrPartition};
    let is_early = |error: &KafkaError| {
        let early = [LeaderNotAvailable, NotLeaderForPartition, UnknownTopicOrPartition];
        error
            .rdkafka_error_code()
            .is_some_and(|code| early.contains(&code))
    };
    let mut asked = TopicPartitionList::new();
    for topic in listed
        .topics()
        .iter()
        .filter(|topic| names.contains(topic.name()))
    {
        for partition in topic.partitions() {
            let _ = asked.add_partition_offset(topic.name(), partition.id(), Offset::End);
        }
    }
    match consumer.offsets_for_times(asked, REQUEST_TIMEOUT) {
        Ok(found) => !found
            .elements()
            .iter()
            .any(|element| element.error().is_err_and(|error| is_early(&error))),
        // Whatever else is wrong, such as a missing right, waiting does not mend.
        Err(error) => !is_early(&error),
    }
}
