//! Selects the topics to mock: the SAL schemas of a registry or a directory, sorted, filtered, and with their
//! schema ids.

use sal::avro::Options;
use sal::name::{Kind, NameError};
use sal::wire::MAX_MESSAGE_BYTES;
use stage::registry::{Registry, RegistryError};

use crate::config::{Format, ProduceConfig, Source};
use crate::text;
use crate::timestamp::Timestamps;
use crate::topic_schema::{ShapeError, TopicShape};
use crate::values::Values;

/// A topic and the id of its registered schema (0 if only text is sent).
#[derive(Debug, Clone)]
pub struct Mocked {
    /// The shape of its messages.
    pub shape: TopicShape,
    /// The schema id for Confluent's framing.
    pub schema_id: u32,
}

/// Why there is nothing to mock.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The registry does not answer or returns an error.
    #[error("cannot get SAL's schemas")]
    Registry(#[from] RegistryError),
    /// A requested topic does not exist.
    #[error(
        "no schema of dialect {dialect} for the topic {topic}; SAL topics are named like MTM1M3TS_thermalData"
    )]
    Unknown {
        /// The requested name.
        topic: String,
        /// The dialect.
        dialect: sal::name::Dialect,
    },
    /// A requested topic exists but is not a SAL topic.
    #[error("cannot mock the topic {topic}")]
    Shape {
        /// The requested name.
        topic: String,
        /// The reason.
        source: ShapeError,
    },
    /// There are no topics at all.
    #[error(
        "no SAL schemas of dialect {0}: run `saltransform init` first, or give a folder with --interfaces"
    )]
    Nothing(sal::name::Dialect),
    /// There are topics, but none of the requested kind.
    #[error("none of the SAL topics of dialect {dialect} is of kind {kind}")]
    NothingOfKind {
        /// The requested kind.
        kind: Kind,
        /// The dialect.
        dialect: sal::name::Dialect,
    },
}

/// The topics to mock, sorted by the names of their Kafka topics.
///
/// # Errors
/// When there are none, a requested one is missing, or the registry does not answer.
pub async fn topics(config: &ProduceConfig, registry: &Registry) -> Result<Vec<Mocked>, SourceError> {
    let candidates = match &config.source {
        Source::Registry => subjects(config, registry).await?,
        Source::Files(files) => {
            let options = Options {
                dialect: config.dialect,
                subname: config.subname.clone(),
                // Text needs what only wire extras say; Avro records use the published schemas.
                wire_extras: config.format == Format::Text,
                subsystems: Vec::new(),
            };
            let found = files.schemas(&options);
            for error in &found.errors {
                tracing::warn!(error = stage::chain(error), "interface skipped");
            }
            let candidate = |schema: schema_dir::DirSchema| Candidate {
                kafka_topic: schema.kafka_topic,
                subject: schema.subject,
                schema: Some(schema.text),
            };
            found.schemas.into_iter().map(candidate).collect()
        }
    };
    let wanted = choose(config, candidates)?;
    let there_are_some = !wanted.is_empty();
    let limit = config.max_topics.unwrap_or(usize::MAX);
    let mut topics = Vec::new();
    for candidate in wanted {
        if topics.len() == limit {
            break;
        }
        topics.extend(candidate.mocked(config, registry).await?);
    }
    match config.kind {
        _ if !topics.is_empty() => Ok(topics),
        Some(kind) if there_are_some => Err(SourceError::NothingOfKind {
            kind,
            dialect: config.dialect,
        }),
        _ => Err(SourceError::Nothing(config.dialect)),
    }
}

/// A subject that may belong to a SAL topic.
struct Candidate {
    kafka_topic: String,
    subject: String,
    /// Absent until it is fetched from the registry.
    schema: Option<String>,
}

async fn subjects(config: &ProduceConfig, registry: &Registry) -> Result<Vec<Candidate>, SourceError> {
    let prefix = format!("lsst.{}.", config.subname);
    let subjects = registry
        .subjects()
        .await?
        .into_iter()
        .filter(|subject| subject.starts_with(&prefix));
    let candidate = |subject: String| {
        let kafka_topic = subject.strip_suffix("-value")?.to_owned();
        Some(Candidate {
            kafka_topic,
            subject,
            schema: None,
        })
    };
    Ok(subjects.filter_map(candidate).collect())
}

/// Sorts the topics and keeps the requested ones.
fn choose(config: &ProduceConfig, mut candidates: Vec<Candidate>) -> Result<Vec<Candidate>, SourceError> {
    candidates.sort_by(|a, b| a.kafka_topic.cmp(&b.kafka_topic));
    if config.topics.is_empty() {
        return Ok(candidates);
    }
    let kafka_topic = |topic: &str| -> Result<String, NameError> {
        Ok(config.dialect.kafka_topic(&topic.parse()?, &config.subname))
    };
    let wanted: Vec<String> = config
        .topics
        .iter()
        .map(|topic| kafka_topic(topic).unwrap_or_else(|_| topic.clone()))
        .collect();
    let missing = wanted
        .iter()
        .zip(&config.topics)
        .find(|(wanted, _)| !candidates.iter().any(|c| c.kafka_topic == **wanted));
    if let Some((_, topic)) = missing {
        return Err(SourceError::Unknown {
            topic: topic.clone(),
            dialect: config.dialect,
        });
    }
    candidates.retain(|candidate| wanted.contains(&candidate.kafka_topic));
    Ok(candidates)
}

impl Candidate {
    /// `None` for a topic that is not SAL's, is of another kind, is never sent, or is longer than a SAL message can be; an error
    /// if it was requested.
    async fn mocked(
        self,
        config: &ProduceConfig,
        registry: &Registry,
    ) -> Result<Option<Mocked>, SourceError> {
        let (text, mut schema_id) = match self.schema {
            Some(text) => (text, 0),
            None => {
                let latest = registry.latest(&self.subject).await?;
                (latest.raw.to_string(), latest.id)
            }
        };
        let shape = match TopicShape::read(&text, &self.kafka_topic) {
            Ok(shape) if shape.dialect == config.dialect => shape,
            Ok(_) => return Ok(None),
            Err(source) if config.topics.is_empty() => {
                tracing::debug!(
                    subject = self.subject,
                    error = stage::chain(&source),
                    "subject skipped"
                );
                return Ok(None);
            }
            Err(source) => {
                return Err(SourceError::Shape {
                    topic: self.kafka_topic,
                    source,
                });
            }
        };
        if config.kind.is_some_and(|kind| shape.name.kind() != kind) {
            return Ok(None);
        }
        match config.format {
            Format::Text if !is_sent(&shape, config) => return Ok(None),
            Format::Avro if schema_id == 0 => schema_id = registry.register(&self.subject, &text).await?,
            _ => {}
        }
        Ok(Some(Mocked { shape, schema_id }))
    }
}

/// Whether SAL sends the topic's messages to Kafka and a message fits in its buffer.
fn is_sent(shape: &TopicShape, config: &ProduceConfig) -> bool {
    let name = shape.name.as_str();
    if shape.name.kind() == Kind::Ackcmd || name.ends_with("Heartbeat") || name.ends_with("InternalCommand") {
        return false;
    }
    let mut message = Vec::new();
    let timestamp = Timestamps::new(shape.dialect, config.time_scale).stamp();
    text::message(
        &mut message,
        shape,
        &mut Values::new(shape, config.seed),
        &timestamp,
        "00000000",
    );
    // Numbers can gain a few digits as they change.
    let fits = message.len() <= MAX_MESSAGE_BYTES * 9 / 10;
    if !fits {
        tracing::warn!(
            topic = name,
            bytes = message.len(),
            "topic skipped: a SAL message has at most 100,000 bytes"
        );
    }
    fits
}
