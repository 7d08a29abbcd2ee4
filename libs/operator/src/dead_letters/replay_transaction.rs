//! Replays in transactions: each original is written together with its entry in the replay log, so that neither exists
//! without the other.
//!
//! Each dead-letter topic has its own transactional id: a second replay of the same topic fences the first and reads the
//! replay log after that. So each original is replayed once, whatever runs concurrently and whatever is killed.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;
use stage::dead_letter::allow_large;

use super::dead_letter::DeadLetter;
use super::replay_log;
use super::replayed::{Refused, Replayed};
use crate::cluster::{Cluster, REQUEST_TIMEOUT};
use crate::failure::Failure;
use crate::messages::sender::{Lost, Outgoing, Sender};

/// The most messages and bytes of one transaction.
const MAX_MESSAGES: usize = 500;
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// How long one call to librdkafka may take; it is repeated until [`REQUEST_TIMEOUT`] ends.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Replays dead letters of one topic.
pub(super) struct Transactions<'c> {
    cluster: &'c Cluster,
    sender: Sender,
    replay_log: String,
    /// Dead letters with their originals.
    batch: Vec<(DeadLetter, String)>,
    bytes: usize,
    replayed: Replayed,
}

/// A producer for [`Transactions`], which has fenced every other replay of this topic.
pub(super) fn begin(cluster: &Cluster, dead_letters: &str) -> Result<Sender, Failure> {
    let mut config = cluster.producer_config();
    config
        .set("transactional.id", format!("kafkaefd-replay-{dead_letters}"))
        .set("compression.type", "lz4");
    // What came from a topic fits into it; the broker limits its size.
    allow_large(&mut config);
    let sender = Sender::new(config)?;
    repeat(&sender, "preparing the transactions", |producer| {
        producer.init_transactions(CALL_TIMEOUT)
    })?;
    Ok(sender)
}

impl<'c> Transactions<'c> {
    pub(super) fn new(cluster: &'c Cluster, sender: Sender, dead_letters: &str) -> Self {
        Self {
            cluster,
            sender,
            replay_log: replay_log::topic_of(dead_letters),
            batch: Vec::new(),
            bytes: 0,
            replayed: Replayed::default(),
        }
    }

    /// Adds a dead letter of an original; a full batch is sent.
    pub(super) fn add(&mut self, letter: DeadLetter, original: String) -> Result<(), Failure> {
        self.bytes += letter.message.value.as_ref().map_or(0, Vec::len);
        self.batch.push((letter, original));
        if self.batch.len() >= MAX_MESSAGES || self.bytes >= MAX_BYTES {
            self.send()?;
        }
        Ok(())
    }

    /// Counts a dead letter that another replay has replayed.
    pub(super) fn pass_over(&mut self) {
        self.replayed.replayed_meanwhile += 1;
    }

    /// Records a dead letter that cannot be replayed.
    pub(super) fn refuse(&mut self, letter: String, reason: String) {
        self.replayed.refused.push(Refused { letter, reason });
    }

    /// Sends the rest.
    pub(super) fn finish(mut self) -> Result<Replayed, Failure> {
        self.send()?;
        Ok(self.replayed)
    }

    /// How many are replayed so far.
    pub(super) fn replayed(&self) -> u64 {
        self.replayed.replayed
    }

    /// One transaction for the whole batch; one for each message if Kafka refuses any.
    fn send(&mut self) -> Result<(), Failure> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        if self.attempt(&batch)?.is_none() {
            self.replayed.replayed += batch.len() as u64;
            return Ok(());
        }
        for one in &batch {
            match self.attempt(std::slice::from_ref(one))? {
                None => self.replayed.replayed += 1,
                Some(reason) => self.refuse(one.0.address(), reason),
            }
        }
        Ok(())
    }

    /// One transaction; why it was aborted, if it was.
    ///
    /// A transaction that cannot be committed is aborted and retried: Kafka 4.1 answers with an unknown error if another
    /// replay begins at that moment. If the other replay has fenced this one, the abort fails as well.
    fn attempt(&self, letters: &[(DeadLetter, String)]) -> Result<Option<String>, Failure> {
        let start = Instant::now();
        loop {
            self.cluster.check_wanted()?;
            let failure = self.write(letters)?;
            let mut lost = self.sender.take_lost();
            if failure.is_some() || !lost.is_empty() {
                lost.extend(self.abort()?);
                // A purged message was not refused itself: another one was, or the previous transaction is still ending.
                if let Some(cause) = lost.iter().find(|lost| !is_purged(&lost.error)) {
                    return Ok(Some(cause.reason.clone()));
                }
                if start.elapsed() >= REQUEST_TIMEOUT {
                    let reason =
                        failure.map_or_else(|| lost[0].reason.clone(), |failure| stage::chain(&failure));
                    return Ok(Some(reason));
                }
                self.sender.poll(RETRY_INTERVAL);
                continue;
            }
            let doing = "committing a transaction";
            match repeat(&self.sender, doing, |producer| {
                producer.commit_transaction(CALL_TIMEOUT)
            }) {
                Ok(()) => return Ok(None),
                Err(undone) if undone.requires_abort && start.elapsed() < REQUEST_TIMEOUT => {
                    self.abort()?;
                }
                Err(undone) => return Err(undone.failure),
            }
            self.sender.poll(RETRY_INTERVAL);
        }
    }

    /// Begins a transaction and sends each original with its entry in the replay log. Returns why it can only be aborted, if
    /// so.
    fn write(&self, letters: &[(DeadLetter, String)]) -> Result<Option<KafkaError>, Failure> {
        repeat(
            &self.sender,
            "beginning a transaction",
            Producer::begin_transaction,
        )?;
        for (letter, original) in letters {
            let headers = letter.replay_headers();
            let message = Outgoing {
                topic: letter.topic(),
                partition: self.partition(letter),
                key: letter.message.key.as_deref(),
                value: letter.message.value.as_deref(),
                headers: &headers,
            };
            self.sender.send(&message, 0);
            let (key, value) = replay_log::entry(letter, original);
            let entry = Outgoing {
                topic: &self.replay_log,
                key: Some(key.as_bytes()),
                value: Some(value.as_bytes()),
                ..Outgoing::default()
            };
            self.sender.send(&entry, 0);
        }
        Ok(self.sender.settle_transaction())
    }

    /// Returns the messages that were refused and those that the abort has purged.
    fn abort(&self) -> Result<Vec<Lost>, Failure> {
        let doing = "taking a transaction back";
        repeat(&self.sender, doing, |producer| {
            producer.abort_transaction(CALL_TIMEOUT)
        })?;
        self.sender.settle();
        Ok(self.sender.take_lost())
    }

    /// The partition of its origin, unless the topic was recreated with fewer.
    fn partition(&self, letter: &DeadLetter) -> Option<i32> {
        let origin = letter.origin.as_ref()?;
        let topic = self.cluster.find_topic(&origin.topic)?;
        topic.numbers().find(|number| *number == origin.partition)
    }
}

fn is_purged(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight)
    )
}

/// A call that did not succeed.
struct Undone {
    failure: Failure,
    /// Whether the transaction can only be aborted.
    requires_abort: bool,
}

impl From<Undone> for Failure {
    fn from(undone: Undone) -> Self {
        undone.failure
    }
}

/// Calls until it succeeds, as long as the error is retriable.
fn repeat(
    sender: &Sender,
    doing: &str,
    call: impl Fn(&rdkafka::producer::BaseProducer<crate::messages::sender::Account>) -> KafkaResult<()>,
) -> Result<(), Undone> {
    let start = Instant::now();
    loop {
        let error = match call(sender.producer()) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if let Some((_, why)) = sender.producer().client().fatal_error() {
            return Err(Undone {
                failure: Failure::Refused {
                    what: format!("the replay ({doing})"),
                    reason: why,
                    hint: "another replay of this dead-letter topic has taken over; run it again once that has ended, it \
                           goes on where that has come to"
                        .to_owned(),
                },
                requires_abort: false,
            });
        }
        let is =
            |kind: fn(&RDKafkaError) -> bool| matches!(&error, KafkaError::Transaction(error) if kind(error));
        if !is(RDKafkaError::is_retriable) || start.elapsed() > REQUEST_TIMEOUT {
            return Err(Undone {
                requires_abort: is(RDKafkaError::txn_requires_abort),
                failure: Failure::kafka(doing)(error),
            });
        }
        sender.poll(RETRY_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use devstack::Broker;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
    use stage::config::KafkaArgs;

    use super::*;
    use crate::messages::message::{Header, Message};

    const DEAD_LETTERS: &str = "group.dead-letter";

    /// Replays one dead letter whose first transactions end with these errors.
    fn replay(ends: &[RDKafkaRespErr]) -> Result<Replayed, Failure> {
        replay_refused("origin", RDKafkaApiKey::EndTxn, ends)
    }

    /// Replays one dead letter; the first requests of this kind are answered with these errors.
    fn replay_refused(
        origin: &str,
        request: RDKafkaApiKey,
        errors: &[RDKafkaRespErr],
    ) -> Result<Replayed, Failure> {
        let broker = Broker::start().unwrap();
        for topic in ["origin", DEAD_LETTERS, &replay_log::topic_of(DEAD_LETTERS)] {
            broker.create_topic(topic, 1).unwrap();
        }
        let header =
            |name: &str, value: &str| -> Header { (name.to_owned(), Some(value.as_bytes().to_vec())) };
        let letter = DeadLetter::of(Message {
            topic: DEAD_LETTERS.to_owned(),
            value: Some(b"text".to_vec()),
            headers: Some(vec![
                header("topic", origin),
                header("partition", "0"),
                header("offset", "7"),
            ]),
            ..Message::default()
        });
        let cluster = Cluster::reach(&KafkaArgs::at(broker.bootstrap_servers()))?;
        let sender = begin(&cluster, DEAD_LETTERS)?;
        broker.fail_next(request, errors).unwrap();
        let mut transactions = Transactions::new(&cluster, sender, DEAD_LETTERS);
        transactions.add(letter, format!("{origin}/0/7/-"))?;
        transactions.finish()
    }

    #[test]
    fn a_transaction_that_kafka_cannot_commit_is_retried() {
        let outcome = replay(&[RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN]).unwrap();
        assert_eq!((outcome.replayed, outcome.refused), (1, vec![]));
    }

    #[test]
    fn a_gap_in_the_sequence_of_messages_is_closed_by_an_abort() {
        use RDKafkaRespErr::{
            RD_KAFKA_RESP_ERR_INVALID_RECORD as INVALID,
            RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER as SKIPPED,
        };
        // First the batch, then the letter by itself. All messages are in one partition, whose sequence has a gap then.
        let origin = replay_log::topic_of(DEAD_LETTERS);
        let start = Instant::now();
        let outcome = replay_refused(&origin, RDKafkaApiKey::Produce, &[INVALID, SKIPPED]).unwrap();
        assert_eq!((outcome.replayed, outcome.refused.len()), (1, 0), "{outcome:?}");
        assert!(start.elapsed() < REQUEST_TIMEOUT / 2);
    }

    #[test]
    fn a_replay_that_another_one_has_fenced_says_so() {
        use RDKafkaRespErr::{RD_KAFKA_RESP_ERR_PRODUCER_FENCED, RD_KAFKA_RESP_ERR_UNKNOWN};
        let failure = replay(&[RD_KAFKA_RESP_ERR_UNKNOWN, RD_KAFKA_RESP_ERR_PRODUCER_FENCED]).unwrap_err();
        let is_overtaken =
            matches!(&failure, Failure::Refused { hint, .. } if hint.contains("has taken over"));
        assert!(is_overtaken, "{failure:?}");
    }
}
