//! Checks whether a broker grants access, for commands that do one thing and end: their next call would only report a
//! time-out.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer, ProducerContext};

use super::{Refusal, token};

/// A broker cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// One side refuses the other, by TLS or SASL.
    #[error("{layer}: {advice} ({reason})")]
    Refused {
        /// TLS or SASL.
        layer: &'static str,
        /// What to check.
        advice: &'static str,
        /// The library's message.
        reason: String,
    },
    /// No broker answers.
    #[error("no broker answers: {reason}")]
    Away {
        /// The error of the last connection in the library's words: the name, the port, the time.
        reason: String,
    },
    /// No client can be created with these settings.
    #[error("invalid kafka settings")]
    Client(#[from] KafkaError),
}

/// The context of short-lived clients: reads tokens and records the errors of connections.
#[derive(Clone, Default)]
pub struct OneShotContext(Arc<Mutex<Heard>>);

/// The errors of connections.
#[derive(Default)]
struct Heard {
    /// The first refusal.
    refused: Option<ReachError>,
    /// The last connection that failed.
    lost: Option<String>,
}

impl OneShotContext {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        crate::lock(&self.0)
    }
}

impl ClientContext for OneShotContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka client reports an error");
        let refusal = error
            .rdkafka_error_code()
            .and_then(|code| Refusal::of(code, reason));
        let mut heard = self.heard();
        if let Some(refusal) = refusal.filter(|refusal| refusal.is_of_connections()) {
            heard.refused.get_or_insert(ReachError::Refused {
                layer: refusal.layer(),
                advice: refusal.advice(),
                reason: reason.to_owned(),
            });
        } else if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            heard.lost = Some(reason.split(" (after ").next().unwrap_or(reason).to_owned());
        }
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        token::read(config)
    }
}

impl ConsumerContext for OneShotContext {}

impl ProducerContext for OneShotContext {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// The time for one request; events are served in between.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);
/// The time for an event; the request for a token is there at once.
const EVENTS_TIMEOUT: Duration = Duration::from_millis(1);

/// Waits for the cluster's metadata for at most `timeout`; a refusal is returned at once. Blocks.
pub fn reach(config: &ClientConfig, timeout: Duration) -> Result<Metadata, ReachError> {
    ask(config, timeout, REQUEST_TIMEOUT)
}

fn ask(config: &ClientConfig, timeout: Duration, request_timeout: Duration) -> Result<Metadata, ReachError> {
    let visitor = OneShotContext::default();
    let client: BaseProducer<OneShotContext> = config.create_with_context(visitor.clone())?;
    let refused = || {
        client.poll(EVENTS_TIMEOUT);
        visitor.heard().refused.take()
    };
    let start = Instant::now();
    loop {
        if let Some(refused) = refused() {
            return Err(refused);
        }
        match client.client().fetch_metadata(None, request_timeout) {
            Ok(metadata) => return Ok(metadata),
            Err(error) if start.elapsed() >= timeout => {
                // It may have arrived during the last request.
                return Err(refused().unwrap_or_else(|| {
                    let lost = visitor.heard().lost.take();
                    let reason = lost.unwrap_or_else(|| error.to_string());
                    ReachError::Away { reason }
                }));
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn a_refusal_at_the_end_of_the_timeout_is_reported() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let broker = thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            // The broker is slow: the look is at its question by now.
            thread::sleep(Duration::from_millis(300));
            connection.write_all(b"this is not TLS\n")
        });
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", address)
            .set("security.protocol", "ssl");
        // Of more than a second, for a busy machine.
        let refused = ask(&config, Duration::ZERO, 3 * REQUEST_TIMEOUT).unwrap_err();
        assert!(
            matches!(refused, ReachError::Refused { layer: "TLS", .. }),
            "{refused}"
        );
        broker.join().unwrap().unwrap();
    }
}
