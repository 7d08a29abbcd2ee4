//! What the watch does with a client of any context: it checks whether a broker answers the client, and gives the
//! client its bootstrap brokers again.

use std::ffi::CString;
use std::time::Duration;

use rdkafka::client::Client;
use rdkafka::{ClientConfig, ClientContext};

/// A Kafka client of any context.
pub trait AnyClient {
    /// Whether a broker answers it. Blocks for at most `timeout`.
    fn is_answered(&self, timeout: Duration) -> bool;
    /// Adds the brokers of `config`, with which the client was created. This is harmless if it has them: librdkafka
    /// adds none twice, and drops them with the next metadata response that names brokers.
    fn bootstrap_again(&self, config: &ClientConfig);
}

impl<C: ClientContext> AnyClient for Client<C> {
    fn is_answered(&self, timeout: Duration) -> bool {
        self.fetch_metadata(None, timeout)
            .is_ok_and(|metadata| !metadata.brokers().is_empty())
    }

    fn bootstrap_again(&self, config: &ClientConfig) {
        let brokers = ["bootstrap.servers", "metadata.broker.list"]
            .iter()
            .find_map(|key| config.get(key))
            .and_then(|brokers| CString::new(brokers).ok());
        if let Some(brokers) = brokers {
            // SAFETY: the pointer is the live `rd_kafka_t` of `self`, which is borrowed and so outlives the call.
            // `rd_kafka_brokers_add` (librdkafka 2.12.1, rdkafka_broker.c) may be called by any thread at any time, as it takes
            // the client's own lock; it copies the list, a C string that lives until the statement's end, and keeps no
            // pointer to it.
            #[allow(unsafe_code, reason = "rdkafka has no safe form of it")]
            unsafe {
                rdkafka_sys::rd_kafka_brokers_add(self.native_ptr(), brokers.as_ptr());
            }
        }
    }
}
