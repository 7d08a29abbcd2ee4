//! Reads SAL interface files (XML in the layouts of 2019 and of today, and the cameras' `.avsc` files) into
//! checked types, from which `avro` makes schemas.
//!
//! The root element decides what a file is: `SALTelemetrySet`, `SALEventSet` and `SALCommandSet` hold the
//! topics of one component; `SALObjects` holds the generic topics (`SALGenerics.xml`); `SALSubsystems` (2019)
//! and `SALSubsystemSet` (today) are the two layouts of `SALSubsystems.xml`, which says which components are
//! indexed and which generic topics they have. A component without a file of its own has only generic topics.

mod avro_file;
mod encoding;
mod enumeration;
mod error;
mod item;
mod sal_type;
mod subsystems;
mod topic;
mod xml;

use std::collections::HashSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;

pub use avro_file::AvroFile;
pub use enumeration::{Enumeration, Symbol};
pub use error::{InterfaceError, Place, Problem};
pub use item::Item;
pub use sal_type::SalType;
pub use subsystems::{AddedGenerics, Listing};
pub use topic::Topic;

use crate::name::TopicName;
use xml::Element;

/// One interface file. Its path is relative to the folder that was read, with `/` as separator. It names the
/// file in errors, and an `.avsc` file's component (its folder) and topic (its stem). A path that ends in `/` is a
/// component's folder without interface files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The path, e.g. `sal_interfaces/Test/Test_Events.xml`.
    pub path: String,
    /// The file's contents.
    pub bytes: Vec<u8>,
}

/// The contents of the interface files, and all errors in them.
#[derive(Debug, Clone, Default)]
pub struct Interfaces {
    /// Components with at least one topic of their own or an `.avsc` file, and those that are listed and have a folder
    /// without interface files, by name.
    pub components: Vec<Component>,
    /// Components that are listed in `SALSubsystems.xml` and have nothing else here, by name: either generic topics are
    /// all that they have, or their folders were left out.
    pub listed_only: Vec<Component>,
    /// The topics of `SALGenerics.xml`, named `SALGeneric_…`; each component takes what its [`Listing`] says.
    pub generics: Vec<Topic>,
    /// What was left out, a whole file or one topic, in file order.
    pub errors: Vec<InterfaceError>,
}

/// One SAL component (subsystem).
#[derive(Debug, Clone, Default)]
pub struct Component {
    /// The name, e.g. `MTM1M3TS`.
    pub name: String,
    /// Its own topics, in file order.
    pub topics: Vec<Topic>,
    /// Its topics that already are Avro files; a topic can exist in both forms.
    pub avro_files: Vec<AvroFile>,
    /// The enumerations of its sets: names for values that any of its fields can carry.
    pub enumerations: Vec<Enumeration>,
    /// Its entry in `SALSubsystems.xml`; `None` if the file is absent or does not list it.
    pub listing: Option<Listing>,
}

impl Interfaces {
    /// Reads `files` in the order of their paths. Never fails as a whole: what cannot be read is in `errors`
    /// with file, line and topic, and everything else is available.
    pub fn read(files: &[SourceFile]) -> Interfaces {
        let mut files: Vec<&SourceFile> = files.iter().collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let mut reader = Reader::default();
        for file in files {
            reader.file(file);
        }
        reader.finish()
    }

    /// The component with this name, also if it is only listed.
    pub fn component(&self, name: &str) -> Option<&Component> {
        let mut all = self.components.iter().chain(&self.listed_only);
        all.find(|component| component.name == name)
    }
}

impl Component {
    /// Whether messages carry the component's index; `None` if no `SALSubsystems.xml` says so.
    pub fn indexed(&self) -> Option<bool> {
        self.listing.as_ref().map(|listing| listing.indexed)
    }
}

#[derive(Default)]
struct Reader {
    components: BTreeMap<String, Component>,
    listings: BTreeMap<String, Listing>,
    empty_folders: HashSet<String>,
    seen: HashSet<TopicName>,
    generics: Vec<Topic>,
    errors: Vec<InterfaceError>,
}

impl Reader {
    fn file(&mut self, file: &SourceFile) {
        if let Some(folder) = file.path.strip_suffix('/') {
            let name = folder.rsplit('/').next().unwrap_or(folder);
            self.empty_folders.insert(name.to_owned());
            return;
        }
        let path: Arc<str> = Arc::from(file.path.as_str());
        if file.path.ends_with(".avsc") {
            match avro_file::read(&path, &file.bytes) {
                Ok(avro_file) => self.avro_file(avro_file),
                Err(error) => self.errors.push(error),
            }
            return;
        }
        let root = match xml::parse(&file.bytes) {
            Ok(root) => root,
            Err(xml::XmlError { line, reason }) => {
                self.errors
                    .push(Place::new(&path, line).error(None, Problem::NotWellFormed { reason }));
                return;
            }
        };
        match root.name.as_str() {
            "SALTelemetrySet" | "SALEventSet" | "SALCommandSet" => self.own_topics(&root, &path),
            "SALObjects" => self.generic_topics(&root, &path),
            "SALSubsystems" | "SALSubsystemSet" => self.subsystems(&root, &path),
            _ => self
                .errors
                .push(Place::new(&path, root.line).error(None, Problem::UnknownRoot { found: root.name })),
        }
    }

    fn own_topics(&mut self, set: &Element, path: &Arc<str>) {
        let mut owner = None;
        for read in topic::read_set(set, path) {
            match read {
                Ok(topic) if !self.seen.insert(topic.name.clone()) => {
                    let error = topic
                        .place
                        .error(Some(topic.name.as_str()), Problem::DuplicateTopic);
                    self.errors.push(error);
                }
                Ok(topic) => {
                    let name = topic.name.component().to_owned();
                    self.component(&name).topics.push(topic);
                    owner.get_or_insert(name);
                }
                Err(error) => self.errors.push(error),
            }
        }
        for (text, line) in set.texts("Enumeration") {
            match (Enumeration::parse(text), &owner) {
                (Ok(enumeration), Some(owner)) if !enumeration.symbols.is_empty() => {
                    let owner = owner.clone();
                    self.component(&owner).enumerations.push(enumeration);
                }
                (Ok(_), _) => {}
                (Err(problem), _) => self.errors.push(Place::new(path, line).error(None, problem)),
            }
        }
    }

    fn generic_topics(&mut self, objects: &Element, path: &Arc<str>) {
        for read in objects.children.iter().flat_map(|set| topic::read_set(set, path)) {
            match read {
                Ok(topic) => self.generics.push(topic),
                Err(error) => self.errors.push(error),
            }
        }
    }

    fn subsystems(&mut self, set: &Element, path: &Arc<str>) {
        for read in subsystems::read(set, path) {
            match read {
                Ok((name, listing)) => match self.listings.entry(name) {
                    Entry::Vacant(entry) => {
                        entry.insert(listing);
                    }
                    Entry::Occupied(entry) => {
                        let subsystem = entry.key().clone();
                        self.errors.push(
                            listing
                                .place
                                .error(None, Problem::DuplicateSubsystem { subsystem }),
                        );
                    }
                },
                Err(error) => self.errors.push(error),
            }
        }
    }

    fn avro_file(&mut self, avro_file: AvroFile) {
        let name = avro_file.name.component().to_owned();
        self.component(&name).avro_files.push(avro_file);
    }

    fn component(&mut self, name: &str) -> &mut Component {
        self.components
            .entry(name.to_owned())
            .or_insert_with(|| Component {
                name: name.to_owned(),
                ..Component::default()
            })
    }

    fn finish(mut self) -> Interfaces {
        let mut components: BTreeMap<String, Component> = self.components;
        for (name, component) in &mut components {
            component.listing = self.listings.remove(name);
        }
        let mut listed_only = Vec::new();
        for (name, listing) in self.listings {
            let component = Component {
                name: name.clone(),
                listing: Some(listing),
                ..Component::default()
            };
            if self.empty_folders.contains(&name) {
                components.insert(name, component);
            } else {
                listed_only.push(component);
            }
        }
        Interfaces {
            components: components.into_values().collect(),
            listed_only,
            generics: self.generics,
            errors: self.errors,
        }
    }
}
