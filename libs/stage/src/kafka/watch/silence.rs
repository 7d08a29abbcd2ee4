//! The counterpart of the watch for commands that read: after a silence, it checks whether a broker answers the client,
//! and otherwise gives the client its bootstrap brokers again.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;

use super::AnyClient;

/// How long nothing may arrive before the client is checked.
const MAX_SILENCE: Duration = Duration::from_secs(10);
/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a reader has received nothing.
#[derive(Debug)]
pub struct Silence {
    since: Instant,
}

impl Silence {
    /// Starts now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            since: Instant::now(),
        }
    }

    /// Something has arrived.
    pub fn end(&mut self) {
        self.since = Instant::now();
    }

    /// Checks the client if nothing has arrived for a while. True if no broker answered it. Blocks for two seconds at
    /// most, once in ten seconds of silence.
    pub fn look(&mut self, client: &dyn AnyClient, config: &ClientConfig) -> bool {
        if self.since.elapsed() < MAX_SILENCE {
            return false;
        }
        self.since = Instant::now();
        let is_answered = client.is_answered(ANSWER_TIMEOUT);
        if !is_answered {
            client.bootstrap_again(config);
        }
        !is_answered
    }
}

impl Default for Silence {
    fn default() -> Self {
        Self::new()
    }
}
