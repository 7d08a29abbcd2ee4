//! Asks beside an async runtime: librdkafka's requests block, so a question runs on a thread for blocking work. Whoever
//! no longer waits for the answer drops the future, and the question ends at its next request.

use stage::config::KafkaArgs;

use crate::cancel::Cancel;
use crate::cluster::Cluster;
use crate::failure::Failure;

struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Reaches the cluster that the flags name and asks it. Dropping the future cancels the question; `on_trouble` is called
/// with what keeps the answer waiting.
pub fn ask<T, Q>(
    kafka: &KafkaArgs,
    on_trouble: fn(&str),
    question: Q,
) -> impl Future<Output = Result<T, Failure>> + Send + use<T, Q>
where
    T: Send + 'static,
    Q: FnOnce(&Cluster) -> Result<T, Failure> + Send + 'static,
{
    let kafka = kafka.clone();
    ask_blocking(move |cancel| {
        let cluster = Cluster::reach_while(&kafka, cancel.clone())?;
        question(&cluster.with_trouble_to(on_trouble))
    })
}

/// The same for a question that reaches its services itself.
pub async fn ask_blocking<T: Send + 'static>(
    question: impl FnOnce(&Cancel) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let cancel = Cancel::default();
    let _on_drop = CancelOnDrop(cancel.clone());
    match tokio::task::spawn_blocking(move || question(&cancel)).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Failure::Cancelled),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use devstack::Broker;

    use super::*;

    #[tokio::test]
    async fn the_cluster_answers() {
        let broker = Broker::start().unwrap();
        broker.create_topic("t", 3).unwrap();
        let kafka = KafkaArgs::at(broker.bootstrap_servers());
        let partitions = ask(&kafka, |_| (), |cluster| Ok(cluster.topic("t")?.partitions.len())).await;
        assert_eq!(partitions.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_dropped_question_ends_at_its_next_request() {
        let broker = Broker::start().unwrap();
        let kafka = KafkaArgs::at(broker.bootstrap_servers());
        let (began, has_begun) = mpsc::channel();
        let (ended, end) = mpsc::channel();
        let question = move |cluster: &Cluster| -> Result<(), Failure> {
            began.send(()).unwrap();
            loop {
                // The embedded broker may refuse the request.
                if let Err(Failure::Cancelled) = cluster.groups() {
                    ended.send(()).unwrap();
                    return Ok(());
                }
            }
        };
        let asking = tokio::spawn(async move { ask(&kafka, |_| (), question).await });
        let wait = tokio::task::spawn_blocking(move || has_begun.recv_timeout(Duration::from_secs(20)));
        wait.await.unwrap().unwrap();
        asking.abort();
        let wait = tokio::task::spawn_blocking(move || end.recv_timeout(Duration::from_secs(20)));
        wait.await.unwrap().unwrap();
    }
}
