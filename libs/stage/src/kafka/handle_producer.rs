//! A producer that sends by the handle of a topic: what saltransform sends its records with.
//!
//! rdkafka passes librdkafka the topic's name with each record, and librdkafka searches for it in a list of all topics
//! that the client uses, comparing name after name (`rd_kafka_topic_find`). With an observatory's 3,348 topics that takes
//! many times as long as the transform. A handle is found once, here by hash.

#![allow(
    unsafe_code,
    reason = "rdkafka has no safe form of sending by handle; each block says why it is sound"
)]

use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::{PoisonError, RwLock};

use rdkafka::error::{IsError as _, KafkaError, KafkaResult};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::util::IntoOpaque as _;
use rdkafka_sys as sys;
use sys::rd_kafka_vtype_t as vtype;

/// `RD_KAFKA_PARTITION_UA`: the partitioner chooses.
const PARTITION_UNASSIGNED: i32 = -1;

/// A producer with the handles of its topics.
pub struct HandleProducer<C: ProducerContext> {
    /// Before the client, because it is dropped before the client.
    handles: Handles,
    producer: BaseProducer<C>,
}

type Record<'r, C> = BaseRecord<'r, [u8], [u8], <C as ProducerContext>::DeliveryOpaque>;

impl<C: ProducerContext> HandleProducer<C> {
    /// Without handles at first; each topic's is made at its first record.
    pub fn new(producer: BaseProducer<C>) -> Self {
        Self {
            handles: Handles::default(),
            producer,
        }
    }

    /// Hands a record to librdkafka, which copies it. A refused record is returned.
    pub fn send<'r>(&self, record: Record<'r, C>) -> Option<(KafkaError, Record<'r, C>)> {
        if record.headers.is_some() {
            // rdkafka keeps the pointer to headers to itself, and only dead letters have them.
            return self.producer.send(record).err();
        }
        match self.handles.of(record.topic, &self.producer) {
            Ok(handle) => self.send_to(handle, record),
            Err(error) => Some((error, record)),
        }
    }

    fn send_to<'r>(
        &self,
        handle: NonNull<sys::rd_kafka_topic_t>,
        mut record: Record<'r, C>,
    ) -> Option<(KafkaError, Record<'r, C>)> {
        let (payload, payload_len) = pointer_and_length(record.payload);
        let (key, key_len) = pointer_and_length(record.key);
        let opaque = record.delivery_opaque.into_ptr();
        // SAFETY: the handle is one of this client, and both live as long as `self`. librdkafka copies payload and key
        // during the call (RD_KAFKA_MSG_F_COPY). The opaque is what rdkafka's delivery callback of this client turns back.
        // Each argument has the type that its tag demands.
        let error = unsafe {
            sys::rd_kafka_producev(
                self.producer.client().native_ptr(),
                vtype::RD_KAFKA_VTYPE_RKT,
                handle.as_ptr(),
                vtype::RD_KAFKA_VTYPE_PARTITION,
                record.partition.unwrap_or(PARTITION_UNASSIGNED),
                vtype::RD_KAFKA_VTYPE_MSGFLAGS,
                sys::RD_KAFKA_MSG_F_COPY,
                vtype::RD_KAFKA_VTYPE_VALUE,
                payload,
                payload_len,
                vtype::RD_KAFKA_VTYPE_KEY,
                key,
                key_len,
                vtype::RD_KAFKA_VTYPE_OPAQUE,
                opaque,
                vtype::RD_KAFKA_VTYPE_TIMESTAMP,
                record.timestamp.unwrap_or(0),
                vtype::RD_KAFKA_VTYPE_END,
            )
        };
        if error.is_error() {
            // SAFETY: librdkafka has refused the record, so no delivery callback takes the opaque, which was made above.
            record.delivery_opaque = unsafe { C::DeliveryOpaque::from_ptr(opaque) };
            return Some((KafkaError::MessageProduction(error.into()), record));
        }
        None
    }
}

/// All but sending is the producer's own.
impl<C: ProducerContext> Deref for HandleProducer<C> {
    type Target = BaseProducer<C>;

    fn deref(&self) -> &BaseProducer<C> {
        &self.producer
    }
}

fn pointer_and_length(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    bytes.map_or((ptr::null_mut(), 0), |bytes| {
        (bytes.as_ptr().cast_mut().cast(), bytes.len())
    })
}

/// The handles of one client, by topic. There are as many as topics that it has sent to.
#[derive(Default)]
struct Handles(RwLock<HashMap<String, Handle>>);

/// A handle, owned.
struct Handle(NonNull<sys::rd_kafka_topic_t>);

// SAFETY: librdkafka's handles may be used from any thread, and from several at once (its "Threads and callbacks").
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handles {
    /// The handle of a topic, made now if this is the topic's first record.
    fn of<C: ProducerContext>(
        &self,
        topic: &str,
        producer: &BaseProducer<C>,
    ) -> KafkaResult<NonNull<sys::rd_kafka_topic_t>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = known.get(topic) {
            return Ok(handle.0);
        }
        drop(known);
        let name = CString::new(topic)?;
        let mut handles = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = handles.get(topic) {
            return Ok(handle.0);
        }
        // SAFETY: client and name live during the call; without a configuration, the topic gets the client's. The handle
        // is ours.
        let handle = unsafe {
            sys::rd_kafka_topic_new(producer.client().native_ptr(), name.as_ptr(), ptr::null_mut())
        };
        let Some(handle) = NonNull::new(handle) else {
            // SAFETY: reads the error of this thread's last call.
            let error = unsafe { sys::rd_kafka_last_error() };
            return Err(KafkaError::MessageProduction(error.into()));
        };
        handles.insert(topic.to_owned(), Handle(handle));
        Ok(handle)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is ours, its client lives, and nothing uses it after this. Records in flight hold their own
        // reference to the topic.
        unsafe { sys::rd_kafka_topic_destroy(self.0.as_ptr()) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use std::time::{Duration, Instant};

    use devstack::Broker;
    use rdkafka::error::RDKafkaErrorCode;
    use rdkafka::message::{DeliveryResult, Message as _};
    use rdkafka::{ClientConfig, ClientContext};

    use super::*;
    use crate::lock;

    const TIMEOUT: Duration = Duration::from_secs(30);

    /// Topic, key and payload.
    type Arrived = (String, Option<Vec<u8>>, Vec<u8>);

    /// The delivered records, by their opaques.
    #[derive(Default)]
    struct Delivered(Mutex<BTreeMap<usize, Arrived>>);

    impl ClientContext for Delivered {}

    impl ProducerContext for Delivered {
        type DeliveryOpaque = Box<usize>;

        fn delivery(&self, result: &DeliveryResult<'_>, number: Box<usize>) {
            // Purged when the producer is dropped.
            let Ok(message) = result else { return };
            let of_message = (
                message.topic().to_owned(),
                message.key().map(<[u8]>::to_vec),
                message.payload().unwrap().to_vec(),
            );
            assert!(lock(&self.0).insert(*number, of_message).is_none());
        }
    }

    fn producer(broker: &Broker, settings: &[(&str, &str)]) -> HandleProducer<Delivered> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", broker.bootstrap_servers());
        for (name, value) in settings {
            config.set(*name, *value);
        }
        HandleProducer::new(config.create_with_context(Delivered::default()).unwrap())
    }

    #[test]
    fn records_arrive_in_their_topics_with_their_opaques() {
        let broker = Broker::start().unwrap();
        for topic in ["one", "other"] {
            broker.create_topic(topic, 1).unwrap();
        }
        let producer = producer(&broker, &[]);
        let payloads: Vec<String> = (0..100).map(|number| format!("payload {number}")).collect();
        for (number, payload) in payloads.iter().enumerate() {
            let topic = ["one", "other"][number % 2];
            let mut record = BaseRecord::with_opaque_to(topic, Box::new(number)).payload(payload.as_bytes());
            record.key = (number % 3 == 0).then_some(b"key".as_slice());
            assert!(producer.send(record).is_none());
        }
        assert_eq!(producer.handles.0.read().unwrap().len(), 2);
        producer.flush(TIMEOUT).unwrap();
        let delivered = lock(&producer.context().0);
        assert_eq!(delivered.len(), payloads.len());
        for (number, (topic, key, payload)) in delivered.iter() {
            assert_eq!(topic, ["one", "other"][number % 2]);
            assert_eq!(key.is_some(), number % 3 == 0);
            assert_eq!(payload, payloads[*number].as_bytes());
        }
    }

    #[test]
    fn a_refused_record_comes_back_with_its_opaque() {
        let broker = Broker::start().unwrap();
        broker.create_topic("one", 1).unwrap();
        let producer = producer(
            &broker,
            &[("queue.buffering.max.messages", "1"), ("linger.ms", "60000")],
        );
        let record =
            |topic, number| BaseRecord::with_opaque_to(topic, Box::new(number)).payload(b"".as_slice());
        let send = |record| {
            producer
                .send(record)
                .map(|(error, back)| (error.rdkafka_error_code(), *back.delivery_opaque))
        };
        assert_eq!(send(record("one", 1)), None);
        assert_eq!(
            send(record("one", 2)),
            Some((Some(RDKafkaErrorCode::QueueFull), 2))
        );
        assert_eq!(send(record("n\0", 3)), Some((None, 3)));
        let long = "n".repeat(1_000);
        assert_eq!(
            send(record(&long, 4)),
            Some((Some(RDKafkaErrorCode::InvalidArgument), 4))
        );
    }

    #[test]
    fn a_producer_that_is_dropped_with_records_in_flight_ends() {
        let broker = Broker::start().unwrap();
        broker.create_topic("one", 1).unwrap();
        let since = Instant::now();
        let producer = producer(&broker, &[("linger.ms", "60000")]);
        let record = BaseRecord::with_opaque_to("one", Box::new(1)).payload(b"".as_slice());
        assert!(producer.send(record).is_none());
        drop(broker);
        drop(producer);
        assert!(since.elapsed() < TIMEOUT);
    }
}
