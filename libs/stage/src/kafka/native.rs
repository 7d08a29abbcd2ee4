//! Calls of librdkafka for which rdkafka has no safe form: commits with answers, topic ids, and the client's own state
//! of a partition and its queue.

#![allow(
    unsafe_code,
    reason = "rdkafka has no safe form of these calls; each block says why it is sound"
)]

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char};
use std::fmt;
use std::ptr::{self, NonNull};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rdkafka::client::Client;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{IsError as _, KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientContext, TopicPartitionList};
use rdkafka_sys as sys;

/// The id of a topic, which distinguishes it from an earlier topic of the same name (KIP-516), as Kafka's tools print
/// it: 22 characters of URL-safe base64.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TopicId(String);

/// The id that brokers without topic ids (before 2.8) give to each topic.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

impl TopicId {
    /// From its 128 bits; none if the broker has no topic ids.
    fn from_bits(most_significant: i64, least_significant: i64) -> Option<Self> {
        // librdkafka prints them in standard base64, and not at all without TLS.
        let bits = [most_significant.to_be_bytes(), least_significant.to_be_bytes()].concat();
        Self::parse(&URL_SAFE_NO_PAD.encode(bits))
    }

    /// Parses a printed id.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_of_base64 = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
        (text.len() == NO_ID.len() && text != NO_ID && text.bytes().all(is_of_base64))
            .then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An owned queue of librdkafka, destroyed when it is dropped.
pub(super) struct Queue(NonNull<sys::rd_kafka_queue_t>);

impl Queue {
    /// # Safety
    /// `queue` is null or a reference that the caller owns.
    unsafe fn owned(queue: *mut sys::rd_kafka_queue_t) -> KafkaResult<Self> {
        NonNull::new(queue)
            .map(Self)
            .ok_or_else(|| KafkaError::ClientCreation("librdkafka gives no queue".to_owned()))
    }

    /// For calls that take their own reference to it.
    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_queue_t {
        self.0.as_ptr()
    }

    /// The next event; none if it does not arrive in time.
    pub(super) fn event(&self, timeout: Duration) -> Option<Event> {
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is ours and lives; the event that is returned is ours.
        NonNull::new(unsafe { sys::rd_kafka_queue_poll(self.0.as_ptr(), timeout_ms) }).map(Event)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the reference is ours, and nothing uses it after this. librdkafka drops what arrives later.
        unsafe { sys::rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

/// An event of librdkafka, owned.
pub(super) struct Event(NonNull<sys::rd_kafka_event_t>);

impl Event {
    /// For calls that read what belongs to it.
    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_event_t {
        self.0.as_ptr()
    }

    pub(super) fn error(&self) -> Option<RDKafkaErrorCode> {
        // SAFETY: the event is ours and lives.
        let error = unsafe { sys::rd_kafka_event_error(self.0.as_ptr()) };
        error.is_error().then(|| error.into())
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is ours, and nothing uses it after this.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

/// The queue that the consumer is polled from.
fn consumer_queue<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> KafkaResult<Queue> {
    // SAFETY: the client lives as long as its consumer, and the reference to its queue is ours.
    unsafe { Queue::owned(sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr())) }
}

pub(super) fn new_queue<C: ClientContext>(client: &Client<C>) -> KafkaResult<Queue> {
    // SAFETY: the client is borrowed, and the new queue is ours.
    unsafe { Queue::owned(sys::rd_kafka_queue_new(client.native_ptr())) }
}

fn commit<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    offsets: &TopicPartitionList,
    answers: &Queue,
) -> KafkaResult<()> {
    // SAFETY: client, list and queue live during the call; librdkafka copies the list and takes its own reference to the
    // queue. Without a callback, the answer comes as an event.
    let error = unsafe {
        sys::rd_kafka_commit_queue(
            consumer.client().native_ptr(),
            offsets.ptr(),
            answers.0.as_ptr(),
            None,
            ptr::null_mut(),
        )
    };
    if error.is_error() {
        return Err(KafkaError::ConsumerCommit(error.into()));
    }
    Ok(())
}

/// Sends a commit; the answer goes to the context's `commit_callback` when the consumer is polled.
///
/// `Consumer::commit` with `CommitMode::Async` requests no answer from librdkafka, so that failed commits go unnoticed.
pub(crate) fn commit_async<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    offsets: &TopicPartitionList,
) -> KafkaResult<()> {
    commit(consumer, offsets, &consumer_queue(consumer)?)
}

/// Commits and waits for the answer for at most `timeout`. (`CommitMode::Sync` waits without limit.)
pub(crate) fn commit_within<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    offsets: &TopicPartitionList,
    timeout: Duration,
) -> KafkaResult<()> {
    let answers = new_queue(consumer.client())?;
    commit(consumer, offsets, &answers)?;
    match answers.event(timeout).map(|event| event.error()) {
        Some(None) => Ok(()),
        Some(Some(code)) => Err(KafkaError::ConsumerCommit(code)),
        None => Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::OperationTimedOut)),
    }
}

/// How many messages and events wait in the client for the consumer to be polled.
pub(crate) fn waiting<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> KafkaResult<usize> {
    let queue = consumer_queue(consumer)?;
    // SAFETY: the queue is ours and lives.
    Ok(unsafe { sys::rd_kafka_queue_length(queue.0.as_ptr()) })
}

/// The first offset of a partition according to the last fetch response. Sends no request.
pub(crate) fn beginning<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
) -> Option<i64> {
    let topic = CString::new(topic).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: client and name live during the call, which writes to two numbers of ours.
    let error = unsafe {
        sys::rd_kafka_get_watermark_offsets(
            consumer.client().native_ptr(),
            topic.as_ptr(),
            partition,
            &raw mut low,
            &raw mut high,
        )
    };
    (!error.is_error() && low >= 0).then_some(low)
}

/// The ids of those topics that exist, if the brokers have ids. Blocks for at most `timeout`.
pub(crate) fn topic_ids<C: ClientContext>(
    client: &Client<C>,
    topics: impl IntoIterator<Item = String>,
    timeout: Duration,
) -> KafkaResult<HashMap<String, TopicId>> {
    let failed = |code| KafkaError::MetadataFetch(code);
    let names: Vec<CString> = topics
        .into_iter()
        .filter_map(|name| CString::new(name).ok())
        .collect();
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    // Without this, librdkafka waits for the cluster's controller, which is missing during an election (and in the
    // embedded broker). Any broker knows the ids.
    let metadata = client.fetch_metadata(names.first().and_then(|name| name.to_str().ok()), timeout)?;
    let answered = Some(metadata.orig_broker_id()).filter(|broker| *broker >= 0);
    let broker = answered.or_else(|| metadata.brokers().first().map(|broker| broker.id()));
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let answers = new_queue(client)?;
    let client = client.native_ptr();
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: client, names and queue live during the calls; the collection and the options are made, used and destroyed
    // once, here, and librdkafka copies both. A null error text of length 0 is not written to.
    unsafe {
        let collection = sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let options = sys::rd_kafka_AdminOptions_new(
            client,
            sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        );
        sys::rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, ptr::null_mut(), 0);
        if let Some(broker) = broker {
            sys::rd_kafka_AdminOptions_set_broker(options, broker, ptr::null_mut(), 0);
        }
        sys::rd_kafka_DescribeTopics(client, collection, options, answers.0.as_ptr());
        sys::rd_kafka_AdminOptions_destroy(options);
        sys::rd_kafka_TopicCollection_destroy(collection);
    }
    let event = answers
        .event(timeout)
        .ok_or_else(|| failed(RDKafkaErrorCode::OperationTimedOut))?;
    if let Some(code) = event.error() {
        return Err(failed(code));
    }
    let mut ids = HashMap::new();
    // SAFETY: the event is ours and lives until the end of this function; all that is read here belongs to it: an array of
    // `count` descriptions, and of each a name, which is a C string, and an id. Nothing of it is kept.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(event.0.as_ptr());
        if result.is_null() {
            return Err(failed(RDKafkaErrorCode::BadMessage));
        }
        let mut count = 0;
        let descriptions = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        for index in 0..count {
            let topic = *descriptions.add(index);
            let id = sys::rd_kafka_TopicDescription_topic_id(topic);
            if id.is_null()
                || sys::rd_kafka_error_code(sys::rd_kafka_TopicDescription_error(topic)).is_error()
            {
                continue;
            }
            let name = CStr::from_ptr(sys::rd_kafka_TopicDescription_name(topic)).to_string_lossy();
            let id = TopicId::from_bits(
                sys::rd_kafka_Uuid_most_significant_bits(id),
                sys::rd_kafka_Uuid_least_significant_bits(id),
            );
            if let Some(id) = id {
                ids.insert(name.into_owned(), id);
            }
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use devstack::Broker;
    use rdkafka::consumer::DefaultConsumerContext;
    use rdkafka::{ClientConfig, Offset};

    use super::*;

    const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

    #[test]
    fn topics_are_distinguished_and_commits_are_answered() {
        let broker = Broker::start().unwrap();
        for topic in ["one", "other"] {
            broker.create_topic(topic, 1).unwrap();
        }
        let consumer: BaseConsumer<DefaultConsumerContext> = ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap_servers())
            .set("group.id", "group")
            .create()
            .unwrap();
        let asked = ["one", "other", "none"].map(str::to_owned);
        let ids = topic_ids(consumer.client(), asked, REQUEST_TIMEOUT).unwrap();
        assert_eq!(ids.len(), 2, "{ids:?}");
        assert_ne!(ids["one"], ids["other"]);
        assert_eq!(
            TopicId::parse(&ids["one"].to_string()).as_ref(),
            Some(&ids["one"])
        );

        let mut list = TopicPartitionList::new();
        list.add_partition_offset("one", 0, Offset::Offset(7)).unwrap();
        commit_within(&consumer, &list, REQUEST_TIMEOUT).unwrap();
        let committed = consumer.committed_offsets(list.clone(), REQUEST_TIMEOUT).unwrap();
        assert_eq!(committed.elements()[0].offset(), Offset::Offset(7));
        assert_eq!(waiting(&consumer).unwrap(), 0);
        assert_eq!(beginning(&consumer, "one", 0), None, "nothing was fetched");
    }

    #[test]
    fn a_broker_without_ids_gives_none() {
        assert_eq!(TopicId::parse(NO_ID), None);
        assert_eq!(TopicId::parse("began"), None);
        assert_eq!(TopicId::from_bits(0, 0), None);
        let printed = TopicId::from_bits(-1, 1).map(|id| id.to_string());
        assert_eq!(printed.as_deref(), Some("__________8AAAAAAAAAAQ"));
    }
}
