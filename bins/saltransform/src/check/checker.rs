//! Transforms single messages with the plans of their topics, which it compiles once from a directory's schemas or the
//! registry's.

use std::collections::HashMap;

use confluent_avro::frame::{Frame, FrameError};
use confluent_avro::read::DecodeError;
use confluent_avro::schema::{ParseError, Schema};
use sal::avro::FieldTypes;
use sal::encode::Encoder;
use sal::name::{NameError, TopicName};
use sal::plan::{Plan, PlanError};
use sal::time::TimeScale;
use sal::wire::{Message, WireError};
use serde_json::{Value, json};
use stage::registry::{Registry, RegistryError};
use stage::retry::Verdict;
use stage::unix_micros;

use crate::config::{CheckArgs, NamingArgs, time_scale};
use crate::versions::{compile, newest_usable};

/// Where schemas come from.
pub(super) enum Schemas {
    /// A directory's, by topic.
    Dir(HashMap<String, String>),
    /// The subjects' newest usable versions, as `run` takes them.
    Registry(Box<Registry>),
}

/// Why one message cannot be carried.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("no schema for topic {0} in that directory")]
    UnknownTopic(String),
    #[error("no schema for topic {topic}")]
    NoSubject { topic: String, source: RegistryError },
    #[error("the topic has no subject")]
    Name(#[from] NameError),
    #[error("the schema of this topic cannot be used")]
    Plan(#[from] PlanError),
    #[error("the schema of this topic is not Avro")]
    Avro(#[from] ParseError),
    #[error("the record does not decode with its own schema")]
    Record(#[from] DecodeError),
    #[error("the record has no frame")]
    Frame(#[from] FrameError),
}

/// The messages' transformation.
pub(super) struct Checker {
    schemas: Schemas,
    types: FieldTypes,
    naming: NamingArgs,
    scale: TimeScale,
    plans: HashMap<String, (Plan, Schema)>,
    encoder: Encoder,
    frame: Vec<u8>,
}

impl Checker {
    pub(super) fn new(schemas: Schemas, types: FieldTypes, args: &CheckArgs) -> Self {
        Self {
            schemas,
            types,
            naming: args.naming.clone(),
            scale: time_scale(args.time_scale, args.naming.dialect),
            plans: HashMap::new(),
            encoder: Encoder::new(),
            frame: Vec::new(),
        }
    }

    /// The topic and record of a message, or why it has none. Fails if the registry does not answer.
    pub(super) async fn check(
        &mut self,
        text: &[u8],
    ) -> Result<Result<(String, Value), Refusal>, RegistryError> {
        let topic = match Message::parse(text) {
            Ok(message) => message.topic().to_owned(),
            Err(error) => return Ok(Err(error.into())),
        };
        if !self.plans.contains_key(&topic) {
            match self.compiled(&topic).await? {
                Ok(plan) => drop(self.plans.insert(topic.clone(), plan)),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        Ok(self.transform(&topic, text).map(|record| (topic, record)))
    }

    fn transform(&mut self, topic: &str, text: &[u8]) -> Result<Value, Refusal> {
        let message = Message::parse(text)?;
        let unknown = || Refusal::UnknownTopic(topic.to_owned());
        let (plan, schema) = self.plans.get(topic).ok_or_else(unknown)?;
        self.encoder
            .encode(plan, &message, 0, unix_micros(), &mut self.frame)?;
        let frame = Frame::read(Some(&self.frame))?;
        Ok(schema.to_json(frame.avro)?)
    }

    async fn compiled(&self, topic: &str) -> Result<Result<(Plan, Schema), Refusal>, RegistryError> {
        let compile = |schema: &str| compile(&self.types, topic, schema, self.scale);
        let registry = match &self.schemas {
            Schemas::Dir(schemas) => {
                let Some(schema) = schemas.get(topic) else {
                    return Ok(Err(Refusal::UnknownTopic(topic.to_owned())));
                };
                return Ok(compile(schema)
                    .map_err(Refusal::from)
                    .and_then(|plan| with_schema(plan, schema)));
            }
            Schemas::Registry(registry) => registry,
        };
        let name = match TopicName::new(topic) {
            Ok(name) => name,
            Err(error) => return Ok(Err(error.into())),
        };
        let subject = self.naming.dialect.subject(&name, &self.naming.subname);
        let latest = match registry.version(&subject, None).await {
            Ok(latest) => latest,
            Err(error) if matches!(error.verdict(), Verdict::Retry(_)) => return Err(error),
            Err(source) => {
                let topic = topic.to_owned();
                return Ok(Err(Refusal::NoSubject { topic, source }));
            }
        };
        let versions = newest_usable(registry, &subject, latest, &compile).await?;
        let newest = versions.unusable.into_iter().next();
        Ok(match (versions.usable, newest) {
            (Some(usable), unusable) => {
                if let Some(unusable) = unusable {
                    stage::stderr_line!(
                        "saltransform check: version {} of {subject} cannot be used ({}); version {} is used",
                        unusable.version,
                        stage::chain(&unusable.error),
                        usable.version
                    );
                }
                with_schema(usable.plan, &usable.text)
            }
            (None, Some(unusable)) => Err(unusable.error.into()),
            (None, None) => Err(PlanError::NoRecord.into()),
        })
    }
}

fn with_schema(plan: Plan, schema: &str) -> Result<(Plan, Schema), Refusal> {
    Ok((plan, Schema::parse(schema)?))
}

impl Refusal {
    pub(super) fn json(&self) -> Value {
        let (step, byte, field) = match self {
            Self::Wire(error) => (error.step(), Some(error.byte()), error.field()),
            Self::Name(_) => ("parse", None, None),
            Self::UnknownTopic(_) | Self::NoSubject { .. } | Self::Plan(_) | Self::Avro(_) => {
                ("schema", None, None)
            }
            Self::Record(_) | Self::Frame(_) => ("decode", None, None),
        };
        json!({"error": stage::chain(self), "stage": step, "byte": byte, "field": field})
    }
}
