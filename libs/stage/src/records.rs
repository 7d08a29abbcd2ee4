//! Records as JSON, decoded with the registry's schemas, as `salmock consume` and the operator's commands show them.

use std::collections::HashMap;

use confluent_avro::frame::Frame;
use confluent_avro::schema::Schema;
use serde_json::Value;

use crate::registry::{RegisteredSchema, Registry, RegistryError};

/// Why a record cannot be shown as JSON; a retry does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordProblem {
    /// The registry knows no schema with its id.
    #[error("{0}")]
    UnknownId(String),
    /// Its schema cannot be used, or its bytes are not what the schema says.
    #[error("{0}")]
    Undecodable(String),
}

/// Decodes records with the registry's schemas, which it keeps parsed.
#[derive(Debug)]
pub struct RecordDecoder {
    registry: Registry,
    /// Whether the branch of every union is named.
    is_typed: bool,
    /// The parsed schemas, or why they cannot be used.
    schemas: HashMap<u32, Result<Schema, String>>,
}

impl RecordDecoder {
    /// Sends no request yet.
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            is_typed: false,
            schemas: HashMap::new(),
        }
    }

    /// The same with the branch of every union named, as in Avro's own JSON encoding.
    pub fn typed(self, is_typed: bool) -> Self {
        Self { is_typed, ..self }
    }

    /// Its registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The record as JSON ([`confluent_avro::json`]), or what is wrong with it; an error only if a retry could succeed.
    pub async fn decode(&mut self, frame: &Frame<'_>) -> Result<Result<Value, RecordProblem>, RegistryError> {
        let id = frame.schema_id;
        if !self.schemas.contains_key(&id) {
            let registered = match self.registry.schema_by_id(id).await {
                Ok(registered) => registered,
                Err(error @ RegistryError::Missing { .. }) => {
                    return Ok(Err(RecordProblem::UnknownId(error.to_string())));
                }
                Err(error @ RegistryError::References { .. }) => {
                    self.schemas.insert(id, Err(error.to_string()));
                    return Ok(Err(RecordProblem::Undecodable(error.to_string())));
                }
                Err(error) => return Err(error),
            };
            self.schemas.insert(id, parsed(&registered));
        }
        let record = match self.schemas.get(&id) {
            Some(Ok(schema)) => {
                let record = if self.is_typed {
                    schema.to_typed_json(frame.avro)
                } else {
                    schema.to_json(frame.avro)
                };
                record.map_err(|error| error.to_string())
            }
            Some(Err(problem)) => Err(problem.clone()),
            None => Err(format!("no schema {id}")),
        };
        Ok(record.map_err(RecordProblem::Undecodable))
    }
}

fn parsed(registered: &RegisteredSchema) -> Result<Schema, String> {
    registered
        .check_is_avro()
        .map_err(|other| format!("{other}, and only records in Avro are decoded"))?;
    Schema::parse_with(&registered.raw, &registered.referenced)
        .map_err(|error| format!("schema {} cannot be used: {error}", registered.id))
}
