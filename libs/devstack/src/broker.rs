//! The embedded Kafka broker: librdkafka's mock cluster, which speaks Kafka's protocol on a loopback port.
//!
//! It suits the demo and tests: it needs no installation, starts in a millisecond, and works with every
//! client, including kcat. Its limitations (as of librdkafka 2.12):
//! - a partition keeps 5 MiB or 100,000 batches and **silently drops older ones**: keep unread data under 4
//!   MiB per partition;
//! - nothing is stored on disk; it ends with its [`Broker`];
//! - no transactions (ending one has no effect), no admin requests (they time out), no offsets by timestamp,
//!   no retention;
//! - a topic that is created by using it has four partitions;
//! - an empty fetch is held for the client's full `fetch.wait.max.ms`: give clients the
//!   [`Broker::fetch_hints`].

use std::fmt;
use std::net::TcpStream;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

/// `-1` stands for every broker of the mock cluster; there is only one.
const EVERY_BROKER: i32 = -1;
/// A call that takes this long was missed by the mock thread; others take 0.1 ms.
const MISSED_CALL_TIMEOUT: Duration = Duration::from_millis(5);

/// Why the embedded broker failed.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// librdkafka returned an error, which is the source.
    #[error("the embedded Kafka broker could not {doing}")]
    Kafka {
        /// The operation.
        doing: &'static str,
        /// librdkafka's error.
        source: KafkaError,
    },
    /// librdkafka was built without mock support.
    #[error("this librdkafka has no mock cluster")]
    NoMockCluster,
}

/// A one-broker Kafka cluster inside this process. It ends when it is dropped; drop its clients first.
pub struct Broker {
    /// The client that owns the mock cluster. It is polled by its own thread, so that its log queue cannot
    /// grow.
    owner: ThreadedProducer<DefaultProducerContext>,
    bootstrap_servers: String,
}

impl Broker {
    /// Starts a broker on a free loopback port, without topics. New consumer groups get their assignment
    /// immediately instead of after 3 s.
    ///
    /// # Errors
    /// When librdkafka cannot create the client or bind the port.
    pub fn start() -> Result<Broker, BrokerError> {
        let owner: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
            .set("test.mock.num.brokers", "1")
            .set("client.id", "embedded-broker")
            .set("log_level", "3")
            .set_log_level(RDKafkaLogLevel::Error)
            .create()
            .map_err(|source| BrokerError::Kafka {
                doing: "start",
                source,
            })?;
        let bootstrap_servers = owner
            .client()
            .mock_cluster()
            .ok_or(BrokerError::NoMockCluster)?
            .bootstrap_servers();
        let broker = Broker {
            owner,
            bootstrap_servers,
        };
        broker.join_groups_at_once()?;
        Ok(broker)
    }

    /// `127.0.0.1:<port>`, for `bootstrap.servers`.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// When the topic already exists or the name is invalid.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), BrokerError> {
        self.mock("create the topic", |mock| mock.create_topic(name, partitions, 1))
    }

    /// Recommended settings for consumers of this broker, as `-X key=value`. Without `fetch.wait.max.ms=20`,
    /// a consumer of 100 topics at 1 Hz receives its messages 281 ms late (p50); with it, 15 ms. The mock
    /// broker holds an empty fetch until the wait ends, even if messages arrive meanwhile.
    pub fn fetch_hints() -> &'static [(&'static str, &'static str)] {
        &[("fetch.wait.max.ms", "20")]
    }

    /// For tests: closes every connection and refuses new ones until [`up`](Self::up). Topics and offsets are
    /// kept.
    ///
    /// # Errors
    /// When librdkafka returns an error.
    pub fn down(&self) -> Result<(), BrokerError> {
        self.mock("go down", |mock| mock.broker_down(EVERY_BROKER))
    }

    /// For tests: accepts connections again.
    ///
    /// # Errors
    /// When librdkafka returns an error.
    pub fn up(&self) -> Result<(), BrokerError> {
        self.mock("come up", |mock| mock.broker_up(EVERY_BROKER))
    }

    /// For tests: delays every response.
    ///
    /// # Errors
    /// When librdkafka returns an error.
    pub fn round_trip_time(&self, delay: Duration) -> Result<(), BrokerError> {
        self.mock("delay its responses", |mock| {
            mock.broker_round_trip_time(EVERY_BROKER, delay)
        })
    }

    /// For tests: the next requests of this kind fail with these errors, one each, in order.
    ///
    /// # Errors
    /// When the mock cluster is gone, which cannot happen while the broker exists.
    pub fn fail_next(&self, request: RDKafkaApiKey, errors: &[RDKafkaRespErr]) -> Result<(), BrokerError> {
        self.mock("fail requests", |mock| {
            mock.request_errors(request, errors);
            Ok(())
        })
    }

    /// For tests: metadata responses report this error for the topic, for example that it does not exist;
    /// `RD_KAFKA_RESP_ERR_NO_ERROR` ends it. Records are still accepted unless [`fail_next`](Self::fail_next)
    /// rejects them.
    ///
    /// # Errors
    /// When librdkafka returns an error.
    pub fn topic_error(&self, topic: &str, error: RDKafkaRespErr) -> Result<(), BrokerError> {
        self.mock("fail the topic", |mock| mock.topic_error(topic, error))
    }

    /// For tests: from now on the partition has no leader.
    ///
    /// # Errors
    /// When librdkafka returns an error.
    pub fn depose_leader(&self, topic: &str, partition: i32) -> Result<(), BrokerError> {
        self.mock("depose the leader", |mock| {
            mock.partition_leader(topic, partition, None)
        })
    }

    /// For tests: requests of this kind no longer fail.
    ///
    /// # Errors
    /// When the mock cluster is gone, which cannot happen while the broker exists.
    pub fn clear_failures(&self, request: RDKafkaApiKey) -> Result<(), BrokerError> {
        self.mock("let requests pass", |mock| {
            mock.clear_request_errors(request);
            Ok(())
        })
    }

    fn mock(
        &self,
        doing: &'static str,
        act: impl FnOnce(&MockCluster<'_, DefaultProducerContext>) -> Result<(), KafkaError>,
    ) -> Result<(), BrokerError> {
        let mock = self
            .owner
            .client()
            .mock_cluster()
            .ok_or(BrokerError::NoMockCluster)?;
        self.while_awake(|| act(&mock))
            .map_err(|source| BrokerError::Kafka { doing, source })
    }

    /// Wakes the mock thread until the call returns. A call enqueues an operation and writes a byte to a pipe; when the
    /// thread is just done with the last call, it may take that byte together with the one before, and then sleeps for
    /// a second with the operation in its queue (`rd_kafka_mock_cluster_io_poll` in rdkafka_mock.c). A connection to
    /// the broker's port wakes it as well, and it looks into its queue first.
    fn while_awake<T>(&self, call: impl FnOnce() -> T) -> T {
        let (returned, is_returned) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                while is_returned.recv_timeout(MISSED_CALL_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
                    // While the broker is down nobody listens, and the call takes its second.
                    let _ = TcpStream::connect(&self.bootstrap_servers);
                }
            });
            let answer = call();
            drop(returned);
            answer
        })
    }

    /// Sets the mock cluster's `group.initial.rebalance.delay.ms` to 0; rdkafka has no safe function for it.
    #[allow(unsafe_code)]
    fn join_groups_at_once(&self) -> Result<(), BrokerError> {
        let client = self.owner.client().native_ptr();
        // SAFETY: `client` is the live `rd_kafka_t` of `self.owner`, which outlives this call because `self` is borrowed.
        // `rd_kafka_handle_mock_cluster` only reads the pointer that `rd_kafka_new` stored before it returned, and that
        // pointer stays valid until the client is destroyed (rdkafka.c destroys the mock cluster at the end of
        // `rd_kafka_destroy_internal`). It is null when the client has no mock cluster, which is checked before use.
        // `rd_kafka_mock_group_initial_rebalance_delay_ms` takes the cluster's own mutex around one assignment, so that the
        // mock broker's thread can run at the same time. Neither pointer is kept.
        unsafe {
            let cluster = rdkafka_sys::rd_kafka_handle_mock_cluster(client);
            if cluster.is_null() {
                return Err(BrokerError::NoMockCluster);
            }
            rdkafka_sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
        }
        Ok(())
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Instant;

    use rdkafka::Message as _;
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    use rdkafka::producer::{BaseProducer, BaseRecord};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(20);

    fn client(broker: &Broker) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", broker.bootstrap_servers());
        config
    }

    fn consumer(broker: &Broker, topic: &str) -> BaseConsumer {
        let mut config = client(broker);
        config
            .set("group.id", "g")
            .set("auto.offset.reset", "earliest")
            .set("session.timeout.ms", "6000");
        for (key, value) in Broker::fetch_hints() {
            config.set(*key, *value);
        }
        let consumer: BaseConsumer = config.create().unwrap();
        consumer.subscribe(&[topic]).unwrap();
        consumer
    }

    fn produce(producer: &BaseProducer, topic: &str, payloads: &[&str]) {
        for payload in payloads {
            producer
                .send(BaseRecord::<(), str>::to(topic).partition(0).payload(payload))
                .map_err(|(e, _)| e)
                .unwrap();
        }
        producer.flush(TIMEOUT).unwrap();
    }

    /// Payloads, until there are `count`. Errors of an unavailable broker are skipped.
    fn take(consumer: &BaseConsumer, count: usize) -> Vec<String> {
        let deadline = Instant::now() + TIMEOUT;
        let mut taken = Vec::new();
        while taken.len() < count && Instant::now() < deadline {
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
                taken.push(String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned());
            }
        }
        taken
    }

    #[test]
    fn carries_messages_and_assigns_a_new_group_at_once() {
        let broker = Broker::start().unwrap();
        broker.create_topic("t", 2).unwrap();
        let producer: BaseProducer = client(&broker).create().unwrap();
        produce(&producer, "t", &["a", "b"]);
        let metadata = producer.client().fetch_metadata(Some("t"), TIMEOUT).unwrap();
        assert_eq!(metadata.topics()[0].partitions().len(), 2);
        let started = Instant::now();
        let consumer = consumer(&broker, "t");
        assert_eq!(take(&consumer, 2), ["a", "b"]);
        // The default delay is 3 s; the join itself takes 0.1 s on an idle machine.
        assert!(
            started.elapsed() < Duration::from_millis(2900),
            "the group waited: {:?}",
            started.elapsed()
        );
    }

    /// Four brokers at once, so that the threads of each share a core: then one call in five is missed.
    #[test]
    fn calls_do_not_wait_for_a_mock_thread_that_missed_them() {
        let started = Instant::now();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let broker = Broker::start().unwrap();
                    for n in 0..200 {
                        broker.create_topic(&format!("t{n}"), 1).unwrap();
                    }
                });
            }
        });
        // A call takes 0.1 ms; one that is missed takes up to a second, unless the mock thread is woken.
        let elapsed = started.elapsed();
        assert!(elapsed < Duration::from_secs(10), "200 topics took {elapsed:?}");
    }

    #[test]
    fn keeps_its_messages_while_it_is_down() {
        let broker = Broker::start().unwrap();
        broker.create_topic("t", 1).unwrap();
        let producer: BaseProducer = client(&broker)
            .set("reconnect.backoff.max.ms", "200")
            .create()
            .unwrap();
        produce(&producer, "t", &["a"]);
        broker.down().unwrap();
        producer
            .send(BaseRecord::<(), str>::to("t").payload("b"))
            .map_err(|(e, _)| e)
            .unwrap();
        assert!(
            producer.flush(Duration::from_millis(300)).is_err(),
            "delivered although the broker is down"
        );
        broker.up().unwrap();
        producer.flush(TIMEOUT).unwrap();
        assert_eq!(take(&consumer(&broker, "t"), 2), ["a", "b"]);
    }

    #[test]
    fn fails_requests_on_demand() {
        let broker = Broker::start().unwrap();
        broker.create_topic("t", 1).unwrap();
        let producer: BaseProducer = client(&broker).set("retries", "0").create().unwrap();
        broker
            .fail_next(
                RDKafkaApiKey::Produce,
                &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE],
            )
            .unwrap();
        produce(&producer, "t", &["refused"]);
        produce(&producer, "t", &["taken"]);
        assert_eq!(take(&consumer(&broker, "t"), 1), ["taken"]);
    }

    #[test]
    fn creating_an_existing_topic_is_an_error() {
        let broker = Broker::start().unwrap();
        broker.create_topic("t", 1).unwrap();
        let error = broker.create_topic("t", 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the embedded Kafka broker could not create the topic"
        );
    }
}
