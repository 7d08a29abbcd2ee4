//! `SALSubsystems.xml`, of 2019 and of today: which components are indexed, and which generic topics they take.

use std::sync::Arc;

use super::error::{InterfaceError, Place, Problem};
use super::xml::Element;

/// What `SALSubsystems.xml` says of one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Where it stands.
    pub place: Place,
    /// Whether there are several instances, told apart by an index: in 2019 an `<Enumeration>` with text, today an
    /// `<IndexEnumeration>` that is not `no`.
    pub indexed: bool,
    /// The generic topics that it takes.
    pub generics: AddedGenerics,
}

/// Which topics of `SALGenerics.xml` a component takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddedGenerics {
    /// 2019, `<Generics>yes</Generics>`.
    All,
    /// 2019, anything else.
    None,
    /// Today: those of category `mandatory`, and what `<AddedGenerics>` names: a category, or with a `_` a topic.
    Named(Vec<String>),
}

/// Every entry, by name.
pub(super) fn read(set: &Element, path: &Arc<str>) -> Vec<Result<(String, Listing), InterfaceError>> {
    let entries = set
        .children
        .iter()
        .filter(|child| child.name == "Subsystem" || child.name == "SALSubsystem");
    entries.map(|entry| read_entry(entry, path)).collect()
}

fn read_entry(entry: &Element, path: &Arc<str>) -> Result<(String, Listing), InterfaceError> {
    let place = Place::new(path, entry.line);
    let required = |tag: &'static str| {
        entry.trimmed_text_of(tag).ok_or_else(|| {
            place.error(
                None,
                Problem::MissingTag {
                    tag,
                    inside: entry.name.clone(),
                },
            )
        })
    };
    let name = required("Name")?.to_owned();
    let (indexed, generics) = if entry.name == "SALSubsystem" {
        let named = required("AddedGenerics")?
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let named = std::iter::once("mandatory")
            .chain(named)
            .map(str::to_owned)
            .collect();
        (required("IndexEnumeration")? != "no", AddedGenerics::Named(named))
    } else {
        let all = entry.trimmed_text_of("Generics") == Some("yes");
        let generics = if all {
            AddedGenerics::All
        } else {
            AddedGenerics::None
        };
        (entry.trimmed_text_of("Enumeration").is_some(), generics)
    };
    Ok((
        name,
        Listing {
            place,
            indexed,
            generics,
        },
    ))
}
