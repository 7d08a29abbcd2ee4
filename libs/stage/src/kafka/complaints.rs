//! Keeps complaints from flooding the log. Texts that differ only in the names and numbers that they contain are of one
//! kind; a kind is logged at most twice a minute, with the number of those that were left out in between.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The minimum time between two log lines of one kind.
const LOG_INTERVAL: Duration = Duration::from_secs(30);
/// Kinds of one source in that time. Where names cannot be told from words, each text would be a kind: what exceeds
/// this is one kind.
const MAX_KINDS: usize = 4;
/// The number of kinds is limited because their texts come from outside.
const MAX_ALL: usize = 256;
/// Stands for whatever differs between texts of one kind.
const ANY: &str = "…";
/// What follows these words is a name.
const BEFORE_NAMES: [&str; 7] = [
    "topic",
    "Topic",
    "group",
    "partition",
    "broker",
    "available:",
    "subject",
];

/// What was logged, and what was left out since.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<BTreeMap<Kind, Seen>>);

/// Who complains, such as a facility of librdkafka or an error code; and the text without what differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind(String, String);

#[derive(Debug)]
struct Seen {
    logged: Instant,
    left_out: u64,
    latest: String,
}

/// Complaints that were left out, and of which no other has come that would have told their number.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// The last of them.
    pub(crate) latest: String,
    pub(crate) count: u64,
}

impl Complaints {
    /// Notes a complaint. Returns how many of its kind were left out since one was logged, if it is time to log it.
    pub(crate) fn note(&self, source: &str, text: &str) -> Option<u64> {
        self.note_at(Instant::now(), source, text)
    }

    /// The same where each complaint of a source is of one kind.
    pub(crate) fn note_one_kind(&self, source: &str, text: &str) -> Option<u64> {
        let mut all = crate::lock(&self.0);
        note(
            &mut all,
            Instant::now(),
            Kind(source.to_owned(), String::new()),
            text,
        )
    }

    /// Those that were left out before the last 30 s. To be called now and then: the last of a flood is followed by nothing
    /// that could tell how many there were.
    pub(crate) fn left_out(&self) -> Vec<LeftOut> {
        self.left_out_at(Instant::now())
    }

    fn note_at(&self, now: Instant, source: &str, text: &str) -> Option<u64> {
        let mut all = crate::lock(&self.0);
        all.retain(|_, seen| seen.left_out > 0 || now.duration_since(seen.logged) < LOG_INTERVAL);
        let mut kind = Kind(source.to_owned(), without_names(text));
        let of_source = |kind: &&Kind| kind.0 == source;
        if !all.contains_key(&kind) && all.keys().filter(of_source).count() >= MAX_KINDS {
            ANY.clone_into(&mut kind.1);
        }
        note(&mut all, now, kind, text)
    }

    fn left_out_at(&self, now: Instant) -> Vec<LeftOut> {
        let mut all = crate::lock(&self.0);
        let due = all
            .values_mut()
            .filter(|seen| seen.left_out > 0 && now.duration_since(seen.logged) >= LOG_INTERVAL);
        due.map(|seen| {
            seen.logged = now;
            LeftOut {
                latest: std::mem::take(&mut seen.latest),
                count: std::mem::take(&mut seen.left_out),
            }
        })
        .collect()
    }
}

/// librdkafka's text without the name of its thread, and without what it says twice: `words: words: …`.
pub(crate) fn said_once(text: &str) -> String {
    let text = match text
        .strip_prefix("[thrd:")
        .and_then(|rest| rest.split_once("]: "))
    {
        Some((_thread, rest)) => rest,
        None => text,
    };
    let mut parts: Vec<&str> = text.split(": ").collect();
    parts.dedup();
    parts.join(": ")
}

fn note(all: &mut BTreeMap<Kind, Seen>, now: Instant, kind: Kind, text: &str) -> Option<u64> {
    if let Some(seen) = all.get_mut(&kind) {
        if now.duration_since(seen.logged) < LOG_INTERVAL {
            seen.left_out += 1;
            text.clone_into(&mut seen.latest);
            return None;
        }
        seen.logged = now;
        return Some(std::mem::take(&mut seen.left_out));
    }
    if all.len() >= MAX_ALL {
        let oldest = all.iter().min_by_key(|(_, seen)| seen.logged);
        let oldest = oldest.map(|(kind, _)| kind.clone());
        oldest.and_then(|kind| all.remove(&kind));
    }
    let seen = Seen {
        logged: now,
        left_out: 0,
        latest: String::new(),
    };
    all.insert(kind, seen);
    Some(0)
}

/// The text with what differs between complaints of one kind replaced.
fn without_names(text: &str) -> String {
    // Errors that differ only in client or duration are the same.
    let text = text.split(" (after ").next().unwrap_or_default();
    let mut kind: Vec<&str> = Vec::new();
    let mut follows_name = false;
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let is_before_number = words.peek().is_some_and(|next| next.starts_with('['));
        let is_name = follows_name || is_before_number || holds_a_name(word);
        follows_name = BEFORE_NAMES.contains(&word);
        match kind.last() {
            // Lists of names have any length.
            Some(&ANY) if is_name => {}
            _ => kind.push(if is_name { ANY } else { word }),
        }
    }
    kind.join(" ")
}

/// Whether a word is a name, an address or a number: the words of a sentence have neither digits nor such signs inside.
fn holds_a_name(word: &str) -> bool {
    let inner = word.trim_end_matches(['.', ':', ',', ';', ')']);
    inner.contains(|c: char| c.is_ascii_digit() || matches!(c, '.' | '_' | '/' | '[' | '"' | '\''))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As librdkafka 2.12 words them.
    fn gone(number: usize) -> String {
        format!("Subscribed topic not available: lsst.sal.Test_{number}: Broker: Unknown topic or partition")
    }

    #[test]
    fn what_differs_in_names_and_numbers_is_of_one_kind() {
        for (one, other) in [
            (&*gone(1), &*gone(22)),
            (
                "[thrd:main]: Topic words [0]: migrated from broker 1 to 2",
                "[thrd:main]: Topic letters [11]: migrated from broker 3 to 1",
            ),
            (
                "Topic words partition count changed from 3 to 0",
                "Topic letters partition count changed from 1 to 0",
            ),
            ("records for topic words", "records for topic letters"),
            (
                "127.0.0.1:9092/1: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)",
                "kafka-2.example.org:9092/bootstrap: Connect to ipv4#10.0.0.1:9092 failed: Connection refused (after 3ms in state CONNECT)",
            ),
        ] {
            assert_eq!(without_names(one), without_names(other));
        }
        assert_ne!(
            without_names("offset commit, sent again"),
            without_names("records for topic words")
        );
    }

    #[test]
    fn what_librdkafka_says_twice_is_said_once() {
        for (text, once) in [
            (
                "[thrd:GroupCoordinator]: GroupCoordinator: GroupCoordinator: 127.0.0.1:1: Disconnected",
                "GroupCoordinator: 127.0.0.1:1: Disconnected",
            ),
            ("words [0]: words [0]: offset reset", "words [0]: offset reset"),
            ("[thrd:app]: a: b: a", "a: b: a"),
            ("", ""),
        ] {
            assert_eq!(said_once(text), once);
        }
    }

    #[test]
    fn a_flood_is_one_line_and_a_count() {
        let (complaints, start) = (Complaints::default(), Instant::now());
        let logged = (0..1_500).filter_map(|number| complaints.note_at(start, "Unknown", &gone(number)));
        assert_eq!(logged.collect::<Vec<_>>(), [0]);
        assert_eq!(complaints.left_out_at(start), []);
        let later = start + LOG_INTERVAL;
        let left_out = LeftOut {
            latest: gone(1_499),
            count: 1_499,
        };
        assert_eq!(complaints.left_out_at(later), [left_out]);
        // That was a line.
        assert_eq!(complaints.note_at(later, "Unknown", &gone(0)), None);
        assert_eq!(
            complaints.note_at(later + LOG_INTERVAL, "Unknown", &gone(0)),
            Some(1)
        );
    }

    #[test]
    fn names_that_look_like_words_do_not_flood_either() {
        let (complaints, start) = (Complaints::default(), Instant::now());
        let words = |number: u32| -> String {
            let letters = number.to_string().into_bytes().into_iter();
            letters.map(|digit| char::from(digit - b'0' + b'a')).collect()
        };
        let logged = (0..1_500).filter(|&number| {
            let text = format!("no leader for {}", words(number));
            complaints.note_at(start, "LEADER", &text).is_some()
        });
        assert_eq!(logged.count(), MAX_KINDS + 1);
        assert_eq!(complaints.note_at(start, "OTHER", "another source"), Some(0));
    }

    #[test]
    fn memory_is_bounded() {
        let (complaints, start) = (Complaints::default(), Instant::now());
        for number in 0..10_000 {
            complaints.note_at(start, &format!("source {number}"), "text");
        }
        assert_eq!(crate::lock(&complaints.0).len(), MAX_ALL);
    }
}
