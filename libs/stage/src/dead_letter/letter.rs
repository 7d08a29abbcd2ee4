//! What a dead letter is made of: the message's own bytes, as far as they fit, and headers that say where it came from first,
//! who refused it and why.

use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};

use super::extent::Extent;
use crate::headers::OwnHeaders;
use crate::origin::Origin;
use crate::reason::Reason;
use crate::sanitize::Printable;

/// What stands before the names of the original's own headers.
pub const ORIGINAL: &str = "original.";
/// Headers with the length, in bytes, of what a letter had to leave out.
pub const OMITTED_VALUE: &str = "omitted-value";
/// The same for the key.
pub const OMITTED_KEY: &str = "omitted-key";
/// The same for all of the original's own headers, names and values.
pub const OMITTED_HEADERS: &str = "omitted-headers";

/// The header of a message that was replayed: the letter that it was, `topic/partition/offset`.
pub const REPLAYED_FROM: &str = "replayed-from";

/// How many headers of ours a whole letter has at most.
const OURS: usize = 8;
/// Characters of the detail in a letter that is not whole.
const SHORT_DETAIL: usize = 200;
/// Keys and values up to this length, in bytes, are never left out.
const SHORT: usize = 1_024;

/// A message's way into the dead-letter topic, without the message.
#[derive(Debug)]
pub struct Letter {
    /// Why.
    pub reason: Reason,
    /// Where the message came from first: of a letter that is refused again, where that says so.
    origin: Origin,
    /// The length of the original's own headers.
    header_bytes: usize,
    /// Of a letter that is refused again: what that had to leave out.
    omitted: Vec<(String, String)>,
    /// Of a replay: the letter that it was. It stays where the original's other headers do not fit, as the same letter would
    /// else be replayed again and again.
    replayed_from: Option<Vec<u8>>,
}

/// A letter as it is sent.
#[derive(Debug)]
pub struct Parts<'m> {
    /// Ours and, in a whole letter, the original's.
    pub headers: OwnedHeaders,
    /// The key, if it has one that is not left out.
    pub key: Option<&'m [u8]>,
    /// The value, if it has one that is not left out.
    pub value: Option<&'m [u8]>,
}

impl Letter {
    /// Of a message that came from `origin`.
    pub fn new(message: &BorrowedMessage<'_>, origin: Origin, reason: Reason) -> Self {
        let own = OwnHeaders::of(message);
        // What was noted of it when it was taken is without its time.
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
            // Nobody reads them; that they are there has to be enough.
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

    /// What is sent in place of `message`: the original, or a letter of a larger extent.
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

    /// What fits where a letter of this extent, with this key and value, does not. A reference is as short as letters get.
    pub fn shorter(&self, extent: Extent, key: usize, value: usize) -> Option<Extent> {
        let has_long_part = key > SHORT || value > SHORT;
        let has_headers = self.header_bytes > 0 || self.reason.detail.len() > SHORT_DETAIL;
        match extent {
            Extent::Whole if has_headers => Some(Extent::WithoutHeaders),
            Extent::Whole | Extent::WithoutHeaders if has_long_part => Some(Extent::Reference),
            _ => None,
        }
    }

    /// The length of a whole letter without what is ours, in bytes.
    pub fn bytes(&self, key: usize, value: usize) -> usize {
        key + value + self.header_bytes
    }

    fn whole_headers(&self, message: &BorrowedMessage<'_>, group: &str) -> OwnedHeaders {
        let own = match OwnHeaders::of(message) {
            OwnHeaders::Readable(own) => own,
            // Names that are no text cannot be given another one: ours stand behind them, once.
            OwnHeaders::Unreadable(own) if is_letter(message) => return own.detach(),
            OwnHeaders::Unreadable(own) => return self.add_ours(own.detach(), group, usize::MAX),
        };
        let mut headers = self.ours(group, usize::MAX);
        let is_letter = first_origin(&own).is_some();
        for header in own {
            // Of a letter that is refused again only the original's headers are of interest, and they have their prefix.
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
        // Ours are the last ones there, and have names that are text.
        OwnHeaders::Unreadable(_) => {
            let ours = (headers.count().saturating_sub(OURS)..headers.count())
                .filter_map(|at| crate::headers::readable(headers, at))
                .collect::<Vec<_>>();
            first_origin(&ours).is_some()
        }
    }
}

/// Where a letter's message came from first, if these are a letter's headers.
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
