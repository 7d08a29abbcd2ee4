//! From the types of a schema to the steps of a plan: names are put together, and each value gets its place in
//! the point. For [`super::plan`].

use std::collections::BTreeSet;
use std::sync::Arc;

use super::mapping::Mapping;
use super::names::Key;
use super::schema::{Field, SchemaError, Type};
use super::step::{Scalar, Step};

static NOTHING: Mapping = Mapping::none();

pub(super) struct Flatten<'m> {
    pub(super) mapping: &'m Mapping,
    /// The field that is the record's time.
    pub(super) time: Option<String>,
    pub(super) tiebreaker: Option<String>,
    /// Whether all values become tags.
    pub(super) only_tags: bool,
}

impl<'m> Flatten<'m> {
    /// For the values of one record.
    pub(super) fn new(mapping: &'m Mapping, fields: &[Field]) -> Self {
        let mut names = BTreeSet::new();
        scalar_names(fields, "", &mut names);
        let first = |of: &[String]| of.iter().find(|name| names.contains(*name)).cloned();
        Self {
            mapping,
            time: first(&mapping.time_fields),
            tiebreaker: first(&mapping.tiebreakers),
            only_tags: false,
        }
    }

    /// For values whose names are relative or already have their place.
    fn nested(only_tags: bool) -> Flatten<'static> {
        Flatten {
            mapping: &NOTHING,
            time: None,
            tiebreaker: None,
            only_tags,
        }
    }

    pub(super) fn record(&self, fields: &[Field], prefix: &str) -> Result<Vec<Step>, SchemaError> {
        let mut steps = Vec::with_capacity(fields.len());
        for field in fields {
            let name = format!("{prefix}{}", field.name);
            match self.copy_of(&name) {
                Some(tag) => {
                    let mut copy = (Vec::new(), Vec::new());
                    Flatten::nested(true).value(&field.of, tag, &mut copy.0)?;
                    self.value(&field.of, &name, &mut copy.1)?;
                    steps.push(Step::Copy {
                        tag: copy.0.into(),
                        field: copy.1.into(),
                    });
                }
                None => self.value(&field.of, &name, &mut steps)?,
            }
        }
        Ok(steps)
    }

    /// The steps of a value named `name`. Within an array or a map, names are relative and either empty or
    /// start with `_`.
    fn value(&self, of: &Type, name: &str, steps: &mut Vec<Step>) -> Result<(), SchemaError> {
        let refuse = |why| {
            Err(SchemaError::Unsupported {
                field: name.to_owned(),
                why,
            })
        };
        let is_one = matches!(of, Type::Null | Type::Refused(_)) || scalar(of).is_some();
        if !is_one && !self.only_tags && self.is_tag(name) {
            return Flatten::nested(true).value(of, name, steps);
        }
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
            Type::Array(_) | Type::Map(_) if self.is_time(name) => {
                return refuse("an array or a map cannot be the time");
            }
            Type::Array(items) => {
                // Within an array (of arrays, or of unions with one) names are relative: the elements of an
                // inner array follow after `_`, as a record's fields do; otherwise `a1` `1` and `a` `11`
                // would be the same.
                let key = Key::new(if name.is_empty() { "_" } else { name });
                let limit = usize::MAX;
                steps.push(match scalar(items) {
                    Some(items) if !self.only_tags => Step::Array { key, items, limit },
                    _ => Step::Items {
                        key,
                        items: self.relative(items)?,
                        limit,
                    },
                });
                return Ok(());
            }
            Type::Map(values) => {
                steps.push(Step::Map {
                    key: Key::new(&format!("{name}_")),
                    values: self.relative(values)?,
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

    /// The steps of a value within an array or a map.
    fn relative(&self, of: &Type) -> Result<Box<[Step]>, SchemaError> {
        let mut steps = Vec::new();
        Flatten::nested(self.only_tags).value(of, "", &mut steps)?;
        Ok(steps.into())
    }
}

/// The names of single values, those that may be the time or a tiebreaker.
fn scalar_names(fields: &[Field], prefix: &str, names: &mut BTreeSet<String>) {
    for field in fields {
        let name = format!("{prefix}{}", field.name);
        match &field.of {
            Type::Record(fields) => scalar_names(fields, &format!("{name}_"), names),
            Type::Union(branches) => {
                for branch in branches {
                    if let Type::Record(fields) = branch {
                        scalar_names(fields, &format!("{name}_"), names);
                    }
                }
                names.insert(name);
            }
            _ => {
                names.insert(name);
            }
        }
    }
}

fn scalar(of: &Type) -> Option<Scalar> {
    Some(match of {
        Type::Boolean => Scalar::Boolean,
        Type::Int(_) => Scalar::Int,
        Type::Long(_) => Scalar::Long,
        Type::Float => Scalar::Float,
        Type::Double => Scalar::Double,
        Type::Bytes => Scalar::Bytes,
        Type::Text => Scalar::Text,
        Type::Fixed(size) => Scalar::Fixed(*size),
        Type::Enum(symbols) => Scalar::Enum(Arc::clone(symbols)),
        Type::Null | Type::Array(_) | Type::Map(_) | Type::Union(_) | Type::Record(_) | Type::Refused(_) => {
            return None;
        }
    })
}
