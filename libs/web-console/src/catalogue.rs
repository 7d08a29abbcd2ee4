//! The fields of all topics, for the search: names and units, read once from the registry in the background.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use operator::telemetry::{FieldKind, RecordFields, array_items};
use stage::lock;
use stage::registry::Registry;
use tokio::task::AbortHandle;

use crate::params::Words;

/// How long after one pass over the registry the next begins.
const REFRESH_INTERVAL: Duration = Duration::from_secs(600);
/// After the registry did not answer, or had nothing yet.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);
/// How often it is looked whether there is something.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Requests at a time.
const REQUESTS: usize = 4;
/// Confluent's default strategy names a subject after its topic.
const SUFFIX: &str = "-value";

/// What is known of a topic: compact, as there are thousands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    measurement: Box<str>,
    /// A line for each field: name, unit, for an array `[]`, and the symbols of an enumeration, with tabs between.
    fields: Box<str>,
}

/// A field of an entry.
struct FieldEntry<'e> {
    name: &'e str,
    /// May be empty.
    unit: &'e str,
    is_array: bool,
    /// Of an enumeration, with spaces between.
    symbols: &'e str,
}

/// What is known of a field.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) measurement: String,
    pub(crate) unit: Option<String>,
    pub(crate) symbols: Vec<String>,
}

/// A field that a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundField {
    pub(crate) topic: String,
    pub(crate) field: String,
    pub(crate) unit: Option<String>,
}

/// What a search found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) topics: Vec<String>,
    pub(crate) fields: Vec<FoundField>,
    /// How many topics and fields match in all.
    pub(crate) total: usize,
    /// How many topics have been searched.
    pub(crate) searched: usize,
}

type Entries = Arc<Mutex<BTreeMap<Box<str>, Entry>>>;

/// Kept up to date until it is dropped.
pub(crate) struct Catalogue {
    entries: Entries,
    task: AbortHandle,
}

impl Catalogue {
    /// Begins to read. To be called within a runtime.
    pub(crate) fn start(registry: Arc<Registry>) -> Self {
        let entries = Entries::default();
        let filled = Arc::clone(&entries);
        let task = tokio::spawn(async move {
            loop {
                let is_filled = fill(&registry, &filled).await;
                tokio::time::sleep(if is_filled {
                    REFRESH_INTERVAL
                } else {
                    RETRY_INTERVAL
                })
                .await;
            }
        });
        Self {
            entries,
            task: task.abort_handle(),
        }
    }

    /// The topics and fields that have all words of a query in their names, at most `most` of each.
    pub(crate) fn search(&self, query: &str, most: usize) -> Found {
        let words = Words::of(query);
        let entries = lock(&self.entries);
        let mut found = Found {
            searched: entries.len(),
            ..Found::default()
        };
        for (topic, entry) in entries.iter() {
            let rest = words.missing_in(topic);
            if rest.is_empty() {
                found.total += 1;
                if found.topics.len() < most {
                    found.topics.push(topic.to_string());
                }
                if words.is_empty() {
                    continue;
                }
            }
            for entry in entry.fields() {
                let field = entry.name;
                let is_meant = if rest.is_empty() {
                    // A topic's whole name asks for all of its fields.
                    topic.eq_ignore_ascii_case(query.trim()) || words.any_in(field)
                } else {
                    rest.all_in(field)
                };
                if !is_meant {
                    continue;
                }
                found.total += 1;
                if found.fields.len() < most {
                    found.fields.push(FoundField {
                        topic: topic.to_string(),
                        field: if entry.is_array {
                            format!("{field}0")
                        } else {
                            field.to_owned()
                        },
                        unit: entry.unit(),
                    });
                }
            }
        }
        found
    }

    /// The measurement of a topic's records, and what is known of one of its fields.
    pub(crate) fn look_up(&self, topic: &str, field: &str) -> Known {
        let entries = lock(&self.entries);
        let Some(entry) = entries.get(topic) else {
            return Known {
                measurement: topic.to_owned(),
                ..Known::default()
            };
        };
        let of_name = |name: &str, of_array: bool| {
            let mut fields = entry.fields();
            fields.find(|found| found.name == name && (!of_array || found.is_array))
        };
        let found =
            of_name(field, false).or_else(|| array_items(field).find_map(|(array, _)| of_name(array, true)));
        let symbols = found.as_ref().map(|found| found.symbols).unwrap_or_default();
        Known {
            measurement: entry.measurement.to_string(),
            unit: found.as_ref().and_then(FieldEntry::unit),
            symbols: symbols.split_whitespace().map(str::to_owned).collect(),
        }
    }

    /// Waits until something has been read, for at most `patience`.
    pub(crate) async fn filled_within(&self, patience: Duration) {
        let filled = async {
            while lock(&self.entries).is_empty() {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        // Without any, the page says so.
        let _ = tokio::time::timeout(patience, filled).await;
    }

    /// Some fields to begin with: one of each component, as far as there are.
    pub(crate) fn examples(&self, most: usize) -> Vec<FoundField> {
        let entries = lock(&self.entries);
        let (mut chosen, mut rest, mut components) = (Vec::new(), Vec::new(), BTreeSet::new());
        // Commands and events seldom come.
        let is_seldom = |topic: &str| topic.contains("_command_") || topic.contains("_logevent_");
        for (topic, entry) in entries.iter().filter(|(topic, _)| !is_seldom(topic)) {
            let fields = || entry.fields().filter(is_an_example);
            let with_unit = fields().find(|field| !field.unit.is_empty());
            let Some(found) = with_unit.or_else(|| fields().next()) else {
                continue;
            };
            let field = FoundField {
                topic: topic.to_string(),
                field: found.name.to_owned(),
                unit: found.unit(),
            };
            let component = topic.rsplit('.').next().and_then(|name| name.split('_').next());
            if components.insert(component.unwrap_or_default()) {
                chosen.push(field);
            } else if rest.len() < most {
                rest.push(field);
            }
        }
        chosen.extend(rest);
        chosen.truncate(most);
        chosen
    }
}

/// A single value that the instrument gives: neither a time nor what SAL adds to each record.
fn is_an_example(field: &FieldEntry<'_>) -> bool {
    let name = field.name;
    let is_time = name.to_lowercase().contains("timestamp") || matches!(field.unit, "s" | "second");
    let is_of_sal = ["sal_", "private_", "salIndex"]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    !field.is_array && field.symbols.is_empty() && !is_time && !is_of_sal
}

impl FieldEntry<'_> {
    fn unit(&self) -> Option<String> {
        (!self.unit.is_empty()).then(|| self.unit.to_owned())
    }
}

impl Drop for Catalogue {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One pass; whether there was anything.
async fn fill(registry: &Registry, entries: &Entries) -> bool {
    let Ok(subjects) = registry.subjects().await else {
        return false;
    };
    let topics: Vec<String> = subjects
        .into_iter()
        .filter_map(|subject| subject.strip_suffix(SUFFIX).map(str::to_owned))
        .collect();
    lock(entries).retain(|topic, _| topics.iter().any(|found| **found == **topic));
    let is_filled = !topics.is_empty();
    let read = move |topic: String| async move {
        let schema = registry.latest(&format!("{topic}{SUFFIX}")).await.ok()?;
        let record = RecordFields::read(&schema.raw)?;
        lock(entries).insert(topic.into(), Entry::of(&record));
        Some(())
    };
    futures::stream::iter(topics)
        .map(read)
        .buffer_unordered(REQUESTS)
        .count()
        .await;
    is_filled
}

impl Entry {
    fn of(record: &RecordFields) -> Self {
        let mut fields = String::new();
        for field in record.fields.iter().filter(|field| field.plot != FieldKind::Text) {
            let array = if field.plot == FieldKind::Numbers {
                "[]"
            } else {
                ""
            };
            let cell = |text: &str| text.replace(['\t', '\n'], " ");
            let unit = cell(field.unit.as_deref().unwrap_or_default());
            // A `String` can always be written to.
            let _ = writeln!(
                fields,
                "{}\t{unit}\t{array}\t{}",
                cell(&field.name),
                cell(&field.symbols.join(" "))
            );
        }
        Self {
            measurement: record.name.as_str().into(),
            fields: fields.into(),
        }
    }

    fn fields(&self) -> impl Iterator<Item = FieldEntry<'_>> {
        self.fields.lines().map(|line| {
            let mut cells = line.split('\t');
            let mut next = || cells.next().unwrap_or_default();
            FieldEntry {
                name: next(),
                unit: next(),
                is_array: next() == "[]",
                symbols: next(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        let schema = r#"{"type":"record","name":"A_pos","namespace":"lsst.sal","fields":[
            {"name":"azimuth","type":"double","units":"deg\tx"},{"name":"temperature","type":{"type":"array","items":"float"},"units":"C"},
            {"name":"flow2","type":{"type":"array","items":"float"},"units":"l/min"},
            {"name":"note","type":"string"},{"name":"state","type":{"type":"enum","name":"S","symbols":["OFF","ON"]}}]}"#;
        let entries = Entries::default();
        let entry = Entry::of(&RecordFields::read(schema).unwrap());
        lock(&entries).insert("lsst.sal.A_pos".into(), entry);
        let task = tokio::spawn(std::future::pending::<()>()).abort_handle();
        Catalogue { entries, task }
    }

    #[tokio::test]
    async fn all_words_are_found_in_topic_or_field() {
        let catalogue = catalogue();
        let fields = |query: &str| -> Vec<String> {
            catalogue
                .search(query, 9)
                .fields
                .into_iter()
                .map(|found| found.field)
                .collect()
        };
        assert_eq!(fields("a_POS azi"), ["azimuth"]);
        assert_eq!(fields("temp"), ["temperature0"]);
        assert_eq!(
            fields("lsst.sal.a_pos"),
            ["azimuth", "temperature0", "flow20", "state"]
        );
        assert!(fields("note").is_empty() && fields("azimuth temp").is_empty());
        assert_eq!(catalogue.search("pos", 9).topics, ["lsst.sal.A_pos"]);
        let unit = |field: &str| catalogue.look_up("lsst.sal.A_pos", field).unit;
        assert_eq!(
            (unit("azimuth").as_deref(), unit("temperature7").as_deref()),
            (Some("deg x"), Some("C"))
        );
        assert_eq!((unit("azimuth7"), unit("none")), (None, None));
        assert_eq!(
            unit("flow213").as_deref(),
            Some("l/min"),
            "an array's name may end in a digit"
        );
        assert_eq!(
            catalogue.look_up("lsst.sal.A_pos", "state").symbols,
            ["OFF", "ON"]
        );
        assert_eq!(catalogue.look_up("other", "x").measurement, "other");
    }
}
