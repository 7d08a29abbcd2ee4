//! Why a question to the cluster or to another service has no answer, and what to try next.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use stage::config::KafkaConfigError;
use stage::kafka::ReachError;
use stage::registry::{RegistryError, RegistrySetupError};
use stage::stdout::StdoutError;

pub use stage::nearest::nearest;

/// A question or a change ended without its answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What was asked for cannot be meant.
    #[error("{0}")]
    Usage(String),
    /// The Kafka settings.
    #[error(transparent)]
    KafkaSettings(#[from] KafkaConfigError),
    /// The registry's settings.
    #[error(transparent)]
    RegistrySettings(#[from] RegistrySetupError),
    /// Kafka is unavailable or refuses access.
    #[error("kafka at {broker} cannot be reached")]
    Unreachable {
        /// As given.
        broker: String,
        /// Why.
        #[source]
        source: ReachError,
    },
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Another service.
    #[error("{service} at {url} cannot be reached")]
    Away {
        /// Such as "kafka connect".
        service: &'static str,
        /// Where it should be.
        url: String,
        /// The flag that says where it is.
        flag: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another service answers and refuses access.
    #[error("{service} at {url} refuses access: {reason}")]
    Denied {
        /// Such as "github".
        service: &'static str,
        /// Where it is.
        url: String,
        /// What is wrong.
        reason: String,
        /// What to try next.
        hint: String,
    },
    /// There is none of this name.
    #[error("there is no {kind} {name}")]
    Unknown {
        /// topic, group, subject, connector.
        kind: &'static str,
        /// The name that was asked for.
        name: String,
        /// What it may have been meant to be.
        nearest: Vec<String>,
        /// The command that lists all.
        list: &'static str,
    },
    /// A service says no.
    #[error("{what} was refused: {reason}")]
    Refused {
        /// What was to be done.
        what: String,
        /// In the words of the service.
        reason: String,
        /// What to try next.
        hint: String,
    },
    /// Kafka failed at something.
    #[error("{doing} failed")]
    Kafka {
        /// What was being done.
        doing: String,
        /// Why.
        #[source]
        source: KafkaError,
    },
    /// A file, a pipe or a terminal.
    #[error("{doing} failed")]
    Io {
        /// What was being done.
        doing: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file that a flag names.
    #[error("{doing} failed")]
    File {
        /// What was being done: `opening x.txt`.
        doing: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The answer cannot be written.
    #[error(transparent)]
    Output(#[from] StdoutError),
    /// Nobody waits for the answer any longer.
    #[error("cancelled")]
    Cancelled,
    /// The question was not answered with yes.
    #[error("nothing was changed")]
    Declined {
        /// Whether somebody could be asked.
        asked: bool,
    },
}

impl Failure {
    /// For `map_err`: Kafka failed at `doing`.
    pub fn kafka(doing: impl Into<String>) -> impl FnOnce(KafkaError) -> Self {
        let doing = doing.into();
        move |source| Self::Kafka { doing, source }
    }

    /// For `map_err`: reading or writing failed at `doing`.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// For `map_err`: a file that a flag names cannot be used.
    pub fn file(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::File { doing, source }
    }

    /// Whether clients that were there before may be the reason: they may know brokers that are gone. A missing right is
    /// none of theirs.
    pub fn may_be_of_clients(&self) -> bool {
        use RDKafkaErrorCode::{
            ClusterAuthorizationFailed, GroupAuthorizationFailed, TopicAuthorizationFailed,
        };
        match self {
            Self::Unreachable { .. } => true,
            Self::Kafka { source, .. } => !matches!(
                source.rdkafka_error_code(),
                Some(ClusterAuthorizationFailed | GroupAuthorizationFailed | TopicAuthorizationFailed)
            ),
            _ => false,
        }
    }

    /// What to try next.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Unreachable { .. } => {
                "check that it can be reached from here; --broker HOST:PORT or BROKER says where it is, -X and \
                 --kafka-config-file take TLS and login settings"
                    .to_owned()
            }
            Self::Registry(RegistryError::Away { .. }) => {
                "check that it can be reached from here; --schema-registry URL or SCHEMAREGISTRY says where it is".to_owned()
            }
            Self::Registry(RegistryError::NotLatest { subject, newer }) => delete_newer(subject, newer),
            Self::Registry(RegistryError::Objection { .. }) => {
                "make the schema with --wire-extras, or say --drop-wire-extras if you mean it".to_owned()
            }
            Self::Away { flag, .. } => format!("check that it can be reached from here; {flag} says where it is"),
            Self::Unknown { nearest, list, .. } if nearest.is_empty() => format!("`{list}` lists all"),
            Self::Unknown { nearest, list, .. } => {
                format!("did you mean {}? `{list}` lists all", nearest.join(", "))
            }
            Self::Refused { hint, .. } | Self::Denied { hint, .. } => hint.clone(),
            Self::Kafka { source, .. } => advice(source)?.to_owned(),
            Self::Declined { asked: false } => {
                "there is no terminal to ask on: say --yes if you mean it".to_owned()
            }
            _ => return None,
        };
        Some(text)
    }
}

/// The command after which an older version of a subject is the latest again.
fn delete_newer(subject: &str, newer: &[u32]) -> String {
    let versions: Vec<String> = newer
        .iter()
        .map(|version| format!(" --version {version}"))
        .collect();
    format!(
        "`kafkaefd registry delete {subject}{}` makes it the latest; records that were written with what it deletes can still \
         be read",
        versions.concat()
    )
}

fn advice(error: &KafkaError) -> Option<&'static str> {
    use RDKafkaErrorCode as Code;
    Some(match error.rdkafka_error_code()? {
        Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::GroupAuthorizationFailed => "this user lacks a right: ask for an ACL, see docs/security.md",
        Code::OperationTimedOut | Code::RequestTimedOut => {
            "a broker did not answer in time: `kafkaefd admin brokers` shows which are there"
        }
        Code::UnknownTopicOrPartition => "`kafkaefd admin topics list` lists all topics",
        Code::InvalidReplicationFactor => {
            "there are fewer brokers than copies: `kafkaefd admin brokers` lists them"
        }
        _ => return None,
    })
}

/// What a broker's code means, in its own words and without its name in the library.
pub fn words(code: RDKafkaErrorCode) -> String {
    let text = code.to_string();
    let inner = text
        .split_once(" (")
        .and_then(|(_, rest)| rest.strip_suffix(')'))
        .unwrap_or(&text);
    inner.strip_prefix("Broker: ").unwrap_or(inner).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_was_given_is_not_asked_for() {
        let away = Failure::Away {
            service: "kafka connect",
            url: "http://localhost:8083".to_owned(),
            flag: "--kafka-connect URL or KAFKA_CONNECT",
            source: "connection refused".into(),
        };
        assert_eq!(
            away.hint().unwrap(),
            "check that it can be reached from here; --kafka-connect URL or KAFKA_CONNECT says where it is"
        );
    }

    #[test]
    fn an_unknown_name_says_what_to_try() {
        let failure = Failure::Unknown {
            kind: "topic",
            name: "tset".to_owned(),
            nearest: vec!["test".to_owned()],
            list: "kafkaefd admin topics list",
        };
        assert_eq!(failure.to_string(), "there is no topic tset");
        assert_eq!(
            failure.hint().unwrap(),
            "did you mean test? `kafkaefd admin topics list` lists all"
        );
    }
}
