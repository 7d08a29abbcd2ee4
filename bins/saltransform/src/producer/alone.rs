//! A record sent with nothing beside it. A broker that finds a batch too large refuses all of it, and does not say of what: a
//! record that fits is told from one that does not by sending it by itself.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};

/// How long one wait for what is on its way lasts, before it is asked again whether it is worth it.
const SETTLE: Duration = Duration::from_millis(100);

/// Read by those who send, written by who has to send something by itself.
#[derive(Default)]
pub(super) struct Alone(RwLock<()>);

impl Alone {
    /// Sends among others, but not beside what is sent by itself.
    pub(super) fn among_others<T>(&self, send: impl FnOnce() -> T) -> T {
        let _among_others = self.0.read().unwrap_or_else(PoisonError::into_inner);
        send()
    }

    /// Sends once all else has arrived, and waits until this has, too. Serves reports. Nothing is sent, or waited for any more,
    /// when `is_void`; the record is none once it is sent.
    pub(super) fn by_itself<C: ProducerContext, R, T>(
        &self,
        producer: &BaseProducer<C>,
        record: R,
        is_void: impl Fn(Option<&R>) -> bool,
        send: impl FnOnce(R) -> T,
    ) -> Option<T> {
        let _by_itself = self.0.write().unwrap_or_else(PoisonError::into_inner);
        while producer.flush(SETTLE).is_err() {
            if is_void(Some(&record)) {
                return None;
            }
        }
        if is_void(Some(&record)) {
            return None;
        }
        let sent = send(record);
        while producer.flush(SETTLE).is_err() && !is_void(None) {}
        Some(sent)
    }
}
