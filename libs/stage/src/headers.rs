//! Safe access to a message's headers. Kafka's protocol calls their names text, but no broker checks that, and rdkafka
//! panics on a name that is not UTF-8: one such message would end every process that reads its headers, again and
//! again.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::Message;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Header, Headers};

/// The headers of a message, in their order.
pub enum OwnHeaders<'m> {
    /// All headers; empty if the message has none.
    Readable(Vec<Header<'m, &'m [u8]>>),
    /// Some name is not UTF-8: they can be copied as a whole ([`BorrowedHeaders::detach`]) but not read.
    Unreadable(&'m BorrowedHeaders),
}

impl<'m> OwnHeaders<'m> {
    /// The headers of a message.
    pub fn of(message: &'m BorrowedMessage<'_>) -> Self {
        let Some(headers) = message.headers() else {
            return Self::Readable(Vec::new());
        };
        // The panic is in `CStr::to_str().unwrap()`, before anything is changed. The default hook prints a line.
        match catch_unwind(AssertUnwindSafe(|| headers.iter().collect())) {
            Ok(readable) => Self::Readable(readable),
            Err(_) => Self::Unreadable(headers),
        }
    }
}

/// One header, if it exists and its name is UTF-8.
pub(crate) fn readable(headers: &BorrowedHeaders, at: usize) -> Option<Header<'_, &[u8]>> {
    catch_unwind(AssertUnwindSafe(|| headers.try_get(at)))
        .ok()
        .flatten()
}
