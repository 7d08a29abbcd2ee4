//! Whether records written with one Avro schema can be read with another, as registries judge it: Avro's schema resolution,
//! where "only some values" (an enum lost a symbol, a union lost a branch) is no.

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use serde::Serialize;

/// What may follow what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Resolution {
    /// The new schema reads what was written with the old one.
    pub backward: bool,
    /// The old schema reads what is written with the new one.
    pub forward: bool,
}

impl Resolution {
    /// Judges a change; none if one of the texts is not a schema by itself.
    pub fn of(old: &str, new: &str) -> Option<Self> {
        let (old, new) = (parse(old)?, parse(new)?);
        Some(Self {
            backward: objection(&old, &new).is_none(),
            forward: objection(&new, &old).is_none(),
        })
    }
}

/// Why a change is against a compatibility level, one sentence a direction; none if a text is not a schema.
pub fn objections(level: &str, old: &str, new: &str) -> Vec<String> {
    let (Some(old), Some(new)) = (parse(old), parse(new)) else {
        return Vec::new();
    };
    let both = level.starts_with("FULL");
    let mut found = Vec::new();
    if both || level.starts_with("BACKWARD") {
        let why = objection(&old, &new);
        found.extend(
            why.map(|why| format!("the new schema cannot read what was written with the old one: {why}")),
        );
    }
    if both || level.starts_with("FORWARD") {
        let why = objection(&new, &old);
        found.extend(
            why.map(|why| format!("the old schema cannot read what is written with the new one: {why}")),
        );
    }
    found
}

/// None if the text is not a schema, or one that the comparison, which follows names by recursion, would not come back
/// from.
fn parse(text: &str) -> Option<Schema> {
    let bounded = confluent_avro::schema::Schema::parse(text).ok()?;
    if !bounded.is_shallow() {
        return None;
    }
    Schema::parse_str(text).ok()
}

fn objection(writer: &Schema, reader: &Schema) -> Option<String> {
    match SchemaCompatibility::can_read(writer, reader) {
        Ok(Compatibility::Full) => None,
        Ok(Compatibility::Partial) => Some("only some of the values could be read".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: &str) -> String {
        format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#)
    }

    #[test]
    fn each_direction_is_judged_by_itself() {
        let one = record(r#"{"name":"a","type":"int"}"#);
        let two = record(r#"{"name":"a","type":"int"},{"name":"b","type":"int"}"#);
        let wide = record(r#"{"name":"a","type":"long"}"#);
        let judge = |old: &str, new: &str| {
            let found = Resolution::of(old, new).unwrap();
            (found.backward, found.forward)
        };
        assert_eq!(judge(&one, &one), (true, true));
        assert_eq!(judge(&one, &two), (false, true));
        assert_eq!(judge(&two, &one), (true, false));
        assert_eq!(judge(&one, &wide), (true, false));
        assert_eq!(Resolution::of(&one, "{"), None);
    }

    /// Ten thousand records, each with a field of the one before: the comparison would end the stack.
    #[test]
    fn a_chain_of_types_has_an_end() {
        let mut fields = vec![r#"{"name":"f0","type":{"type":"record","name":"R0","fields":[]}}"#.to_owned()];
        fields.extend((1..10_000).map(|n| {
            let inner = format!(r#"{{"name":"r","type":"R{}"}}"#, n - 1);
            format!(r#"{{"name":"f{n}","type":{{"type":"record","name":"R{n}","fields":[{inner}]}}}}"#)
        }));
        let chain = record(&fields.join(","));
        assert_eq!(Resolution::of(&chain, &chain), None);
        assert!(objections("FULL", &chain, &chain).is_empty());
    }

    #[test]
    fn only_the_levels_directions_are_objected_to() {
        let one = record(r#"{"name":"a","type":"int"}"#);
        let two = record(r#"{"name":"a","type":"int"},{"name":"b","type":"int"}"#);
        assert_eq!(objections("BACKWARD_TRANSITIVE", &one, &two).len(), 1);
        assert!(objections("FORWARD", &one, &two).is_empty());
        assert_eq!(objections("FULL", &one, &two).len(), 1);
        assert!(objections("NONE", &one, &two).is_empty());
    }
}
