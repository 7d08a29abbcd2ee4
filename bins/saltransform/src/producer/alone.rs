//! Sends a record alone in its batch. A broker that finds a batch too large refuses all of it and does not say which
//! record is the cause; sending a record alone shows whether it fits.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};

/// How long one wait for records in flight lasts before the record is checked again.
const SETTLE_INTERVAL: Duration = Duration::from_millis(100);

/// Read-locked to send, write-locked to send a record alone.
#[derive(Default)]
pub(super) struct Alone(RwLock<()>);

impl Alone {
    /// Sends together with others, but not while a record is sent alone.
    pub(super) fn among_others<T>(&self, send: impl FnOnce() -> T) -> T {
        let _among_others = self.0.read().unwrap_or_else(PoisonError::into_inner);
        send()
    }

    /// Waits until all other records are delivered, sends, and waits until this one is delivered. Serves reports. Stops
    /// when `is_void`, which receives no record once it is sent.
    pub(super) fn by_itself<C: ProducerContext, R, T>(
        &self,
        producer: &BaseProducer<C>,
        record: R,
        is_void: impl Fn(Option<&R>) -> bool,
        send: impl FnOnce(R) -> T,
    ) -> Option<T> {
        let _by_itself = self.0.write().unwrap_or_else(PoisonError::into_inner);
        while producer.flush(SETTLE_INTERVAL).is_err() {
            if is_void(Some(&record)) {
                return None;
            }
        }
        if is_void(Some(&record)) {
            return None;
        }
        let sent = send(record);
        while producer.flush(SETTLE_INTERVAL).is_err() && !is_void(None) {}
        Some(sent)
    }
}
