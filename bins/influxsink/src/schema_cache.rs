//! From a frame's schema id to its plan: each worker compiles each schema once. An unavailable registry is waited for
//! without limit, and so is one whose schema cannot be the topic's ([`schemas`](crate::schemas)); an unknown id is
//! requested again during the grace period. Messages of a schema that stays unknown, or from which points cannot be
//! made, become dead letters.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use stage::reason::Reason;
use stage::registry::{Grace, RegisteredSchema, RegistryError, SchemaKind};
use stage::retry::{Backoff, Verdict};
use stage::service::{SharedDependency, Shutdown};
use tokio::runtime::Handle;

use confluent_avro::point::{Mapping, Plan};

use crate::config::SchemaMismatch;
use crate::metrics::SinkMetrics;
use crate::schemas::{Found, Schemas};

/// The longest wait between two requests to a registry that answers, but does not have the right schema yet.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// The result of a look-up.
#[derive(Clone, Debug)]
pub(crate) enum Lookup {
    /// The plan of the schema.
    Found(Arc<Plan>),
    /// Points cannot be made with this schema.
    Refused(Reason),
    /// The process ended, or the partition was revoked, before the registry answered.
    GivenUp,
}

/// How to look schemas up; shared by all workers.
#[derive(Clone, Debug)]
pub(crate) struct SharedSchemaCache {
    pub(crate) schemas: Arc<Schemas>,
    pub(crate) grace: Arc<Grace<u32>>,
    pub(crate) mismatch: SchemaMismatch,
    pub(crate) readiness: SharedDependency,
    pub(crate) mapping: Mapping,
    pub(crate) metrics: SinkMetrics,
    pub(crate) runtime: Handle,
    pub(crate) shutdown: Shutdown,
}

/// One worker's plans.
#[derive(Debug)]
pub(crate) struct SchemaCache {
    source: SharedSchemaCache,
    known: HashMap<u32, Known>,
    /// The last plan: messages of a partition nearly always have the schema of the previous one.
    last: Option<(u32, Box<str>, Arc<Plan>)>,
}

#[derive(Debug)]
struct Known {
    plan: Result<Arc<Plan>, Reason>,
    /// Whose records it is.
    topics: Vec<Box<str>>,
}

impl SchemaCache {
    pub(crate) fn new(source: SharedSchemaCache) -> Self {
        Self {
            source,
            known: HashMap::new(),
            last: None,
        }
    }

    /// The plan of a schema id in a topic, if it needs no request.
    pub(crate) fn known(&mut self, topic: &str, id: u32) -> Option<Lookup> {
        if self.source.schemas.is_in_doubt(id) {
            return None;
        }
        match &self.last {
            Some((last, of, plan)) if *last == id && **of == *topic => {
                return Some(Lookup::Found(Arc::clone(plan)));
            }
            _ => {}
        }
        let Some(known) = self.known.get(&id) else {
            let is_given_up = self.source.grace.has_given_up(&id);
            return is_given_up.then(|| Lookup::Refused(unknown(format!("schema id {id}"))));
        };
        if !known.topics.iter().any(|known| **known == *topic) {
            return None;
        }
        Some(match &known.plan {
            Ok(plan) => {
                self.last = Some((id, topic.into(), Arc::clone(plan)));
                Lookup::Found(Arc::clone(plan))
            }
            Err(reason) => Lookup::Refused(reason.clone()),
        })
    }

    /// Asks the registry until it answers with a schema that can be the topic's, or `is_over`. Blocks.
    pub(crate) fn fetch(&mut self, topic: &str, id: u32, is_over: impl Fn() -> bool) -> Lookup {
        let source = self.source.clone();
        let wait = source.readiness.wait();
        let mut away = Backoff::default();
        let mut soon = Backoff::new(Duration::from_millis(100), ASK_AGAIN_AFTER);
        loop {
            let found = source.runtime.block_on(source.schemas.look_up(topic, id));
            let waited = match found {
                Ok(Found::Schema(schema)) => {
                    source.grace.found(topic, &id);
                    source.count("found");
                    wait.answered();
                    self.learn(topic, id, || compile(&schema, &source.mapping));
                    return self.known(topic, id).unwrap_or(Lookup::GivenUp);
                }
                Err(error @ RegistryError::References { .. }) => {
                    source.count("found");
                    wait.answered();
                    self.learn(topic, id, || Err(refused("schema_references", error.to_string())));
                    return self.known(topic, id).unwrap_or(Lookup::GivenUp);
                }
                Ok(Found::Mismatch(detail)) => {
                    source.count("mismatch");
                    if source.mismatch == SchemaMismatch::DeadLetter {
                        wait.answered();
                        return Lookup::Refused(refused("schema_mismatch", detail));
                    }
                    wait.because(detail);
                    soon.wait(None, &source.shutdown)
                }
                Err(RegistryError::Missing { what }) => {
                    source.count("missing");
                    let Some(left) = source.grace.waits_for(topic, &id) else {
                        wait.answered();
                        return Lookup::Refused(unknown(what));
                    };
                    wait.because(format!(
                        "it knows no {what}, which topic {topic} has; asked again for the time of --unknown-schema-grace"
                    ));
                    source
                        .shutdown
                        .wait_unless_given_up(soon.next_wait(None).min(left))
                }
                // A look-up changes nothing in the registry, so none of its answers is fatal.
                Err(error) => {
                    source.count("failed");
                    wait.because(stage::chain(&error));
                    let after = match error.verdict() {
                        Verdict::Retry(after) => after,
                        Verdict::DeadLetter | Verdict::Fatal => None,
                    };
                    away.wait(after, &source.shutdown)
                }
            };
            if !waited || is_over() {
                return Lookup::GivenUp;
            }
        }
    }

    fn learn(&mut self, topic: &str, id: u32, compile: impl FnOnce() -> Result<Arc<Plan>, Reason>) {
        let known = self.known.entry(id).or_insert_with(|| {
            let plan = compile();
            if let Err(reason) = &plan {
                tracing::warn!(
                    schema_id = id,
                    error = reason.detail,
                    "schema cannot become points; its records are dead letters"
                );
            }
            Known {
                plan,
                topics: Vec::new(),
            }
        });
        if !known.topics.iter().any(|known| **known == *topic) {
            known.topics.push(topic.into());
        }
    }
}

impl SharedSchemaCache {
    fn count(&self, result: &str) {
        self.metrics.schema_lookups.with_label_values(&[result]).inc();
    }
}

fn compile(schema: &RegisteredSchema, mapping: &Mapping) -> Result<Arc<Plan>, Reason> {
    if let Err(other) = schema.check_is_avro() {
        let advice = match other.kind {
            SchemaKind::JsonSchema => "influxsink --format json reads its records",
            _ => "let the producer write Avro, or leave the topic out of --topic-regex",
        };
        return Err(refused(
            "schema_not_avro",
            format!("{other}; influxsink reads Avro: {advice}"),
        ));
    }
    let plan = Plan::compile_with(&schema.raw, &schema.referenced, mapping);
    plan.map(Arc::new)
        .map_err(|error| refused(error.reason(), format!("schema id {}: {error}", schema.id)))
}

fn unknown(what: String) -> Reason {
    refused("schema_unknown", RegistryError::Missing { what }.to_string())
}

fn refused(reason: &'static str, detail: String) -> Reason {
    Reason {
        step: "schema",
        reason,
        detail,
    }
}
