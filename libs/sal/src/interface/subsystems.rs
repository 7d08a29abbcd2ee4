//! `SALSubsystems.xml` in both layouts (2019 and today): which components are indexed, and which generic
//! topics they take.

use std::sync::Arc;

use super::error::{InterfaceError, Place, Problem};
use super::xml::Element;

/// The entry of one component in `SALSubsystems.xml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Where the entry is.
    pub place: Place,
    /// Whether there are several instances, told apart by an index. In 2019 this is an `<Enumeration>` with
    /// text, today an `<IndexEnumeration>` other than `no`.
    pub indexed: bool,
    /// The generic topics that it takes.
    pub generics: AddedGenerics,
}

/// Which topics of `SALGenerics.xml` a component takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddedGenerics {
    /// All of them (2019, `<Generics>yes</Generics>`).
    All,
    /// None (2019, any other text).
    None,
    /// Today: those of category `mandatory` and those in `<AddedGenerics>`, which names categories and, with
    /// a `_`, topics.
    Named(Vec<String>),
}

/// Reads every entry, by name.
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
