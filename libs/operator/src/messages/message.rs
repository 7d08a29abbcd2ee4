//! A message of its own, apart from the consumer that read it.

use std::cell::Cell;
use std::panic;
use std::sync::Once;

use rdkafka::Message as _;
use rdkafka::message::BorrowedMessage;
use serde_json::Value;
use stage::headers::OwnHeaders;
use stage::readable::readable;

/// A header: its name, and its value if it has one.
pub type Header = (String, Option<Vec<u8>>);

/// A message, whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Where it lies.
    pub topic: String,
    /// Where in the topic.
    pub partition: i32,
    /// Where in the partition.
    pub offset: i64,
    /// Milliseconds since 1970 UTC, if it has any.
    pub timestamp: Option<i64>,
    /// What keeps messages in order.
    pub key: Option<Vec<u8>>,
    /// None of a tombstone.
    pub value: Option<Vec<u8>>,
    /// In their order; none at all where the name of one is not UTF-8, so that rdkafka reads none.
    pub headers: Option<Vec<Header>>,
}

impl Message {
    /// A copy of what the consumer holds.
    pub fn of(message: &BorrowedMessage<'_>) -> Self {
        let headers = match quietly(|| OwnHeaders::of(message)) {
            OwnHeaders::Readable(headers) => Some(
                headers
                    .into_iter()
                    .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                    .collect(),
            ),
            OwnHeaders::Unreadable(_) => None,
        };
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers,
        }
    }

    /// The bytes of key, value and headers.
    pub fn size(&self) -> usize {
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter().flatten();
        let headers: usize = headers.map(|(name, value)| name.len() + length(value)).sum();
        length(&self.key) + length(&self.value) + headers
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let headers = self.headers.as_ref()?;
        let (_, value) = headers.iter().find(|(found, _)| found == name)?;
        value.as_deref()
    }

    /// The same if it is text.
    pub fn header_text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.header(name)?).ok()
    }
}

thread_local! {
    /// Whether this thread is reading headers.
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// Reading headers that cannot be read panics inside, which is caught there; the lines that a panic prints are kept off
/// the operator's screen.
fn quietly<T>(read: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !READING.get() {
                before(info);
            }
        }));
    });
    READING.set(true);
    let read = read();
    READING.set(false);
    read
}

/// Text as it is, all else as hexadecimal digits.
pub fn shown(bytes: &[u8]) -> Value {
    readable(bytes).1
}

/// The same as text.
pub fn shown_text(bytes: &[u8]) -> String {
    match shown(bytes) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
