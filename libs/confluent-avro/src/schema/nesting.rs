//! How deeply types nest once names are resolved, for code that walks a schema recursively, as apache-avro's
//! comparison of two schemas does. A schema's text nests at most 128 deep, but a chain of named types can
//! have as many links as the schema has types.

use std::collections::HashMap;

use super::{Schema, Type, TypeId};

/// The nesting limit, with names resolved. SAL's schemas have four levels.
pub const MAX_NESTING: usize = 200;

impl Schema {
    /// Whether at most [`MAX_NESTING`] types are nested. A recursive use of a type counts once.
    #[must_use]
    pub fn is_shallow(&self) -> bool {
        let mut below = HashMap::new();
        self.nesting(self.root, 1, &mut below).is_some()
    }

    /// The number of levels from this type inwards; `None` if there are too many. Types that are already
    /// being visited count as zero.
    fn nesting(&self, id: TypeId, depth: usize, below: &mut HashMap<TypeId, usize>) -> Option<usize> {
        if let Some(known) = below.get(&id) {
            return (depth + known <= MAX_NESTING + 1).then_some(*known);
        }
        if depth > MAX_NESTING {
            return None;
        }
        below.insert(id, 0);
        let inner: Vec<TypeId> = match self.get(id) {
            Type::Array(of) | Type::Map(of) => vec![*of],
            Type::Union(branches) => branches.clone(),
            Type::Record(record) => record.fields.iter().map(|field| field.of).collect(),
            _ => Vec::new(),
        };
        let mut deepest = 0;
        for of in inner {
            deepest = deepest.max(self.nesting(of, depth + 1, below)?);
        }
        below.insert(id, deepest + 1);
        Some(deepest + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records that each have a field of the previous type.
    fn chain(links: usize) -> Schema {
        let mut fields = vec![r#"{"name":"f0","type":{"type":"record","name":"R0","fields":[]}}"#.to_owned()];
        for link in 1..links {
            let before = link - 1;
            fields.push(format!(
                r#"{{"name":"f{link}","type":{{"type":"record","name":"R{link}","fields":[{{"name":"r","type":"R{before}"}}]}}}}"#
            ));
        }
        let text = format!(
            r#"{{"type":"record","name":"R","fields":[{}]}}"#,
            fields.join(",")
        );
        Schema::parse(&text).unwrap()
    }

    #[test]
    fn chains_of_named_types_are_measured() {
        assert!(chain(10).is_shallow());
        assert!(chain(MAX_NESTING - 1).is_shallow());
        assert!(!chain(MAX_NESTING).is_shallow());
        assert!(!chain(10_000).is_shallow());
        let list = r#"{"type":"record","name":"N","fields":[{"name":"n","type":["null","N"]}]}"#;
        assert!(Schema::parse(list).unwrap().is_shallow());
    }
}
