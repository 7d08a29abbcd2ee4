//! What consumer groups have committed: one client asks for many groups (`ListConsumerGroupOffsets`). A consumer of rdkafka
//! asks for its own group only, and each consumer has its own threads and connections.

#![allow(
    unsafe_code,
    reason = "rdkafka has no safe form of these calls; each block says why it is sound"
)]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_void};
use std::ptr;
use std::time::Duration;

use rdkafka::client::Client;
use rdkafka::error::{IsError as _, KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientContext, TopicPartitionList};
use rdkafka_sys as sys;

use super::native::{Event, Queue, new_queue};

/// Groups that are asked about at once: each is a request to its coordinator.
pub const MAX_GROUPS: usize = 64;
/// librdkafka ends each request with an event by itself; this only bounds the wait should it not.
const GRACE_TIMEOUT: Duration = Duration::from_secs(1);

/// The offset that a group has committed in each partition.
pub type Committed = BTreeMap<(String, i32), i64>;

/// What each of at most [`MAX_GROUPS`] groups has committed, in their order: in all partitions, or in those that are named.
/// (Brokers know which partitions a group has; librdkafka's mock broker answers about named partitions only.) Blocks for about
/// `timeout` at most.
pub fn committed_by_groups<C: ClientContext>(
    client: &Client<C>,
    groups: &[&str],
    named: Option<&TopicPartitionList>,
    timeout: Duration,
) -> KafkaResult<Vec<KafkaResult<Committed>>> {
    let answers = new_queue(client)?;
    let mut found: Vec<KafkaResult<Committed>> = Vec::with_capacity(groups.len());
    let mut open = 0_usize;
    for (index, group) in groups.iter().enumerate() {
        // What no group can be called is nobody's.
        found.push(Err(failed(RDKafkaErrorCode::OperationTimedOut)));
        let Ok(name) = CString::new(*group) else {
            found[index] = Err(failed(RDKafkaErrorCode::InvalidGroupId));
            continue;
        };
        ask(client, &name, named, index, timeout, &answers);
        open += 1;
    }
    while open > 0 {
        let Some(event) = answers.event(timeout + GRACE_TIMEOUT) else {
            break;
        };
        open -= 1;
        if let Some(slot) = found.get_mut(index_of(&event)) {
            *slot = committed(&event);
        }
    }
    Ok(found)
}

fn failed(code: RDKafkaErrorCode) -> KafkaError {
    KafkaError::OffsetFetch(code)
}

/// Sends the request for one group; its answer has `index` with it.
fn ask<C: ClientContext>(
    client: &Client<C>,
    group: &CStr,
    named: Option<&TopicPartitionList>,
    index: usize,
    timeout: Duration,
    answers: &Queue,
) {
    let client = client.native_ptr();
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let partitions = named.map_or(ptr::null(), |list| list.ptr().cast_const());
    // SAFETY: client, name, list and queue live during the calls. The request and the options are made, used and destroyed
    // once, here, and librdkafka copies both, the name and the list. A null error text of length 0 is not written to. The
    // opaque value is a number that nobody follows.
    unsafe {
        let mut request = sys::rd_kafka_ListConsumerGroupOffsets_new(group.as_ptr(), partitions);
        let options = sys::rd_kafka_AdminOptions_new(
            client,
            sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS,
        );
        sys::rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, ptr::null_mut(), 0);
        sys::rd_kafka_AdminOptions_set_opaque(options, ptr::without_provenance_mut::<c_void>(index));
        sys::rd_kafka_ListConsumerGroupOffsets(client, &raw mut request, 1, options, answers.as_ptr());
        sys::rd_kafka_AdminOptions_destroy(options);
        sys::rd_kafka_ListConsumerGroupOffsets_destroy(request);
    }
}

/// The place, among the groups that were asked about, of the one that an event answers.
fn index_of(event: &Event) -> usize {
    // SAFETY: the event is ours and lives; the value is the number that was given with the request.
    unsafe { sys::rd_kafka_event_opaque(event.as_ptr()) }.addr()
}

/// The offsets in an answer, or why there are none.
fn committed(event: &Event) -> KafkaResult<Committed> {
    if let Some(code) = event.error() {
        return Err(failed(code));
    }
    let mut offsets = Committed::new();
    // SAFETY: the event is ours and lives until the end of this function; all that is read here belongs to it: an array of
    // `count` groups, of each an error, which may be null, and a list of `cnt` partitions, whose topics are C strings.
    // Nothing of it is kept.
    unsafe {
        let result = sys::rd_kafka_event_ListConsumerGroupOffsets_result(event.as_ptr());
        if result.is_null() {
            return Err(failed(RDKafkaErrorCode::BadMessage));
        }
        let mut count = 0;
        let groups = sys::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &raw mut count);
        for index in 0..count {
            let group = *groups.add(index);
            let error = sys::rd_kafka_group_result_error(group);
            if !error.is_null() && sys::rd_kafka_error_code(error).is_error() {
                return Err(failed(sys::rd_kafka_error_code(error).into()));
            }
            let list = sys::rd_kafka_group_result_partitions(group);
            if list.is_null() {
                continue;
            }
            for element in 0..usize::try_from((*list).cnt).unwrap_or_default() {
                let element = &*(*list).elems.add(element);
                if element.offset >= 0 && !element.err.is_error() {
                    let topic = CStr::from_ptr(element.topic).to_string_lossy().into_owned();
                    offsets.insert((topic, element.partition), element.offset);
                }
            }
        }
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use devstack::Broker;
    use rdkafka::consumer::{BaseConsumer, Consumer as _, DefaultConsumerContext};
    use rdkafka::{ClientConfig, Offset};

    use super::super::native::commit_within;
    use super::*;

    const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

    #[test]
    fn one_client_asks_for_many_groups() {
        let broker = Broker::start().unwrap();
        broker.create_topic("t", 2).unwrap();
        let consumer = |group: &str| -> BaseConsumer<DefaultConsumerContext> {
            let mut config = ClientConfig::new();
            config.set("bootstrap.servers", broker.bootstrap_servers());
            config.set("group.id", group).create().unwrap()
        };
        for (group, offset) in [("one", 7), ("other", 0)] {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset("t", 1, Offset::Offset(offset)).unwrap();
            commit_within(&consumer(group), &list, REQUEST_TIMEOUT).unwrap();
        }
        let mut named = TopicPartitionList::new();
        named.add_partition_range("t", 0, 1);
        let asking = consumer("kafkaefd");
        let groups = ["one", "none", "other", "no\0name"];
        let found = committed_by_groups(asking.client(), &groups, Some(&named), REQUEST_TIMEOUT).unwrap();
        let at = |offset| Committed::from([(("t".to_owned(), 1), offset)]);
        assert_eq!(found[0], Ok(at(7)));
        assert_eq!(found[1], Ok(Committed::new()), "nothing is committed");
        assert_eq!(found[2], Ok(at(0)));
        assert_eq!(found[3], Err(failed(RDKafkaErrorCode::InvalidGroupId)));
    }

    #[test]
    fn a_broker_that_is_gone_is_an_error_of_each_group() {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", "127.0.0.1:1")
            .set("group.id", "g");
        let asking: BaseConsumer<DefaultConsumerContext> = config.create().unwrap();
        let found =
            committed_by_groups(asking.client(), &["a", "b"], None, Duration::from_millis(200)).unwrap();
        assert!(found.iter().all(Result::is_err) && found.len() == 2, "{found:?}");
    }
}
