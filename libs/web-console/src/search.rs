//! A search through the messages of a topic: it says what it finds when it finds it, and how far it has come, until it is
//! at the end, has found enough, or may not go on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use operator::cluster::Cluster;
use operator::failure::Failure;
use operator::messages::decode::{Decoded, Needs};
use operator::messages::filter::{Filter, filter};
use operator::messages::message::Message;
use operator::messages::reader::{Met, Reader, Start, Stop};
use tokio::runtime::Handle;

use crate::params::Params;
use crate::state::State;

const POLL_TIMEOUT: Duration = Duration::from_millis(100);
const MAX_FOUND: usize = 500;
/// The size of the messages that are found, beside which a page needs several times as much.
const MAX_FOUND_BYTES: usize = 4 << 20;

/// What is searched for, as an address says it.
#[derive(Clone)]
pub(crate) struct Query {
    topic: String,
    start: Start,
    partition: Option<i32>,
    key: Option<String>,
    filter: Option<Filter>,
    /// How many messages are enough.
    count: usize,
}

/// How far a search may go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) messages: u64,
    pub(crate) duration: Duration,
}

/// How far a search has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) found: usize,
    pub(crate) searched: u64,
    pub(crate) total: u64,
    /// None while it goes on.
    pub(crate) end: Option<End>,
}

/// Why a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// There was no more.
    All,
    /// It found as many messages as were asked for.
    Enough,
    /// The messages that it found are as large together as they may be.
    Full,
    /// It came to one of its limits.
    Limit,
}

/// A message that was found.
pub(crate) type FoundMessage = (Message, Decoded);

impl Query {
    /// Reads `topic`, `start`, `partition`, `key`, `filter` and `n`.
    pub(crate) fn read(params: &Params) -> Result<Self, String> {
        let number = |text: &str| {
            text.parse()
                .map_err(|_| format!("{text} is not the number of a partition"))
        };
        Ok(Self {
            topic: params.get("topic").unwrap_or_default().to_owned(),
            start: params.get("start").unwrap_or("-20").parse()?,
            partition: params.get("partition").map(number).transpose()?,
            key: params.get("key").map(str::to_owned),
            filter: params.get("filter").map(filter).transpose()?,
            count: params.number("n", 50, MAX_FOUND).max(1),
        })
    }

    /// Searches until there is nothing more to do, and hands each message to `each` and the progress to `look`, which stop
    /// it by answering false. Blocks; to be called on a thread of the runtime for blocking work.
    pub(crate) fn run(
        &self,
        cluster: &Cluster,
        state: &Arc<State>,
        limits: Limits,
        mut each: impl FnMut(FoundMessage) -> bool,
        mut look: impl FnMut(Progress) -> bool,
    ) -> Result<Progress, Failure> {
        let (began, runtime) = (Instant::now(), Handle::current());
        let topic = cluster.topic(&self.topic)?;
        let mut reader = Reader::open(cluster, topic, self.partition, self.start, Stop::AtEnd)?;
        let mut progress = Progress {
            total: reader.remaining(),
            ..Progress::default()
        };
        let mut found_bytes = 0;
        loop {
            if progress.found >= self.count {
                progress.end = Some(End::Enough);
            } else if found_bytes >= MAX_FOUND_BYTES {
                progress.end = Some(End::Full);
            } else if progress.searched >= limits.messages || began.elapsed() > limits.duration {
                progress.end = Some(End::Limit);
            }
            if !look(progress) || progress.end.is_some() {
                return Ok(progress);
            }
            match reader.next(POLL_TIMEOUT)? {
                Met::Message(message) => {
                    progress.searched += 1;
                    let needs = Needs {
                        key: true,
                        value: true,
                    };
                    let decoded = runtime
                        .block_on(async { state.decoder.lock().await.decode_message(&message, needs).await });
                    if self.wants(&message, &decoded) {
                        progress.found += 1;
                        found_bytes += message.size();
                        if !each((*message, decoded)) {
                            return Ok(progress);
                        }
                    }
                }
                Met::Nothing => {}
                Met::End => progress.end = Some(End::All),
            }
        }
    }

    fn wants(&self, message: &Message, decoded: &Decoded) -> bool {
        let is_key = |key: &String| decoded.key_text(message) == *key;
        let holds = |filter: &Filter| filter.holds(message, decoded);
        self.key.as_ref().is_none_or(is_key) && self.filter.as_ref().is_none_or(holds)
    }
}
