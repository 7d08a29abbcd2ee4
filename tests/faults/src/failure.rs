//! Why a run cannot continue. Errors of the stages under test are not failures of the run: they are reported.

use rdkafka::error::KafkaError;

/// The harness itself, or a service that it needs, does not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A file or a process.
    #[error("cannot {doing}")]
    Io {
        /// What was tried.
        doing: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The harness's own Kafka clients.
    #[error("kafka: cannot {doing}")]
    Kafka {
        /// What was tried.
        doing: String,
        /// The cause.
        #[source]
        source: KafkaError,
    },
    /// A request to the registry, the database or a stage.
    #[error("cannot {doing}")]
    Http {
        /// What was tried.
        doing: String,
        /// The cause.
        #[source]
        source: reqwest::Error,
    },
    /// Something expected did not happen.
    #[error("{what}: not within {seconds} s; {state}")]
    Late {
        /// What was waited for.
        what: String,
        /// For how long.
        seconds: u64,
        /// The last state.
        state: String,
    },
    /// Any other unexpected situation, as text.
    #[error("{0}")]
    Unexpected(String),
}

/// The result of most functions here.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// Wraps an `io::Error` with what was tried.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// Wraps a `KafkaError` with what was tried.
    pub(crate) fn kafka(doing: impl Into<String>) -> impl FnOnce(KafkaError) -> Self {
        let doing = doing.into();
        move |source| Self::Kafka { doing, source }
    }

    /// Wraps a `reqwest::Error` with what was tried.
    pub(crate) fn http(doing: impl Into<String>) -> impl FnOnce(reqwest::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Http { doing, source }
    }
}

/// Waits until `get` returns a value, trying five times a second; its last error is reported.
pub(crate) async fn until<T, F: Future<Output = Result<T, String>>>(
    what: &str,
    seconds: u64,
    mut get: impl FnMut() -> F,
) -> Outcome<T> {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    loop {
        match get().await {
            Ok(value) => return Ok(value),
            Err(state) if std::time::Instant::now() >= deadline => {
                return Err(Failure::Late {
                    what: what.to_owned(),
                    seconds,
                    state,
                });
            }
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
        }
    }
}
