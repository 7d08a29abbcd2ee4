//! From a frame's schema id to its plan: each schema is fetched and compiled once a lane. A registry that is
//! away is waited for, however long; what it does not know, and what cannot become points, makes dead
//! letters.

use std::collections::HashMap;
use std::sync::Arc;

use pipeline::dead_letter::Reason;
use pipeline::registry::Registry;
use pipeline::retry::{Backoff, Verdict};
use pipeline::service::{Part, Shutdown};
use tokio::runtime::Handle;

use confluent_avro::point::{Mapping, Plan, SchemaError};

/// What a look-up gave.
#[derive(Clone, Debug)]
pub(crate) enum Lookup {
    /// The plan of the schema.
    Plan(Arc<Plan>),
    /// No point can be made with this schema.
    Refused(Reason),
    /// The process ends before the registry answered.
    GivenUp,
}

/// How to look schemas up; shared by all lanes.
#[derive(Clone, Debug)]
pub(crate) struct PlanSource {
    pub(crate) registry: Arc<Registry>,
    pub(crate) readiness: Part,
    pub(crate) mapping: Mapping,
    pub(crate) runtime: Handle,
    pub(crate) shutdown: Shutdown,
}

/// One lane's plans.
#[derive(Debug)]
pub(crate) struct Plans {
    source: PlanSource,
    known: HashMap<u32, Result<Arc<Plan>, SchemaError>>,
    /// The last one: messages of a partition nearly always have the schema of the one before.
    last: Option<(u32, Arc<Plan>)>,
}

impl Plans {
    pub(crate) fn new(source: PlanSource) -> Self {
        Self {
            source,
            known: HashMap::new(),
            last: None,
        }
    }

    /// The plan of a schema id, if no request is needed for it.
    pub(crate) fn known(&mut self, id: u32) -> Option<Lookup> {
        match &self.last {
            Some((last, plan)) if *last == id => return Some(Lookup::Plan(Arc::clone(plan))),
            _ => {}
        }
        Some(match self.known.get(&id)? {
            Ok(plan) => {
                self.last = Some((id, Arc::clone(plan)));
                Lookup::Plan(Arc::clone(plan))
            }
            Err(error) => Lookup::Refused(schema_refused(id, error)),
        })
    }

    /// Asks the registry, until it answers or the process gives up. Blocks.
    pub(crate) fn fetch(&mut self, id: u32) -> Lookup {
        let mut backoff = Backoff::default();
        loop {
            let error = match self
                .source
                .runtime
                .block_on(self.source.registry.schema_by_id(id))
            {
                Ok(schema) => {
                    self.source.readiness.up();
                    let plan = Plan::compile(&schema.raw, &self.source.mapping).map(Arc::new);
                    if let Err(error) = &plan {
                        tracing::warn!(
                            schema_id = id,
                            %error,
                            "schema cannot become points; its records are dead letters"
                        );
                    }
                    self.known.insert(id, plan);
                    return self.known(id).unwrap_or(Lookup::GivenUp);
                }
                Err(error) => error,
            };
            match error.verdict() {
                Verdict::DeadLetter => {
                    let detail = pipeline::chain(&error);
                    return Lookup::Refused(Reason {
                        stage: "schema",
                        reason: "schema_unknown",
                        detail,
                    });
                }
                // A look-up changes nothing in the registry, so that nothing it says about one is fatal.
                Verdict::Retry(_) | Verdict::Fatal => {
                    self.source.readiness.down(pipeline::chain(&error));
                    let after = if let Verdict::Retry(after) = error.verdict() {
                        after
                    } else {
                        None
                    };
                    if !backoff.wait(after, &self.source.shutdown) {
                        return Lookup::GivenUp;
                    }
                }
            }
        }
    }
}

fn schema_refused(id: u32, error: &SchemaError) -> Reason {
    Reason {
        stage: "schema",
        reason: error.reason(),
        detail: format!("schema id {id}: {error}"),
    }
}
