//! What a schema says of the fields of its records: type, unit, description. Both dialects are read: `sal_units` and `doc`
//! of 2019, `units` and `description` of today.

use serde::Serialize;
use serde_json::Value;

/// The digits of an item's place: no array in a message has more items.
const MAX_DIGITS: usize = 9;

/// The fields of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RecordFields {
    /// The record's full name, which is the measurement in the database.
    pub name: String,
    /// What the schema says of the record.
    pub description: Option<String>,
    /// In the order of the schema.
    pub fields: Vec<Field>,
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// As the schema has it, in a word: `double`, `array of float`, `enum`.
    pub kind: String,
    /// Whether it can be plotted.
    pub plot: FieldKind,
    /// None where the schema says none, or that there is none.
    pub unit: Option<String>,
    /// What the schema says of it.
    pub description: Option<String>,
    /// The names of an enumeration.
    pub symbols: Vec<String>,
    /// How many values an array has, where the schema says it.
    pub items: Option<usize>,
}

/// What can be done with a field's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Numbers and truth values have a place on an axis.
    Number,
    /// Each item of an array of those has one: `name0`, `name1`.
    Numbers,
    /// The names of an enumeration have places on an axis of their own.
    Name,
    /// Texts have none.
    Text,
}

impl RecordFields {
    /// Reads a schema; none if it is not that of a record.
    pub fn read(schema: &str) -> Option<Self> {
        let schema: Value = serde_json::from_str(schema).ok()?;
        let text = |name: &str| schema.get(name).and_then(Value::as_str);
        let name = text("name")?;
        let name = match text("namespace") {
            Some(namespace) if !namespace.is_empty() && !name.contains('.') => format!("{namespace}.{name}"),
            _ => name.to_owned(),
        };
        let fields = schema
            .get("fields")?
            .as_array()?
            .iter()
            .filter_map(Field::read)
            .collect();
        Some(Self {
            name,
            description: description(&schema),
            fields,
        })
    }

    /// The field that a flattened name belongs to: `temperature3` to `temperature`.
    pub fn field(&self, flat: &str) -> Option<&Field> {
        let by_name = |name: &str| self.fields.iter().find(|field| field.name == name);
        by_name(flat).or_else(|| {
            let mut arrays = array_items(flat).filter_map(|(array, _)| by_name(array));
            arrays.find(|field| field.plot == FieldKind::Numbers)
        })
    }
}

/// What a flattened name may consist of, the name of an array and the place of an item, the longest name first: `t10` is
/// item 0 of `t1`, or item 10 of `t`.
pub fn array_items(flat: &str) -> impl Iterator<Item = (&str, usize)> {
    let digits = flat.bytes().rev().take_while(u8::is_ascii_digit).count();
    (1..=digits.min(MAX_DIGITS)).filter_map(|length| {
        let (array, place) = flat.split_at_checked(flat.len() - length)?;
        // Flattening writes no zeros in front: `t100` is not item 0 of `t1`.
        let is_place = length == 1 || !place.starts_with('0');
        (is_place && !array.is_empty()).then_some((array, place.parse().ok()?))
    })
}

impl Field {
    fn read(field: &Value) -> Option<Self> {
        let (kind, plot, symbols) = kind(field.get("type")?);
        let text = |name: &str| field.get(name).and_then(Value::as_str).map(str::trim);
        let unit = text("units").or_else(|| text("sal_units"));
        let is_unit =
            |unit: &&str| !unit.is_empty() && !matches!(*unit, "unitless" | "dimensionless" | "NA" | "none");
        let number = |name: &str| field.get(name).and_then(Value::as_u64);
        let default = field.get("default").and_then(Value::as_array).map(Vec::len);
        Some(Self {
            name: field.get("name")?.as_str()?.to_owned(),
            kind,
            plot,
            unit: unit.filter(is_unit).map(str::to_owned),
            description: description(field),
            symbols,
            items: default.or_else(|| number("sal_count").and_then(|count| usize::try_from(count).ok())),
        })
    }
}

fn description(of: &Value) -> Option<String> {
    let text = |name: &str| of.get(name).and_then(Value::as_str).map(str::trim);
    let found = text("description").or_else(|| text("doc"));
    found.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A type in a word, whether it can be plotted, and the symbols of an enumeration.
fn kind(of: &Value) -> (String, FieldKind, Vec<String>) {
    match of {
        Value::String(name) => {
            let is_number = matches!(name.as_str(), "int" | "long" | "float" | "double" | "boolean");
            let plot = if is_number {
                FieldKind::Number
            } else {
                FieldKind::Text
            };
            (name.clone(), plot, Vec::new())
        }
        // With null: what else it can be.
        Value::Array(branches) => {
            let other = branches.iter().find(|branch| branch.as_str() != Some("null"));
            other.map_or_else(|| ("null".to_owned(), FieldKind::Text, Vec::new()), kind)
        }
        Value::Object(object) => match object.get("type") {
            Some(Value::String(name)) if name == "array" => {
                let (item, plot, symbols) = object
                    .get("items")
                    .map_or_else(|| ("?".to_owned(), FieldKind::Text, Vec::new()), kind);
                let plot = if plot == FieldKind::Number {
                    FieldKind::Numbers
                } else {
                    FieldKind::Text
                };
                (format!("array of {item}"), plot, symbols)
            }
            Some(Value::String(name)) if name == "enum" => {
                let symbols = object.get("symbols").and_then(Value::as_array);
                let symbols = symbols.into_iter().flatten().filter_map(Value::as_str);
                (
                    "enum".to_owned(),
                    FieldKind::Name,
                    symbols.map(str::to_owned).collect(),
                )
            }
            Some(inner) => {
                let (name, plot, symbols) = kind(inner);
                // A time is a number that says nothing on an axis.
                match object.get("logicalType").and_then(Value::as_str) {
                    Some(logical) => (logical.to_owned(), FieldKind::Text, symbols),
                    None => (name, plot, symbols),
                }
            }
            None => ("?".to_owned(), FieldKind::Text, Vec::new()),
        },
        _ => ("?".to_owned(), FieldKind::Text, Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dialects_are_read() {
        let efd = r#"{"type":"record","namespace":"lsst.sal","name":"A","doc":"of A","fields":[
            {"name":"t","type":{"type":"long","logicalType":"timestamp-millis"}},
            {"name":"x","type":"double","sal_units":"deg","doc":"where"},
            {"name":"e","type":["null",{"type":"enum","name":"E","symbols":["ON","OFF"]}]}]}"#;
        let fields = RecordFields::read(efd).unwrap();
        assert_eq!(
            (fields.name.as_str(), fields.description.as_deref()),
            ("lsst.sal.A", Some("of A"))
        );
        assert_eq!(fields.fields[0].plot, FieldKind::Text);
        let x = fields.field("x").unwrap();
        assert_eq!(
            (x.unit.as_deref(), x.description.as_deref(), x.plot),
            (Some("deg"), Some("where"), FieldKind::Number)
        );
        assert_eq!(fields.fields[2].symbols, ["ON", "OFF"]);
        assert_eq!(fields.fields[2].plot, FieldKind::Name);
        let today = r#"{"type":"record","name":"B","namespace":"lsst.sal.A","fields":[
            {"name":"v","type":{"type":"array","items":"float"},"default":[0,0],"units":"unitless","description":""},
            {"name":"v1","type":{"type":"array","items":"float"},"units":"K"}]}"#;
        let fields = RecordFields::read(today).unwrap();
        let v = fields.field("v0").unwrap();
        assert_eq!(
            (v.kind.as_str(), v.items, v.unit.as_deref()),
            ("array of float", Some(2), None)
        );
        assert_eq!(fields.field("w1"), None);
        let unit = |flat: &str| fields.field(flat).and_then(|field| field.unit.as_deref());
        assert_eq!(
            (unit("v10"), unit("v111"), unit("v20")),
            (Some("K"), Some("K"), None)
        );
        assert_eq!(RecordFields::read("\"string\""), None);
    }
}
