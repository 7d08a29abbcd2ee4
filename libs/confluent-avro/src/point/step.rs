//! The steps of a plan, and the names that they can produce: no two values of a record may have the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::names::{INDEX, Key};
use super::schema::SchemaError;
use super::time::TimeForm;

/// What is read next from a record's bytes, and what becomes of it.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing to read.
    Null,
    /// A value that becomes a field.
    Field(Key, Scalar),
    /// A value that becomes a tag.
    Tag(Key, Scalar),
    /// The point's time, which is also a field, because readers of the EFD use it.
    Time(Key, TimeForm, Scalar),
    /// The tiebreaker, an int or long, which is also a field.
    Tiebreaker(Key, Scalar),
    /// A value that is skipped because its name is reserved.
    Reserved(Scalar),
    /// An array of scalars; `limit` is the first element whose name collides with another field.
    Array { key: Key, items: Scalar, limit: usize },
    /// An array of anything else; the items' names extend the element's name.
    Items {
        key: Key,
        items: Box<[Step]>,
        limit: usize,
    },
    /// A map; the values' names extend that of the entry, which is known only from the record.
    Map { key: Key, values: Box<[Step]> },
    /// One of several branches.
    Union(Box<[Box<[Step]>]>),
    /// A value that is read twice: for a tag, and for the field.
    Copy { tag: Box<[Step]>, field: Box<[Step]> },
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

impl Step {
    /// The name in errors about the step.
    pub(super) fn key(&self) -> Option<&Key> {
        match self {
            Step::Field(key, _)
            | Step::Tag(key, _)
            | Step::Time(key, ..)
            | Step::Tiebreaker(key, _)
            | Step::Array { key, .. }
            | Step::Items { key, .. }
            | Step::Map { key, .. } => Some(key),
            Step::Union(branches) => branches.iter().flatten().find_map(Step::key),
            Step::Copy { field, .. } => field.iter().find_map(Step::key),
            Step::Null | Step::Reserved(_) => None,
        }
    }

    /// Whether some names are known only from the record.
    pub(super) fn has_map(&self) -> bool {
        let any = |steps: &[Step]| steps.iter().any(Step::has_map);
        match self {
            Step::Map { .. } => true,
            Step::Items { items, .. } => any(items),
            Step::Union(branches) => branches.iter().any(|branch| any(branch)),
            Step::Copy { field, .. } => any(field),
            _ => false,
        }
    }
}

/// All names that the steps can produce, with [`INDEX`] for an index. Branches of a union may share names,
/// because only one of them is present. The names in maps are compared when there is a record.
pub(super) fn collect(steps: &[Step], prefix: &str, names: &mut BTreeSet<String>) -> Result<(), SchemaError> {
    let mut add = |name: String| match names.contains(&name) {
        true => Err(SchemaError::NameCollision { name }),
        false => {
            names.insert(name);
            Ok(())
        }
    };
    for step in steps {
        match step {
            Step::Null | Step::Reserved(_) | Step::Map { .. } => {}
            Step::Field(key, _) | Step::Tag(key, _) | Step::Time(key, ..) | Step::Tiebreaker(key, _) => {
                add(format!("{prefix}{}", key.name()))?;
            }
            Step::Array { key, .. } => add(format!("{prefix}{}{INDEX}", key.name()))?,
            Step::Items { key, items, .. } => {
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
            Step::Copy { tag, field } => {
                let (mut all, mut tags) = (BTreeSet::new(), BTreeSet::new());
                collect(field, prefix, &mut all)?;
                collect(tag, prefix, &mut tags)?;
                // A tag may have the name of the field that it is a copy of.
                all.append(&mut tags);
                all.into_iter().try_for_each(&mut add)?;
            }
        }
    }
    Ok(())
}

/// Limits the arrays whose names would collide.
pub(super) fn set_limits(steps: &mut [Step], limits: &BTreeMap<String, usize>) {
    let of = |key: &Key| limits.get(key.name()).copied().unwrap_or(usize::MAX);
    for step in steps {
        match step {
            Step::Array { key, limit, .. } | Step::Items { key, limit, .. } => *limit = of(key),
            Step::Union(branches) => branches.iter_mut().for_each(|branch| set_limits(branch, limits)),
            Step::Copy { tag, field } => {
                set_limits(tag, limits);
                set_limits(field, limits);
            }
            _ => {}
        }
    }
}
