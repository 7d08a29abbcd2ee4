//! Turns the XML of one `<SALTelemetry>`, `<SALEvent>` or `<SALCommand>` into a checked topic.

use std::collections::HashSet;
use std::sync::Arc;

use super::error::{InterfaceError, Place, Problem};
use super::item::{self, Item};
use super::xml::Element;
use crate::name::{Kind, TopicName};

/// A topic as its interface file describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Topic {
    /// The name (`EFDB_Topic`).
    pub name: TopicName,
    /// The kind, from the element's name.
    pub kind: Kind,
    /// Where it is defined.
    pub place: Place,
    /// `Description`, as written (the layout of today).
    pub description: Option<String>,
    /// `Explanation`, trimmed (the layout of 2019).
    pub explanation: Option<String>,
    /// `Category`, trimmed (generic topics only).
    pub category: Option<String>,
    /// The other short texts that are not empty, trimmed: the tag in lower case and its text.
    pub facts: Vec<(&'static str, String)>,
    /// The fields, in wire order.
    pub items: Vec<Item>,
}

const FACTS: [(&str, &str); 8] = [
    ("Subsystem", "subsystem"),
    ("Version", "version"),
    ("Author", "author"),
    ("Alias", "alias"),
    ("Device", "device"),
    ("Property", "property"),
    ("Action", "action"),
    ("Value", "value"),
];

/// Reads every topic that is a child of `set`.
pub(super) fn read_set(set: &Element, path: &Arc<str>) -> Vec<Result<Topic, InterfaceError>> {
    let kinds = set.children.iter().filter_map(|child| match child.name.as_str() {
        "SALTelemetry" => Some((child, Kind::Telemetry)),
        "SALEvent" => Some((child, Kind::Event)),
        "SALCommand" => Some((child, Kind::Command)),
        _ => None,
    });
    kinds.map(|(element, kind)| read(element, kind, path)).collect()
}

fn read(element: &Element, kind: Kind, path: &Arc<str>) -> Result<Topic, InterfaceError> {
    let place = Place::new(path, element.line);
    let Some(text) = element.trimmed_text_of("EFDB_Topic") else {
        let problem = Problem::MissingTag {
            tag: "EFDB_Topic",
            inside: element.name.clone(),
        };
        return Err(place.error(None, problem));
    };
    let name = TopicName::new(text).map_err(|error| place.error(Some(text), Problem::TopicName(error)))?;
    let mut items = Vec::new();
    let mut names = HashSet::new();
    for child in element.children.iter().filter(|child| child.name == "item") {
        let item = item::read(child, path).map_err(|(place, problem)| place.error(Some(text), problem))?;
        if !names.insert(item.name.clone()) {
            let problem = Problem::DuplicateField { field: item.name };
            return Err(Place::new(path, child.line).error(Some(text), problem));
        }
        items.push(item);
    }
    let fact = |(tag, fact)| element.trimmed_text_of(tag).map(|text| (fact, text.to_owned()));
    Ok(Topic {
        name,
        kind,
        place,
        description: element.text_of("Description").map(str::to_owned),
        explanation: element.trimmed_text_of("Explanation").map(str::to_owned),
        category: element.trimmed_text_of("Category").map(str::to_owned),
        facts: FACTS.into_iter().filter_map(fact).collect(),
        items,
    })
}
