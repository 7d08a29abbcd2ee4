//! Turns the XML of one `<item>` into a checked field.

use std::sync::Arc;

use serde_json::Value;

use super::enumeration::{Enumeration, is_avro_name};
use super::error::{Place, Problem};
use super::sal_type::SalType;
use super::xml::Element;

/// A field of a topic. Texts are as in the file, including white space, because today's schemas keep it.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The name (`EFDB_Name`), valid in Avro.
    pub name: String,
    /// The type (`IDL_Type`).
    pub sal_type: SalType,
    /// The number of values (`Count`): above 1, an array of that many values; for char, one text of that
    /// length.
    pub count: u32,
    /// The units (`Units`).
    pub units: Option<String>,
    /// The description (`Description`).
    pub description: Option<String>,
    /// The enumeration (`Enumeration`), if it has symbols.
    pub enumeration: Option<Enumeration>,
    /// Further properties in the layout of 2019: the tag in lower case and its value.
    pub facts: Vec<(&'static str, Value)>,
}

/// A message has at most 100,000 bytes, and a value has at least one.
const MAX_COUNT: u32 = 100_000;

/// How the text of a 2019 tag becomes a value.
#[derive(Clone, Copy)]
enum Form {
    Float,
    Integer,
    Text,
    Boolean,
    /// True whatever the text is: the schemas of 2019 were published this way.
    Present,
}

const FACTS: [(&str, &str, Form); 13] = [
    ("Frequency", "frequency", Form::Float),
    ("Publishers", "publishers", Form::Integer),
    ("Values_per_Publisher", "values_per_publisher", Form::Integer),
    ("Size_in_bytes", "size_in_bytes", Form::Integer),
    ("Instances_per_night", "instances_per_night", Form::Integer),
    ("Bytes_per_night", "bytes_per_night", Form::Integer),
    ("Conversion", "conversion", Form::Text),
    ("Sensor_location", "sensor_location", Form::Text),
    ("Needed_by_DM", "needed_by_dm", Form::Present),
    ("Needed_by_Camera", "needed_by_camera", Form::Boolean),
    ("Needed_by_OCS", "needed_by_ocs", Form::Boolean),
    ("Needed_by_TCS", "needed_by_tcs", Form::Boolean),
    ("Needed_by_EPO", "needed_by_epo", Form::Boolean),
];

/// Reads an `<item>`. Errors point to the line of the item.
pub(super) fn read(item: &Element, path: &Arc<str>) -> Result<Item, (Place, Problem)> {
    read_item(item).map_err(|problem| (Place::new(path, item.line), problem))
}

fn read_item(item: &Element) -> Result<Item, Problem> {
    let missing = |tag| Problem::MissingTag {
        tag,
        inside: "item".to_owned(),
    };
    let name = item
        .trimmed_text_of("EFDB_Name")
        .ok_or_else(|| missing("EFDB_Name"))?;
    if !is_avro_name(name) {
        return Err(Problem::FieldName {
            found: name.to_owned(),
        });
    }
    let type_text = item
        .trimmed_text_of("IDL_Type")
        .ok_or_else(|| missing("IDL_Type"))?;
    let sal_type = type_text.parse().map_err(|()| Problem::UnknownType {
        field: name.to_owned(),
        found: type_text.to_owned(),
    })?;
    let count = match item.trimmed_text_of("Count") {
        None => 1,
        Some(text) => match text.parse() {
            Ok(count @ 1..=MAX_COUNT) => count,
            _ => return Err(bad_text(name, "Count", "an integer from 1 to 100000", text)),
        },
    };
    let enumeration = match item.trimmed_text_of("Enumeration") {
        Some(text) => Some(Enumeration::parse(text)?).filter(|enumeration| !enumeration.symbols.is_empty()),
        None => None,
    };
    let mut facts = Vec::new();
    for (tag, fact, form) in FACTS {
        if let Some(text) = item.trimmed_text_of(tag) {
            facts.push((fact, form.read(name, tag, text)?));
        }
    }
    Ok(Item {
        name: name.to_owned(),
        sal_type,
        count,
        units: item.text_of("Units").map(str::to_owned),
        description: item.text_of("Description").map(str::to_owned),
        enumeration,
        facts,
    })
}

impl Form {
    fn read(self, field: &str, tag: &'static str, text: &str) -> Result<Value, Problem> {
        match self {
            Form::Float => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(number.into()),
                _ => Err(bad_text(field, tag, "a number", text)),
            },
            Form::Integer => match text.parse::<i64>() {
                Ok(number) => Ok(number.into()),
                Err(_) => Err(bad_text(field, tag, "an integer", text)),
            },
            Form::Text => Ok(text.into()),
            Form::Boolean if text.eq_ignore_ascii_case("true") => Ok(true.into()),
            Form::Boolean if text.eq_ignore_ascii_case("false") => Ok(false.into()),
            Form::Boolean => Err(bad_text(field, tag, "true or false", text)),
            Form::Present => Ok(true.into()),
        }
    }
}

fn bad_text(field: &str, tag: &'static str, expected: &'static str, found: &str) -> Problem {
    Problem::BadText {
        field: field.to_owned(),
        tag,
        expected,
        found: found.to_owned(),
    }
}
