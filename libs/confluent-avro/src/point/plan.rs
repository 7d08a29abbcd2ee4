//! The plan: an Avro record schema flattened once into the steps that [`super::run`] repeats for each record.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::flatten::Flatten;
use super::mapping::Mapping;
use super::names::array_limits;
use super::schema::{self, SchemaError};
use super::step::{Step, collect, set_limits};

/// A compiled writer schema.
#[derive(Debug)]
pub struct Plan {
    pub(super) measurement: Arc<str>,
    pub(super) steps: Box<[Step]>,
    /// If the schema is a union: the record's branch, of how many.
    pub(super) branch: Option<(usize, usize)>,
    /// Whether some names are known only from the record.
    pub(super) has_maps: bool,
}

impl Plan {
    /// Compiles a schema as the registry stores it.
    pub fn compile(schema_json: &str, mapping: &Mapping) -> Result<Plan, SchemaError> {
        Plan::compile_with(schema_json, &[] as &[&str], mapping)
    }

    /// The same of a schema that refers to others, which are in `referenced`: each after those to which it refers itself.
    pub fn compile_with(
        schema_json: &str,
        referenced: &[impl AsRef<str>],
        mapping: &Mapping,
    ) -> Result<Plan, SchemaError> {
        let record = schema::record(schema_json, referenced)?;
        let mut steps = Flatten::new(mapping, &record.fields).record(&record.fields, "")?;

        let mut patterns: BTreeSet<String> = mapping.added_tag.iter().cloned().collect();
        collect(&steps, "", &mut patterns)?;
        let limits = array_limits(&patterns)?;
        set_limits(&mut steps, &limits);
        Ok(Plan {
            measurement: record.name.into(),
            branch: record.branch,
            has_maps: steps.iter().any(Step::has_map),
            steps: steps.into(),
        })
    }

    /// The record's full name, which is the measurement. Only letters, digits, `_`, `-` and dots.
    #[must_use]
    pub fn measurement(&self) -> &Arc<str> {
        &self.measurement
    }
}
