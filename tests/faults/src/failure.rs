//! Why a run cannot go on. What the stages under test do wrong is no failure of the run: that is in its report.

use rdkafka::error::KafkaError;

/// The harness itself, or a service that it needs, does not do what it must.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A file or a process.
    #[error("cannot {doing}")]
    Io {
        /// What was tried.
        doing: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The harness's own Kafka clients.
    #[error("kafka: cannot {doing}")]
    Kafka {
        /// What was tried.
        doing: String,
        /// Why not.
        #[source]
        source: KafkaError,
    },
    /// A request to the registry, the database or a stage.
    #[error("cannot {doing}")]
    Http {
        /// What was tried.
        doing: String,
        /// Why not.
        #[source]
        source: reqwest::Error,
    },
    /// Something that had to come did not.
    #[error("{what}: not within {seconds} s; {state}")]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// What was there instead.
        state: String,
    },
    /// Anything else that was not expected, in words.
    #[error("{0}")]
    Unexpected(String),
}

/// What most functions here answer.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// An `io::Error` with what was tried.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// A `KafkaError` with what was tried.
    pub(crate) fn kafka(doing: impl Into<String>) -> impl FnOnce(KafkaError) -> Self {
        let doing = doing.into();
        move |source| Self::Kafka { doing, source }
    }

    /// A `reqwest::Error` with what was tried.
    pub(crate) fn http(doing: impl Into<String>) -> impl FnOnce(reqwest::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Http { doing, source }
    }
}

/// Waits until `get` gives something, asking five times a second; its last error says how far it came.
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
