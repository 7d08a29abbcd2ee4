//! The way back for a client that has lost all its brokers: librdkafka is given those that it was made with again.

use std::ffi::CString;

use rdkafka::client::Client;
use rdkafka::{ClientConfig, ClientContext};

/// Adds the brokers of `config` to a client that was made from it. A client that has them loses nothing: librdkafka adds none
/// twice, and forgets them again with the next metadata answer that names brokers.
pub fn bootstrap_again<C: ClientContext>(client: &Client<C>, config: &ClientConfig) {
    let brokers = ["bootstrap.servers", "metadata.broker.list"]
        .iter()
        .find_map(|key| config.get(key))
        .and_then(|brokers| CString::new(brokers).ok());
    if let Some(brokers) = brokers {
        // SAFETY: the pointer is the live `rd_kafka_t` of `client`, which is borrowed and so outlives the call.
        // `rd_kafka_brokers_add` (librdkafka 2.12.1, rdkafka_broker.c) may be called by any thread at any time, as it takes the
        // client's own lock; it copies the list, a C string that lives until the statement's end, and keeps no pointer
        // to it.
        #[allow(unsafe_code, reason = "rdkafka has no safe form of it")]
        unsafe {
            rdkafka_sys::rd_kafka_brokers_add(client.native_ptr(), brokers.as_ptr());
        }
    }
}
