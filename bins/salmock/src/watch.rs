//! Watches the producer: a client that makes no progress while the cluster works is restarted from its
//! bootstrap brokers; if that does not help, salmock ends with an error.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use rdkafka::ClientConfig;
use rdkafka::producer::{Producer as _, ThreadedProducer};
use stage::kafka::{AnyClient, GivenUp, Progress, Watched, watch};
use stage::service::Shutdown;

use crate::delivery::Context;

struct WatchedProducer {
    producer: Arc<ThreadedProducer<Context>>,
    config: ClientConfig,
}

impl Watched for WatchedProducer {
    fn name(&self) -> &'static str {
        "producer"
    }

    fn progress(&self) -> Progress {
        match self.producer.in_flight_count() {
            0 => Progress::Idle,
            _ => Progress::At(self.producer.client().context().reported()),
        }
    }

    fn client(&self) -> &dyn AnyClient {
        self.producer.client()
    }

    fn is_stale(&self) -> bool {
        let reporter = &self.producer.client().context().reporter;
        reporter.unacknowledged().is_stale()
    }

    fn config(&self) -> &ClientConfig {
        &self.config
    }
}

/// Watches in a thread of its own until the returned sender is dropped.
pub(crate) fn start(
    producer: &Arc<ThreadedProducer<Context>>,
    config: &ClientConfig,
    stuck_timeout: Duration,
    shutdown: &Shutdown,
) -> Sender<()> {
    let (end, over) = bounded(0);
    let watched = WatchedProducer {
        producer: Arc::clone(producer),
        config: config.clone(),
    };
    let shutdown = shutdown.clone();
    std::thread::spawn(move || {
        let metrics = watched.producer.client().context().reporter.metrics().clone();
        match watch(&[Arc::new(watched)], stuck_timeout.into(), &metrics, &over) {
            None => return,
            Some(GivenUp::Stuck(_)) => {
                tracing::error!("the producer is stuck although the cluster works; stopping");
            }
            Some(GivenUp::Stale) => {
                tracing::error!(
                    "a topic was deleted and recreated, and the producer does not find it; stopping"
                );
            }
        }
        shutdown.fail();
    });
    end
}
