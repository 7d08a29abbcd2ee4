//! The contents of a dead letter: the message's own bytes, as far as they fit, and headers with its first origin, the
//! group that refused it and the reason.

use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};

use super::extent::Extent;
use crate::headers::OwnHeaders;
use crate::origin::Origin;
use crate::reason::Reason;
use crate::sanitize::Printable;

/// The prefix of the original's own headers.
pub const ORIGINAL: &str = "original.";
/// The header with the length, in bytes, of an omitted value.
pub const OMITTED_VALUE: &str = "omitted-value";
/// The same for the key.
pub const OMITTED_KEY: &str = "omitted-key";
/// The same for all of the original's own headers, names and values.
pub const OMITTED_HEADERS: &str = "omitted-headers";

/// The header of a replayed message: the dead letter that it was, `topic/partition/offset`.
pub const REPLAYED_FROM: &str = "replayed-from";

/// The maximum number of own headers in a whole dead letter.
const OURS: usize = 8;
/// Characters of the detail in a shortened dead letter.
const SHORT_DETAIL: usize = 200;
/// Keys and values up to this length, in bytes, are never omitted.
const SHORT: usize = 1_024;

/// A dead letter without its message.
#[derive(Debug)]
pub struct Letter {
    /// Why.
    pub reason: Reason,
    /// The first origin of the message; for a dead letter that is refused again, the one that it records.
    origin: Origin,
    /// The length of the original's own headers.
    header_bytes: usize,
    /// For a dead letter that is refused again: what it had omitted.
    omitted: Vec<(String, String)>,
    /// For a replay: the dead letter that it was. It stays even if the original's other headers do not fit, because the
    /// same dead letter would otherwise be replayed again and again.
    replayed_from: Option<Vec<u8>>,
}

/// A dead letter as it is sent.
#[derive(Debug)]
pub struct Parts<'m> {
    /// Its own headers and, in a whole dead letter, the original's.
    pub headers: OwnedHeaders,
    /// The key, unless it is omitted.
    pub key: Option<&'m [u8]>,
    /// The value, unless it is omitted.
    pub value: Option<&'m [u8]>,
}

impl Letter {
    /// The dead letter of a message from `origin`.
    pub fn new(message: &BorrowedMessage<'_>, origin: Origin, reason: Reason) -> Self {
        let own = OwnHeaders::of(message);
        // The origin noted at consumption has no timestamp.
        let origin = Origin {
            timestamp_ms: message.timestamp().to_millis(),
            ..origin
        };
        let (mut omitted, mut replayed_from) = (Vec::new(), None);
        let (origin, header_bytes) = match &own {
            OwnHeaders::Readable(own) => {
                let first = first_origin(own);
                if first.is_some() {
                    omitted = kept_omissions(own);
                }
                let is_replay = |header: &&Header<'_, &[u8]>| {
                    let prefix = if first.is_some() { ORIGINAL } else { "" };
                    header.key.strip_prefix(prefix) == Some(REPLAYED_FROM)
                };
                let replay = own.iter().find(is_replay).and_then(|header| header.value);
                replayed_from = replay.filter(|value| value.len() <= SHORT).map(<[u8]>::to_vec);
                let length =
                    |header: &Header<'_, &[u8]>| header.key.len() + header.value.map_or(0, <[u8]>::len);
                (first.unwrap_or(origin), own.iter().map(length).sum())
            }
            // They are not readable; their number stands for their length.
            OwnHeaders::Unreadable(own) => (origin, own.count()),
        };
        Self {
            reason,
            origin,
            header_bytes,
            omitted,
            replayed_from,
        }
    }

    /// What is sent for `message`, which is the original or a dead letter of a larger extent.
    pub fn parts<'m>(&self, message: &'m BorrowedMessage<'_>, group: &str, extent: Extent) -> Parts<'m> {
        let (key, value) = (message.key(), message.payload());
        if extent == Extent::Whole {
            let headers = self.whole_headers(message, group);
            return Parts { headers, key, value };
        }
        let fits = |part: &&[u8]| extent != Extent::Reference || part.len() <= SHORT;
        let (kept_key, kept_value) = (key.filter(fits), value.filter(fits));
        let mut headers = self.ours(group, SHORT_DETAIL);
        if let Some(replayed_from) = &self.replayed_from {
            headers = add(headers, &format!("{ORIGINAL}{REPLAYED_FROM}"), replayed_from);
        }
        let left_out = [
            (
                OMITTED_HEADERS,
                (self.header_bytes > 0).then_some(self.header_bytes),
            ),
            (OMITTED_KEY, key.filter(|_| kept_key.is_none()).map(<[u8]>::len)),
            (
                OMITTED_VALUE,
                value.filter(|_| kept_value.is_none()).map(<[u8]>::len),
            ),
        ];
        for (name, length) in left_out {
            if let Some(length) = length {
                headers = add(headers, name, length.to_string().as_bytes());
            }
        }
        Parts {
            headers,
            key: kept_key,
            value: kept_value,
        }
    }

    /// The next smaller extent for this key and value. A reference is the smallest.
    pub fn shorter(&self, extent: Extent, key: usize, value: usize) -> Option<Extent> {
        let has_long_part = key > SHORT || value > SHORT;
        let has_headers = self.header_bytes > 0 || self.reason.detail.len() > SHORT_DETAIL;
        match extent {
            Extent::Whole if has_headers => Some(Extent::WithoutHeaders),
            Extent::Whole | Extent::WithoutHeaders if has_long_part => Some(Extent::Reference),
            _ => None,
        }
    }

    /// The length in bytes of a whole dead letter without its own headers.
    pub fn bytes(&self, key: usize, value: usize) -> usize {
        key + value + self.header_bytes
    }

    fn whole_headers(&self, message: &BorrowedMessage<'_>, group: &str) -> OwnedHeaders {
        let own = match OwnHeaders::of(message) {
            OwnHeaders::Readable(own) => own,
            // Names that are not text cannot be prefixed: the own headers follow them, once.
            OwnHeaders::Unreadable(own) if is_letter(message) => return own.detach(),
            OwnHeaders::Unreadable(own) => return self.add_ours(own.detach(), group, usize::MAX),
        };
        let mut headers = self.ours(group, usize::MAX);
        let is_letter = first_origin(&own).is_some();
        for header in own {
            // Of a dead letter that is refused again, only the original's headers matter, and they have their prefix.
            match (is_letter, header.key.starts_with(ORIGINAL)) {
                (true, false) => continue,
                (true, true) => headers = headers.insert(header),
                (false, _) => {
                    let key = format!("{ORIGINAL}{}", header.key);
                    headers = headers.insert(Header {
                        key: &key,
                        value: header.value,
                    });
                }
            }
        }
        headers
    }

    fn ours(&self, group: &str, detail: usize) -> OwnedHeaders {
        self.add_ours(OwnedHeaders::new_with_capacity(OURS), group, detail)
    }

    fn add_ours(&self, mut headers: OwnedHeaders, group: &str, detail: usize) -> OwnedHeaders {
        let Origin {
            topic,
            partition,
            offset,
            timestamp_ms,
        } = &self.origin;
        let timestamp = timestamp_ms.map(|timestamp| timestamp.to_string());
        let shown = Printable(&self.reason.detail).to_string();
        let detail: String = shown.chars().take(detail).collect();
        for (name, value) in [
            ("topic", Some(&**topic)),
            ("partition", Some(&partition.to_string())),
            ("offset", Some(&offset.to_string())),
            ("timestamp", timestamp.as_deref()),
            ("stage", Some(self.reason.step)),
            ("reason", Some(self.reason.reason)),
            ("detail", Some(&detail)),
            ("group", Some(group)),
        ] {
            if let Some(value) = value {
                headers = add(headers, name, value.as_bytes());
            }
        }
        for (name, length) in &self.omitted {
            headers = add(headers, name, length.as_bytes());
        }
        headers
    }
}

/// Whether a message is a dead letter of some stage, by its headers.
pub fn is_letter(message: &BorrowedMessage<'_>) -> bool {
    let Some(headers) = message.headers() else {
        return false;
    };
    match OwnHeaders::of(message) {
        OwnHeaders::Readable(own) => first_origin(&own).is_some(),
        // The own headers are the last ones, and their names are text.
        OwnHeaders::Unreadable(_) => {
            let ours = (headers.count().saturating_sub(OURS)..headers.count())
                .filter_map(|at| crate::headers::readable(headers, at))
                .collect::<Vec<_>>();
            first_origin(&ours).is_some()
        }
    }
}

/// The first origin of a dead letter's message, if these are the headers of a dead letter.
fn first_origin(headers: &[Header<'_, &[u8]>]) -> Option<Origin> {
    if headers.len() < OURS - 1 {
        return None;
    }
    let text = |name: &str| {
        let header = headers.iter().find(|header| header.key == name)?;
        std::str::from_utf8(header.value?).ok()
    };
    for name in ["stage", "reason", "detail", "group"] {
        text(name)?;
    }
    Some(Origin {
        topic: text("topic")?.into(),
        partition: text("partition")?.parse().ok()?,
        offset: text("offset")?.parse().ok()?,
        timestamp_ms: text("timestamp").and_then(|text| text.parse().ok()),
    })
}

fn kept_omissions(headers: &[Header<'_, &[u8]>]) -> Vec<(String, String)> {
    let omitted = headers
        .iter()
        .filter(|header| [OMITTED_VALUE, OMITTED_KEY, OMITTED_HEADERS].contains(&header.key));
    omitted
        .filter_map(|header| {
            let length = std::str::from_utf8(header.value?).ok()?;
            Some((header.key.to_owned(), length.to_owned()))
        })
        .collect()
}

fn add(headers: OwnedHeaders, key: &str, value: &[u8]) -> OwnedHeaders {
    headers.insert(Header {
        key,
        value: Some(value),
    })
}
