//! What a command that reads does where a stage has a watch: when nothing has come for a while, it asks whether a broker answers its
//! client, and gives the client its bootstrap brokers again where none does.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;

use super::AnyClient;

/// How long nothing may come before the client is asked.
const MAX_SILENCE: Duration = Duration::from_secs(10);
/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a reader has heard nothing.
#[derive(Debug)]
pub struct Silence {
    since: Instant,
}

impl Silence {
    /// It begins now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            since: Instant::now(),
        }
    }

    /// Something has come.
    pub fn end(&mut self) {
        self.since = Instant::now();
    }

    /// Looks after the client if nothing has come for a while; answers whether no broker answered it. Blocks for two seconds at most,
    /// once in ten seconds of silence.
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
