//! A producer whose delivery reports are served by its own thread, for records that are rare, such as dead letters.
//!
//! rdkafka has such a producer, `ThreadedProducer`. Its thread waits 100 ms at a time, without [`POLL_EXCESS_DURATION`]. That took
//! 1 % of a core in every process, for a producer that hardly ever sends (`perf record`, rdkafka 0.39).

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, ProducerContext};

use crate::service::Shutdown;

/// What a wait for reports has beyond whole milliseconds. rdkafka passes the remaining time to librdkafka in whole ones,
/// rounded down, and polls in a busy loop during the last part of a millisecond. With this, whole ones remain when it calls
/// librdkafka, whose wake-up is later by more than this: then no time is left.
pub const POLL_EXCESS_DURATION: Duration = Duration::from_micros(20);
const POLL_TIMEOUT: Duration = Duration::from_millis(100).saturating_add(POLL_EXCESS_DURATION);

/// A producer, and the thread that serves its reports until it is dropped.
pub struct PolledProducer<C: ProducerContext + 'static> {
    producer: Arc<BaseProducer<C>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl<C: ProducerContext + 'static> PolledProducer<C> {
    /// Creates the producer and starts its thread, which calls `between` after each wait for reports. If the thread
    /// panics, the service ends.
    pub fn new(
        config: &ClientConfig,
        context: C,
        shutdown: &Shutdown,
        between: impl Fn(&BaseProducer<C>) + Send + 'static,
    ) -> Result<Self, KafkaError> {
        let producer = Arc::new(BaseProducer::from_config_and_context(config, context)?);
        let over = Arc::new(AtomicBool::new(false));
        let (served, ends, shutdown) = (Arc::clone(&producer), Arc::clone(&over), shutdown.clone());
        let serve = move || {
            let _guard = shutdown.fail_on_panic();
            while !ends.load(Ordering::Relaxed) {
                served.poll(POLL_TIMEOUT);
                between(&served);
            }
        };
        let thread = std::thread::Builder::new()
            .name("reports".to_owned())
            .spawn(serve);
        Ok(Self {
            producer,
            over,
            thread: Some(thread.map_err(|error| KafkaError::ClientCreation(error.to_string()))?),
        })
    }
}

impl<C: ProducerContext + 'static> Deref for PolledProducer<C> {
    type Target = BaseProducer<C>;

    fn deref(&self) -> &Self::Target {
        &self.producer
    }
}

impl<C: ProducerContext + 'static> Drop for PolledProducer<C> {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic ended the service already.
            let _ = thread.join();
        }
    }
}
