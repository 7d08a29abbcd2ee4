//! JSON to framed Avro by a schema of the registry: the inverse of [`super::decode`].

use confluent_avro::frame;
use confluent_avro::json::Misfit;
use confluent_avro::schema::Schema;
use serde_json::Value;
use stage::registry::{Registry, RegistryError};

use crate::failure::{Failure, nearest};

/// Writes records of one schema, framed.
pub struct RecordWriter {
    schema: Schema,
    id: u32,
}

impl RecordWriter {
    /// By the newest schema of a subject.
    pub async fn of_subject(registry: &Registry, subject: &str) -> Result<Self, Failure> {
        let schema = match registry.latest(subject).await {
            Err(RegistryError::Missing { .. }) => {
                let subjects = registry.subjects().await.unwrap_or_default();
                return Err(Failure::Unknown {
                    kind: "subject",
                    nearest: nearest(subject, subjects.iter().map(String::as_str)),
                    name: subject.to_owned(),
                    list: "kafkaefd registry list",
                });
            }
            found => found?,
        };
        let parsed = match schema.check_is_avro() {
            Ok(()) => {
                Schema::parse_with(&schema.raw, &schema.referenced).map_err(|error| stage::chain(&error))
            }
            Err(other) => Err(format!("{other}, and only records in Avro are written")),
        };
        let id = schema.id;
        parsed
            .map(|schema| Self { schema, id })
            .map_err(|reason| Failure::Refused {
                what: format!("the schema of {subject}"),
                reason,
                hint: "--subject names another".to_owned(),
            })
    }

    /// By the schema that the registry has under this id.
    pub fn new(id: u32, schema: &str) -> Result<Self, String> {
        let schema = Schema::parse(schema).map_err(|error| stage::chain(&error))?;
        Ok(Self { schema, id })
    }

    /// A Confluent frame; or the field that does not fit, what was expected and what was found.
    pub fn write(&self, json: &Value) -> Result<Vec<u8>, Misfit> {
        let mut framed = Vec::new();
        frame::write(self.id, &mut framed);
        self.schema.write_json(json, &mut framed).map_err(suggest)?;
        Ok(framed)
    }
}

/// Adds the name that an unknown field may be meant to be.
fn suggest(mut misfit: Misfit) -> Misfit {
    let name = misfit.field.rsplit('.').next().unwrap_or_default();
    if let Some(near) = nearest(name, misfit.known.iter().map(String::as_str)).first() {
        misfit.expected = format!("{} (is it {near}?)", misfit.expected);
    }
    misfit
}

#[cfg(test)]
mod tests {
    use super::*;
    use confluent_avro::json::MAX_DEPTH;
    use serde_json::json;

    const SCHEMA: &str = r#"{"type": "record", "name": "R", "namespace": "n", "fields": [
        {"name": "i", "type": "int"},
        {"name": "f", "type": "float", "default": 1.5},
        {"name": "u", "type": ["null", "long"], "default": null},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["On", "Off"]}, "default": "On"},
        {"name": "a", "type": {"type": "array", "items": "double"}, "default": []},
        {"name": "b", "type": "bytes", "default": "\u0041"},
        {"name": "again", "type": "E", "default": "Off"},
        {"name": "in", "type": {"type": "record", "name": "In", "fields": [{"name": "s", "type": "string"}]},
         "default": {"s": ""}}
    ]}"#;

    fn written(json: &Value) -> Result<Value, String> {
        let writer = RecordWriter::new(7, SCHEMA).unwrap();
        let frame = writer.write(json).map_err(|misfit| misfit.to_string())?;
        assert_eq!(frame[..5], [0, 0, 0, 0, 7]);
        Ok(writer.schema.to_json(&frame[5..]).unwrap())
    }

    #[test]
    fn records_are_written_and_read_back() {
        assert_eq!(
            written(&json!({"i": 1})).unwrap(),
            json!({"i": 1, "f": 1.5, "u": null, "e": "On", "a": [], "b": "A", "again": "Off", "in": {"s": ""}})
        );
        let all = json!({"i": -5, "f": 0.1, "u": 9, "e": "Off", "a": [1, 2.5, "NaN"], "b": "xyz", "again": "On",
                         "in": {"s": "ä"}});
        let mut read = all.clone();
        read["a"][0] = json!(1.0);
        assert_eq!(written(&all).unwrap(), read);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (json, said) in [
            (json!(5), "expected an object, found 5"),
            (
                json!({}),
                "field i: expected a value, as the schema has no default, found none",
            ),
            (
                json!({"i": "x"}),
                "field i: expected an integer of 32 bits, found \"x\"",
            ),
            (
                json!({"i": 3_000_000_000_u32}),
                "field i: expected an integer of 32 bits, found 3000000000",
            ),
            (
                json!({"i": 1.5}),
                "field i: expected an integer of 32 bits, found 1.5",
            ),
            (
                json!({"i": 1, "u": "x"}),
                "field u: expected an integer of 64 bits, found \"x\"",
            ),
            (
                json!({"i": 1, "e": "Of"}),
                "field e: expected one of On, Off, found \"Of\"",
            ),
            (
                json!({"i": 1, "a": [1, "x"]}),
                "field a[1]: expected a number, \"NaN\", \"Infinity\" or \"-Infinity\", found \"x\"",
            ),
            (
                json!({"i": 1, "in": {"s": 1}}),
                "field in.s: expected a text, found 1",
            ),
            (
                json!({"i": 1, "in": {}}),
                "field in.s: expected a value, as the schema has no default, found none",
            ),
            (
                json!({"i": 1, "agian": "On"}),
                "field agian: expected no such field (is it again?), found \"On\"",
            ),
            (
                json!({"i": 1, "f": 1e300}),
                "field f: expected a number of 32 bits, \"NaN\", \"Infinity\" or \"-Infinity\", found 1e+300",
            ),
        ] {
            let error = written(&json).unwrap_err();
            assert_eq!(error, said);
        }
        let chain = r#"{"type": "record", "name": "N", "fields": [{"name": "n", "type": ["null", "N"]}]}"#;
        let deep = |depth| (0..depth).fold(json!({"n": null}), |inner, _| json!({ "n": inner }));
        let writer = RecordWriter::new(1, chain).unwrap();
        assert!(writer.write(&deep(MAX_DEPTH - 1)).is_ok());
        let misfit = writer.write(&deep(MAX_DEPTH)).unwrap_err();
        assert!(misfit.expected.contains("at most 40"), "{misfit}");
        assert!(written(&json!({"i": "x".repeat(1_000)})).unwrap_err().len() < 200);
    }
}
