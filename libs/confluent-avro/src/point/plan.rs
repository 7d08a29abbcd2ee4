//! The plan: an Avro record schema flattened once into the steps that [`super::run`] repeats for each record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::names::{INDEX, Key, array_limits};
use super::schema::{self, Field, SchemaError, Type};
use super::time::TimeUnit;

/// The operator's choices for the mapping; the same for all schemas.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Flattened names that become tags instead of fields.
    pub tag_fields: Vec<String>,
    /// Names of top-level fields; the first one that a record has is its time.
    pub time_fields: Vec<String>,
    /// Names of top-level fields; the first one that a record has keeps points with the same time apart
    /// ([`PointSink::tiebreaker`](super::PointSink::tiebreaker)).
    pub tiebreakers: Vec<String>,
    /// A tag that the sink adds; no field may have its name.
    pub added_tag: Option<String>,
}

impl Default for Mapping {
    /// No tags; the time field of dialect `efd`, then that of dialect `ts_xml`.
    fn default() -> Self {
        Mapping {
            tag_fields: Vec::new(),
            time_fields: vec!["sal_created".into(), "private_efdStamp".into()],
            tiebreakers: Vec::new(),
            added_tag: None,
        }
    }
}

/// A compiled writer schema.
#[derive(Debug)]
pub struct Plan {
    pub(super) measurement: Arc<str>,
    pub(super) steps: Box<[Step]>,
}

impl Plan {
    /// Compiles a schema as the registry stores it.
    pub fn compile(schema_json: &str, mapping: &Mapping) -> Result<Plan, SchemaError> {
        let (measurement, fields) = schema::record(schema_json)?;
        let is_field = |name: &&String| fields.iter().any(|field| field.name == **name);
        let first = |names: &'_ [String]| names.iter().find(is_field).cloned();
        let flatten = Flatten {
            mapping,
            time: first(&mapping.time_fields),
            tiebreaker: first(&mapping.tiebreakers),
        };
        let mut steps = flatten.record(&fields, "")?;

        let mut patterns: BTreeSet<String> = mapping.added_tag.iter().cloned().collect();
        collect(&steps, "", &mut patterns)?;
        let limits = array_limits(&patterns)?;
        set_limits(&mut steps, &limits);
        Ok(Plan {
            measurement: measurement.into(),
            steps: steps.into(),
        })
    }

    /// The record's full name, which is the measurement. Only letters, digits, `_`, `-` and dots.
    #[must_use]
    pub fn measurement(&self) -> &Arc<str> {
        &self.measurement
    }
}

#[derive(Debug)]
pub(super) enum Step {
    /// Nothing to read.
    Null,
    /// A value that becomes a field.
    Field(Key, Scalar),
    /// A value that becomes a tag.
    Tag(Key, Scalar),
    /// The point's time, which is also a field, because readers of the EFD use it.
    Time(Key, TimeUnit),
    /// The tiebreaker, an int or long, which is also a field.
    Tiebreaker(Key, Scalar),
    /// A value that is skipped because its name is reserved.
    Reserved(Scalar),
    /// An array of scalars; `limit` is the first element whose name collides with another field.
    Array { key: Key, items: Scalar, limit: usize },
    /// An array of anything else; the items' names extend the element's name.
    Items { key: Key, items: Box<[Step]> },
    /// One of several branches.
    Union(Box<[Box<[Step]>]>),
}

#[derive(Clone, Debug)]
pub(super) enum Scalar {
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Text,
    Bytes,
    Fixed(usize),
    Enum(Arc<[Box<str>]>),
}

pub(super) struct Flatten<'m> {
    pub(super) mapping: &'m Mapping,
    /// The field that is the record's time.
    pub(super) time: Option<String>,
    pub(super) tiebreaker: Option<String>,
}

impl Flatten<'_> {
    fn record(&self, fields: &[Field], prefix: &str) -> Result<Vec<Step>, SchemaError> {
        let mut steps = Vec::with_capacity(fields.len());
        for field in fields {
            self.value(&field.of, &format!("{prefix}{}", field.name), &mut steps)?;
        }
        Ok(steps)
    }

    /// The steps of a value named `name`. Within an array of records, names are relative and either empty or
    /// start with `_`.
    fn value(&self, of: &Type, name: &str, steps: &mut Vec<Step>) -> Result<(), SchemaError> {
        let refuse = |why| {
            Err(SchemaError::Unsupported {
                field: name.to_owned(),
                why,
            })
        };
        let scalar = match of {
            Type::Null => {
                steps.push(Step::Null);
                return Ok(());
            }
            Type::Refused(why) => return refuse(*why),
            Type::Record(fields) => {
                steps.append(&mut self.record(fields, &format!("{name}_"))?);
                return Ok(());
            }
            Type::Union(branches) => {
                let branch = |of| {
                    let mut steps = Vec::new();
                    self.value(of, name, &mut steps)
                        .map(|()| steps.into_boxed_slice())
                };
                steps.push(Step::Union(
                    branches.iter().map(branch).collect::<Result<_, _>>()?,
                ));
                return Ok(());
            }
            Type::Array(items) => {
                if self.is_time(name) || self.is_tag(name) {
                    return refuse("an array cannot be a tag or the time");
                }
                // Within an array (of arrays, or of unions with one) names are relative: the elements of an
                // inner array follow after `_`, as a record's fields do; otherwise `a1` `1` and `a` `11`
                // would be the same.
                let key = Key::new(if name.is_empty() { "_" } else { name });
                steps.push(match scalar(items) {
                    Some(items) => Step::Array {
                        key,
                        items,
                        limit: usize::MAX,
                    },
                    None => {
                        let mut inner = Vec::new();
                        let relative = Flatten {
                            mapping: &NOTHING,
                            time: None,
                            tiebreaker: None,
                        };
                        relative.value(items, "", &mut inner)?;
                        Step::Items {
                            key,
                            items: inner.into(),
                        }
                    }
                });
                return Ok(());
            }
            other => match scalar(other) {
                Some(scalar) => scalar,
                None => return refuse("a point cannot hold this type"),
            },
        };
        match self.tag_or_field(name, of, scalar) {
            Ok(step) => steps.push(step),
            Err(why) => return refuse(why),
        }
        Ok(())
    }
}

static NOTHING: Mapping = Mapping {
    tag_fields: Vec::new(),
    time_fields: Vec::new(),
    tiebreakers: Vec::new(),
    added_tag: None,
};

fn scalar(of: &Type) -> Option<Scalar> {
    Some(match of {
        Type::Boolean => Scalar::Boolean,
        Type::Int => Scalar::Int,
        Type::Long(_) => Scalar::Long,
        Type::Float => Scalar::Float,
        Type::Double => Scalar::Double,
        Type::Bytes => Scalar::Bytes,
        Type::Text => Scalar::Text,
        Type::Fixed(size) => Scalar::Fixed(*size),
        Type::Enum(symbols) => Scalar::Enum(Arc::clone(symbols)),
        Type::Null | Type::Array(_) | Type::Union(_) | Type::Record(_) | Type::Refused(_) => return None,
    })
}

/// All names that the steps can produce, with [`INDEX`] for an index. Branches of a union may share names,
/// because only one of them is present.
fn collect(steps: &[Step], prefix: &str, names: &mut BTreeSet<String>) -> Result<(), SchemaError> {
    let mut add = |name: String| match names.contains(&name) {
        true => Err(SchemaError::NameCollision { name }),
        false => {
            names.insert(name);
            Ok(())
        }
    };
    for step in steps {
        match step {
            Step::Null | Step::Reserved(_) => {}
            Step::Field(key, _) | Step::Tag(key, _) | Step::Time(key, _) | Step::Tiebreaker(key, _) => {
                add(format!("{prefix}{}", key.name()))?;
            }
            Step::Array { key, .. } => add(format!("{prefix}{}{INDEX}", key.name()))?,
            Step::Items { key, items } => {
                let mut inner = BTreeSet::new();
                collect(items, &format!("{prefix}{}{INDEX}", key.name()), &mut inner)?;
                inner.into_iter().try_for_each(&mut add)?;
            }
            Step::Union(branches) => {
                let mut all = BTreeSet::new();
                for branch in branches {
                    let mut own = BTreeSet::new();
                    collect(branch, prefix, &mut own)?;
                    all.append(&mut own);
                }
                all.into_iter().try_for_each(&mut add)?;
            }
        }
    }
    Ok(())
}

fn set_limits(steps: &mut [Step], limits: &BTreeMap<String, usize>) {
    for step in steps {
        match step {
            Step::Array { key, limit, .. } => {
                *limit = limits.get(key.name()).copied().unwrap_or(usize::MAX);
            }
            Step::Union(branches) => branches.iter_mut().for_each(|branch| set_limits(branch, limits)),
            _ => {}
        }
    }
}
