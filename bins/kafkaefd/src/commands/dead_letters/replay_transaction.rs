//! Letters on their way back: each goes to its topic together with its mark, in one transaction, so that there is never
//! one without the other.
//!
//! The transactional id is the dead-letter topic's: a second replay of the same topic ends what a first one has under way,
//! and reads the marks after that. So a letter is replayed once, however many try, and whatever is killed.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;
use stage::dead_letter::allow_large;

use super::dead_letter::Letter;
use super::replay_log;
use operator::cluster::{Cluster, PATIENCE};
use operator::failure::Failure;
use operator::messages::sender::{Outgoing, Sender};

/// The most letters, and bytes, of one transaction.
const MOST_LETTERS: usize = 500;
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// How long one call to Kafka's client may take; it is repeated until its patience ends.
const CALL: Duration = Duration::from_secs(5);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// Puts letters back.
pub(super) struct Transactions<'c> {
    cluster: &'c Cluster,
    sender: Sender,
    marks: String,
    batch: Vec<(Letter, String)>,
    bytes: usize,
    replayed: u64,
    meanwhile: u64,
    refused: Vec<(String, String)>,
}

/// What became of them.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) replayed: u64,
    /// Letters that another replay had put back before.
    pub(super) meanwhile: u64,
    /// Letters that Kafka did not take back: their addresses, and why.
    pub(super) refused: Vec<(String, String)>,
}

/// The producer's side of that, which outlives the cluster as it was before.
pub(super) fn begin(cluster: &Cluster, dead_letters: &str) -> Result<Sender, Failure> {
    let mut config = cluster.producer_config();
    config
        .set("transactional.id", format!("kafkaefd-replay-{dead_letters}"))
        .set("compression.type", "lz4");
    // What came from a topic fits into it; how large that may be is the broker's to say.
    allow_large(&mut config);
    let sender = Sender::new(config)?;
    repeat(&sender, "preparing the transactions", |producer| {
        producer.init_transactions(CALL)
    })?;
    Ok(sender)
}

impl<'c> Transactions<'c> {
    pub(super) fn new(cluster: &'c Cluster, sender: Sender, dead_letters: &str) -> Self {
        Self {
            cluster,
            sender,
            marks: replay_log::topic_of(dead_letters),
            batch: Vec::new(),
            bytes: 0,
            replayed: 0,
            meanwhile: 0,
            refused: Vec::new(),
        }
    }

    /// Takes a letter of an original; a full batch is sent.
    pub(super) fn add(&mut self, letter: Letter, original: String) -> Result<(), Failure> {
        self.bytes += letter.message.value.as_ref().map_or(0, Vec::len);
        self.batch.push((letter, original));
        if self.batch.len() >= MOST_LETTERS || self.bytes >= MOST_BYTES {
            self.send()?;
        }
        Ok(())
    }

    /// Counts a letter that another replay has put back.
    pub(super) fn pass_over(&mut self) {
        self.meanwhile += 1;
    }

    /// Notes a letter that cannot go back.
    pub(super) fn refuse(&mut self, address: String, why: &str) {
        self.refused.push((address, why.to_owned()));
    }

    /// Sends the rest.
    pub(super) fn finish(mut self) -> Result<Outcome, Failure> {
        self.send()?;
        Ok(Outcome {
            replayed: self.replayed,
            meanwhile: self.meanwhile,
            refused: self.refused,
        })
    }

    /// How many are back so far.
    pub(super) fn replayed(&self) -> u64 {
        self.replayed
    }

    /// One transaction for all; where Kafka refuses some, one for each.
    fn send(&mut self) -> Result<(), Failure> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        if self.attempt(&batch)?.is_none() {
            self.replayed += batch.len() as u64;
            return Ok(());
        }
        for one in &batch {
            match self.attempt(std::slice::from_ref(one))? {
                None => self.replayed += 1,
                Some(why) => self.refused.push((one.0.address(), why)),
            }
        }
        Ok(())
    }

    /// One transaction; why it was taken back, if it was.
    ///
    /// One that cannot be committed is taken back and tried again: Kafka 4.1 has an unknown error for one that ends in the
    /// moment in which another replay begins. Whether that other one has taken over, taking back tells: then it fails, too.
    fn attempt(&self, letters: &[(Letter, String)]) -> Result<Option<String>, Failure> {
        let start = Instant::now();
        loop {
            self.write(letters)?;
            let lost = self.sender.take_lost();
            // Who is purged was not refused: another message was, or the transaction before is not wholly over.
            let cause = lost.iter().find(|lost| !is_purged(&lost.error));
            if let Some(cause) = cause.or(lost.first()) {
                self.take_back()?;
                if is_purged(&cause.error) && start.elapsed() < PATIENCE {
                    self.sender.poll(PAUSE);
                    continue;
                }
                return Ok(Some(stage::chain(&cause.error)));
            }
            let doing = "committing a transaction";
            match repeat(&self.sender, doing, |producer| producer.commit_transaction(CALL)) {
                Ok(()) => return Ok(None),
                Err(undone) if undone.requires_abort && start.elapsed() < PATIENCE => self.take_back()?,
                Err(undone) => return Err(undone.failure),
            }
            self.sender.poll(PAUSE);
        }
    }

    /// Begins a transaction and sends each letter with its mark.
    fn write(&self, letters: &[(Letter, String)]) -> Result<(), Failure> {
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
            let (key, value) = replay_log::of(letter, original);
            let mark = Outgoing {
                topic: &self.marks,
                key: Some(key.as_bytes()),
                value: Some(value.as_bytes()),
                ..Outgoing::default()
            };
            self.sender.send(&mark, 0);
        }
        self.sender.settle();
        Ok(())
    }

    fn take_back(&self) -> Result<(), Failure> {
        let doing = "taking a transaction back";
        repeat(&self.sender, doing, |producer| producer.abort_transaction(CALL))?;
        // What it throws away was reported, too, and is no loss of the transaction that follows.
        self.sender.take_lost();
        Ok(())
    }

    /// The partition that it came from, unless the topic was made anew with fewer.
    fn partition(&self, letter: &Letter) -> Option<i32> {
        let origin = letter.origin.as_ref()?;
        let topic = self.cluster.topic(&origin.topic).ok()?;
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
    /// Whether the transaction can only be taken back.
    requires_abort: bool,
}

impl From<Undone> for Failure {
    fn from(undone: Undone) -> Self {
        undone.failure
    }
}

/// Calls until it succeeds, as long as another try can help.
fn repeat(
    sender: &Sender,
    doing: &str,
    call: impl Fn(&rdkafka::producer::BaseProducer<operator::messages::sender::Account>) -> KafkaResult<()>,
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
        if !is(RDKafkaError::is_retriable) || start.elapsed() > PATIENCE {
            return Err(Undone {
                requires_abort: is(RDKafkaError::txn_requires_abort),
                failure: Failure::kafka(doing)(error),
            });
        }
        sender.poll(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use devstack::Broker;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
    use stage::config::KafkaArgs;

    use super::*;
    use crate::commands::reach;
    use operator::messages::message::{Header, Message};

    const DEAD_LETTERS: &str = "group.dead-letter";

    /// What becomes of one letter whose transactions end with these errors first.
    fn replay(ends: &[RDKafkaRespErr]) -> Result<Outcome, Failure> {
        let broker = Broker::start().unwrap();
        for topic in ["origin", DEAD_LETTERS, &replay_log::topic_of(DEAD_LETTERS)] {
            broker.create_topic(topic, 1).unwrap();
        }
        let header =
            |name: &str, value: &str| -> Header { (name.to_owned(), Some(value.as_bytes().to_vec())) };
        let letter = Letter::of(Message {
            topic: DEAD_LETTERS.to_owned(),
            value: Some(b"text".to_vec()),
            headers: Some(vec![
                header("topic", "origin"),
                header("partition", "0"),
                header("offset", "7"),
            ]),
            ..Message::default()
        });
        let cluster = reach(&KafkaArgs::at(broker.bootstrap_servers()))?;
        let sender = begin(&cluster, DEAD_LETTERS)?;
        broker.fail_next(RDKafkaApiKey::EndTxn, ends).unwrap();
        let mut transactions = Transactions::new(&cluster, sender, DEAD_LETTERS);
        transactions.add(letter, "origin/0/7/-".to_owned())?;
        transactions.finish()
    }

    #[test]
    fn a_transaction_that_kafka_cannot_commit_is_tried_again() {
        let outcome = replay(&[RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN]).unwrap();
        assert_eq!((outcome.replayed, outcome.refused), (1, vec![]));
    }

    #[test]
    fn one_that_another_replay_has_ended_says_so() {
        use RDKafkaRespErr::{RD_KAFKA_RESP_ERR_PRODUCER_FENCED, RD_KAFKA_RESP_ERR_UNKNOWN};
        let failure = replay(&[RD_KAFKA_RESP_ERR_UNKNOWN, RD_KAFKA_RESP_ERR_PRODUCER_FENCED]).unwrap_err();
        let is_overtaken =
            matches!(&failure, Failure::Refused { hint, .. } if hint.contains("has taken over"));
        assert!(is_overtaken, "{failure:?}");
    }
}
