//! The registry's contents and rules, without HTTP: subjects, their versions, schemas by id, and
//! compatibility levels.
//!
//! A schema has the same id in the whole registry, whatever its subject. Two texts are the same schema if
//! they are equal as JSON, regardless of white space and key order.

use std::collections::{BTreeMap, HashMap};

use apache_avro::Schema;
use serde_json::Value;

use super::compatibility::Level;
use super::problem::Problem;
use super::version::{Extras, VersionId, VersionSet};

/// A schema as it was first registered.
#[derive(Debug, Clone)]
struct Stored {
    /// JSON without white space, with keys in their original order; as it was given, if it is [held](Store::hold).
    text: String,
    /// None if it is held.
    schema: Option<Schema>,
    extras: Extras,
}

/// A schema from a request: valid Avro.
#[derive(Debug)]
pub(crate) struct Given {
    /// JSON with sorted keys, equal for equal schemas.
    identity: String,
    stored: Stored,
}

impl Given {
    /// # Errors
    /// `InvalidSchema` if the text is not an Avro schema or the type is not AVRO.
    pub(crate) fn parse(text: &str, schema_type: Option<&str>) -> Result<Given, Problem> {
        if let Some(other) = schema_type.filter(|kind| *kind != "AVRO") {
            return Err(Problem::InvalidSchema(format!(
                "schema type {other} is not supported, only AVRO is"
            )));
        }
        if text.trim().is_empty() {
            return Err(Problem::InvalidSchema("the schema is empty".to_owned()));
        }
        let json: Value =
            serde_json::from_str(text).map_err(|error| Problem::InvalidSchema(error.to_string()))?;
        let schema = Schema::parse(&json).map_err(|error| Problem::InvalidSchema(error.to_string()))?;
        let text = json.to_string();
        let mut sorted = json;
        sorted.sort_all_objects();
        Ok(Given {
            identity: sorted.to_string(),
            stored: Stored {
                text,
                schema: Some(schema),
                extras: Extras::default(),
            },
        })
    }
}

/// One version of a subject.
#[derive(Debug, Clone, Copy)]
struct Version {
    number: u32,
    id: u32,
    soft_deleted: bool,
}

/// A version of a subject with its schema, as in responses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registered {
    pub(crate) subject: String,
    pub(crate) version: u32,
    pub(crate) id: u32,
    pub(crate) text: String,
    pub(crate) extras: Extras,
}

/// Everything that is registered.
#[derive(Debug)]
pub(crate) struct Store {
    /// Versions ascend within a subject. A subject without versions is removed.
    subjects: BTreeMap<String, Vec<Version>>,
    /// The schema with id `n` is at `n - 1`.
    schemas: Vec<Stored>,
    /// Identity → id.
    ids: HashMap<String, u32>,
    level: Level,
    subject_levels: BTreeMap<String, Level>,
}

impl Default for Store {
    fn default() -> Store {
        Store {
            subjects: BTreeMap::new(),
            schemas: Vec::new(),
            ids: HashMap::new(),
            level: Level::BACKWARD,
            subject_levels: BTreeMap::new(),
        }
    }
}

impl Store {
    /// Adds a version to the subject unless it has this schema already, and returns the schema's id.
    pub(crate) fn register(&mut self, subject: &str, given: Given) -> Result<u32, Problem> {
        let known = self.ids.get(&given.identity).copied();
        let live = self.live(subject);
        if let Some(id) = known.filter(|id| live.iter().any(|version| version.id == *id)) {
            return Ok(id);
        }
        let against = if self.level_of(subject).is_transitive() {
            VersionSet::All
        } else {
            VersionSet::Latest
        };
        let objections = self.objections(subject, against, &given);
        if !objections.is_empty() {
            return Err(Problem::Incompatible {
                subject: subject.to_owned(),
                details: objections.join("; "),
            });
        }
        let id = known.unwrap_or_else(|| {
            let id = self.add_schema(given.stored);
            self.ids.insert(given.identity, id);
            id
        });
        self.add_version(subject, id);
        Ok(id)
    }

    /// Adds a version that is not checked: a schema of any type, or one that refers to others.
    pub(crate) fn hold(&mut self, subject: &str, text: &str, extras: Extras) -> u32 {
        let id = self.add_schema(Stored {
            text: text.to_owned(),
            schema: None,
            extras,
        });
        self.add_version(subject, id);
        id
    }

    fn add_schema(&mut self, schema: Stored) -> u32 {
        self.schemas.push(schema);
        u32::try_from(self.schemas.len()).unwrap_or(u32::MAX)
    }

    fn add_version(&mut self, subject: &str, id: u32) {
        let versions = self.subjects.entry(subject.to_owned()).or_default();
        let number = versions.last().map_or(1, |last| last.number + 1);
        versions.push(Version {
            number,
            id,
            soft_deleted: false,
        });
    }

    /// The latest version of the subject that has this schema.
    pub(crate) fn find(&self, subject: &str, given: &Given, deleted: bool) -> Result<Registered, Problem> {
        let versions = self.visible(subject, deleted)?;
        let id = self.ids.get(&given.identity).copied();
        let version = versions
            .iter()
            .rev()
            .find(|version| Some(version.id) == id)
            .ok_or(Problem::NoSchema)?;
        self.registered(subject, *version)
    }

    /// Sorted; subjects with only soft-deleted versions are included only with `deleted`.
    pub(crate) fn subjects(&self, deleted: bool) -> Vec<String> {
        let visible = self
            .subjects
            .iter()
            .filter(|(_, versions)| deleted || versions.iter().any(|v| !v.soft_deleted));
        visible.map(|(subject, _)| subject.clone()).collect()
    }

    /// The versions of a subject, ascending.
    pub(crate) fn versions(&self, subject: &str, deleted: bool) -> Result<Vec<u32>, Problem> {
        Ok(self
            .visible(subject, deleted)?
            .iter()
            .map(|version| version.number)
            .collect())
    }

    /// One version of a subject.
    pub(crate) fn version(
        &self,
        subject: &str,
        version: VersionId,
        deleted: bool,
    ) -> Result<Registered, Problem> {
        let versions = self.visible(subject, deleted)?;
        let found = match version {
            VersionId::Latest => versions
                .last()
                .ok_or_else(|| Problem::NoSubject(subject.to_owned()))?,
            VersionId::Number(n) => versions
                .iter()
                .find(|v| v.number == n)
                .ok_or(Problem::NoVersion(n))?,
        };
        self.registered(subject, *found)
    }

    /// Every live version of every subject.
    pub(crate) fn all(&self) -> Vec<Registered> {
        let pairs = self
            .subjects
            .keys()
            .flat_map(|subject| self.live(subject).into_iter().map(move |v| (subject, v)));
        pairs
            .filter_map(|(subject, version)| self.registered(subject, version).ok())
            .collect()
    }

    /// The schema text for an id. It stays readable when its subjects are deleted, because data with that id
    /// may still exist.
    pub(crate) fn schema(&self, id: u32) -> Result<&str, Problem> {
        Ok(&self.stored(id)?.text)
    }

    /// What an answer about an id says beside the text.
    pub(crate) fn extras(&self, id: u32) -> Result<&Extras, Problem> {
        Ok(&self.stored(id)?.extras)
    }

    /// The subjects and versions that use an id.
    pub(crate) fn users(&self, id: u32, deleted: bool) -> Result<Vec<(String, u32)>, Problem> {
        self.stored(id)?;
        let pairs = self
            .subjects
            .iter()
            .flat_map(|(subject, versions)| versions.iter().map(move |v| (subject, v)));
        let users = pairs.filter(|(_, version)| version.id == id && (deleted || !version.soft_deleted));
        Ok(users
            .map(|(subject, version)| (subject.clone(), version.number))
            .collect())
    }

    /// Soft-deletes all versions, or permanently removes those that are soft-deleted. Returns their numbers.
    pub(crate) fn delete_subject(&mut self, subject: &str, permanent: bool) -> Result<Vec<u32>, Problem> {
        let missing = || Problem::NoSubject(subject.to_owned());
        let versions = self.subjects.get_mut(subject).ok_or_else(missing)?;
        let live = versions.iter().filter(|version| !version.soft_deleted).count();
        match (permanent, live) {
            (false, 0) => Err(Problem::SubjectSoftDeleted(subject.to_owned())),
            (false, _) => {
                let live = versions.iter_mut().filter(|version| !version.soft_deleted);
                let numbers = live.map(|version| {
                    version.soft_deleted = true;
                    version.number
                });
                let numbers = numbers.collect();
                self.subject_levels.remove(subject);
                Ok(numbers)
            }
            (true, 0) => {
                let gone = self.subjects.remove(subject).unwrap_or_default();
                Ok(gone.iter().map(|version| version.number).collect())
            }
            (true, _) => Err(Problem::SubjectNotSoftDeleted(subject.to_owned())),
        }
    }

    /// Soft-deletes one version, or permanently removes a soft-deleted one.
    pub(crate) fn delete_version(
        &mut self,
        subject: &str,
        version: VersionId,
        permanent: bool,
    ) -> Result<u32, Problem> {
        // A number refers to its version deleted or not, so that a second deletion is recognized; "latest" is
        // the latest live one.
        let deleted = permanent || version != VersionId::Latest;
        let number = self.version(subject, version, deleted)?.version;
        let missing = || Problem::NoSubject(subject.to_owned());
        let versions = self.subjects.get_mut(subject).ok_or_else(missing)?;
        let position = versions
            .iter()
            .position(|v| v.number == number)
            .ok_or(Problem::NoVersion(number))?;
        let found = versions.get_mut(position).ok_or(Problem::NoVersion(number))?;
        match (permanent, found.soft_deleted) {
            (false, false) => found.soft_deleted = true,
            (false, true) => return Err(Problem::VersionSoftDeleted(subject.to_owned(), number)),
            (true, true) => {
                versions.remove(position);
            }
            (true, false) => return Err(Problem::VersionNotSoftDeleted(subject.to_owned(), number)),
        }
        if versions.is_empty() {
            self.subjects.remove(subject);
        }
        Ok(number)
    }

    /// The level of all subjects without their own.
    pub(crate) fn level(&self) -> Level {
        self.level
    }

    pub(crate) fn set_level(&mut self, level: Level) {
        self.level = level;
    }

    /// The level set for the subject itself.
    pub(crate) fn subject_level(&self, subject: &str) -> Option<Level> {
        self.subject_levels.get(subject).copied()
    }

    /// A level can be set before the subject exists.
    pub(crate) fn set_subject_level(&mut self, subject: &str, level: Option<Level>) -> Option<Level> {
        match level {
            Some(level) => self.subject_levels.insert(subject.to_owned(), level),
            None => self.subject_levels.remove(subject),
        }
    }

    /// Why the schema is not allowed after these versions of the subject under its level; empty if it is.
    pub(crate) fn objections(&self, subject: &str, against: VersionSet, given: &Given) -> Vec<String> {
        let level = self.level_of(subject);
        let live = self.live(subject);
        let chosen: Vec<&Version> = match against {
            VersionSet::All => live.iter().rev().collect(),
            VersionSet::Latest => live.last().into_iter().collect(),
            VersionSet::One(number) => live.iter().filter(|version| version.number == number).collect(),
        };
        let against = chosen
            .iter()
            .filter_map(|version| Some((version.number, self.stored(version.id).ok()?)));
        against
            .flat_map(|(number, old)| {
                let both = old.schema.as_ref().zip(given.stored.schema.as_ref());
                let objections = both.map(|(old, new)| level.objections(old, new));
                objections
                    .unwrap_or_default()
                    .into_iter()
                    .map(move |objection| format!("version {number}: {objection}"))
            })
            .collect()
    }

    fn level_of(&self, subject: &str) -> Level {
        self.subject_level(subject).unwrap_or(self.level)
    }

    fn stored(&self, id: u32) -> Result<&Stored, Problem> {
        let index = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
        index
            .and_then(|index| self.schemas.get(index))
            .ok_or_else(|| Problem::NoSchemaId(id.to_string()))
    }

    fn registered(&self, subject: &str, version: Version) -> Result<Registered, Problem> {
        let stored = self.stored(version.id)?;
        Ok(Registered {
            subject: subject.to_owned(),
            version: version.number,
            id: version.id,
            text: stored.text.clone(),
            extras: stored.extras.clone(),
        })
    }

    fn live(&self, subject: &str) -> Vec<Version> {
        let versions = self.subjects.get(subject).map(Vec::as_slice).unwrap_or_default();
        versions
            .iter()
            .copied()
            .filter(|version| !version.soft_deleted)
            .collect()
    }

    /// The subject's versions; never empty.
    fn visible(&self, subject: &str, deleted: bool) -> Result<Vec<Version>, Problem> {
        let versions = match deleted {
            true => self.subjects.get(subject).cloned().unwrap_or_default(),
            false => self.live(subject),
        };
        if versions.is_empty() {
            Err(Problem::NoSubject(subject.to_owned()))
        } else {
            Ok(versions)
        }
    }
}
