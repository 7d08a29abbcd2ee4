//! The fields of all topics, for the search: names and units, read once from the registry in the background.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use operator::telemetry::{FieldKind, RecordFields};
use stage::lock;
use stage::registry::Registry;
use tokio::task::AbortHandle;

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
    /// Name, unit, and how many items: none of a single value.
    fields: Box<[FieldEntry]>,
}

type FieldEntry = (Box<str>, Box<str>, Option<u16>);

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
        let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
        let entries = lock(&self.entries);
        let mut found = Found {
            searched: entries.len(),
            ..Found::default()
        };
        for (topic, entry) in entries.iter() {
            let name = topic.to_lowercase();
            let rest: Vec<&String> = words
                .iter()
                .filter(|word| !name.contains(word.as_str()))
                .collect();
            if rest.is_empty() {
                found.total += 1;
                if found.topics.len() < most {
                    found.topics.push(topic.to_string());
                }
                if words.is_empty() {
                    continue;
                }
            }
            for (field, unit, items) in &entry.fields {
                let has_word = |word: &str| field.to_lowercase().contains(word);
                let is_meant = if rest.is_empty() {
                    words.iter().any(|word| has_word(word))
                } else {
                    rest.iter().all(|word| has_word(word))
                };
                if !is_meant {
                    continue;
                }
                found.total += 1;
                if found.fields.len() < most {
                    found.fields.push(FoundField {
                        topic: topic.to_string(),
                        field: items.map_or_else(|| field.to_string(), |_| format!("{field}0")),
                        unit: (!unit.is_empty()).then(|| unit.to_string()),
                    });
                }
            }
        }
        found
    }

    /// The measurement of a topic's records, and the unit of one of its fields.
    pub(crate) fn look_up(&self, topic: &str, field: &str) -> (String, Option<String>) {
        let entries = lock(&self.entries);
        let Some(entry) = entries.get(topic) else {
            return (topic.to_owned(), None);
        };
        let base = field.trim_end_matches(|c: char| c.is_ascii_digit());
        let unit_of = |name: &str, is_array: bool| {
            let mut fields = entry.fields.iter();
            let found = fields.find(|(found, _, items)| **found == *name && (!is_array || items.is_some()));
            found.map(|(_, unit, _)| unit.to_string())
        };
        let unit = unit_of(field, false).or_else(|| unit_of(base, true));
        (
            entry.measurement.to_string(),
            unit.filter(|unit| !unit.is_empty()),
        )
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
        for (topic, entry) in entries.iter() {
            let Some((name, unit, _)) = entry.fields.iter().find(|field| is_an_example(field)) else {
                continue;
            };
            let field = FoundField {
                topic: topic.to_string(),
                field: name.to_string(),
                unit: Some(unit.to_string()),
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

/// A single value with a unit that is not a time.
fn is_an_example((name, unit, items): &FieldEntry) -> bool {
    let is_time = name.to_lowercase().contains("timestamp") || matches!(&**unit, "s" | "second");
    !unit.is_empty() && items.is_none() && !is_time
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
        let plotted = record.fields.iter().filter(|field| field.plot != FieldKind::Text);
        let fields = plotted.map(|field| {
            let items = (field.plot == FieldKind::Numbers)
                .then(|| u16::try_from(field.items.unwrap_or_default()).unwrap_or(u16::MAX));
            (
                field.name.as_str().into(),
                field.unit.as_deref().unwrap_or_default().into(),
                items,
            )
        });
        Self {
            measurement: record.name.as_str().into(),
            fields: fields.collect(),
        }
    }
}
