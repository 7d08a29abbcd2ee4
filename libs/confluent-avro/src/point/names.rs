//! The names of fields: checked once, when a schema is compiled, so that no name needs escaping later and no
//! two values of a record can have the same name.

use std::collections::{BTreeMap, BTreeSet};

use super::schema::SchemaError;

/// The name of a field or tag, known when the schema is compiled. Only letters, digits, `_` and `-`: none of
/// them needs escaping in line protocol or can end an SQL identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    assign: Box<str>,
    padded: [u8; PADDED],
}

/// Most of the observatory's names are shorter than this, including the comma and the equals sign.
const PADDED: usize = 32;

impl Key {
    pub(super) fn new(name: &str) -> Self {
        let assign = format!(",{name}=");
        let mut padded = [0; PADDED];
        for (to, from) in padded.iter_mut().zip(assign.bytes()) {
            *to = from;
        }
        Key {
            assign: assign.into(),
            padded,
        }
    }

    /// The bare name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.assign.get(1..self.assign.len() - 1).unwrap_or_default()
    }

    /// `,name=`, ready to be copied into a line.
    #[must_use]
    pub fn assign(&self) -> &str {
        &self.assign
    }

    /// Appends `,name=`.
    #[inline]
    pub fn append_to(&self, line: &mut Vec<u8>) {
        if self.assign.len() > PADDED {
            line.extend_from_slice(self.assign.as_bytes());
            return;
        }
        // A copy with a length known at compile time is two instructions; any other copy is a function call.
        let end = line.len() + self.assign.len();
        line.extend_from_slice(&self.padded);
        line.truncate(end);
    }
}

/// Stands for an array index in the patterns below; no name can contain it.
pub(super) const INDEX: char = '#';

/// The number of elements from which an array's names collide with those of another field: array `force`
/// (pattern `force#`) has room for ten elements beside a field `force10`, and also for ten beside an array
/// `force1`, whose first element is `force10`.
///
/// `patterns` are all flattened names of a schema, with [`INDEX`] for each index. Arrays that cannot collide
/// are not in the result. Names with an index before their end are refused if they could collide at all.
pub(super) fn array_limits(patterns: &BTreeSet<String>) -> Result<BTreeMap<String, usize>, SchemaError> {
    let is_simple = |pattern: &str| match pattern.find(INDEX) {
        Some(at) => at + 1 == pattern.len(),
        None => true,
    };
    let mut by_shape: BTreeMap<String, (&String, bool)> = BTreeMap::new();
    for pattern in patterns {
        let simple = is_simple(pattern);
        match by_shape.get(&shape(pattern)) {
            Some((_, other_simple)) if !(simple && *other_simple) => {
                return Err(SchemaError::NameCollision {
                    name: pattern.clone(),
                });
            }
            _ => by_shape.insert(shape(pattern), (pattern, simple)),
        };
    }
    let mut limits = BTreeMap::new();
    for array in patterns.iter().filter(|p| p.ends_with(INDEX) && is_simple(p)) {
        let base = array.trim_end_matches(INDEX);
        let meets = |other: &String| -> Option<usize> {
            let rest = other.strip_prefix(base)?;
            let digits = rest.trim_end_matches(INDEX);
            let number: usize = digits.parse().ok()?;
            // An index is written without leading zeros, so it is never `name007`.
            if number.to_string() != digits {
                return None;
            }
            match rest.len() > digits.len() {
                true => number.checked_mul(10).filter(|first| *first > 0),
                false => Some(number),
            }
        };
        let from = patterns
            .range(base.to_owned()..)
            .take_while(|p| p.starts_with(base));
        if let Some(limit) = from.filter_map(meets).min() {
            limits.insert(base.to_owned(), limit);
        }
    }
    Ok(limits)
}

/// The pattern with every run of digits and indices replaced by one index: names of different shapes never
/// collide.
fn shape(pattern: &str) -> String {
    let mut shape = String::with_capacity(pattern.len());
    for c in pattern.chars() {
        let c = if c.is_ascii_digit() { INDEX } else { c };
        if !(c == INDEX && shape.ends_with(INDEX)) {
            shape.push(c);
        }
    }
    shape
}
