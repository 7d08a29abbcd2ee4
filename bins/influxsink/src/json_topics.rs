//! Records in JSON, by their topics. They need no schema and no registry: how they become points is the operator's choice
//! alone.

use std::collections::HashMap;
use std::sync::Arc;

use confluent_avro::point::PlainJson;

/// How many measurements are remembered; records can name any number of them.
const MAX_MEASUREMENTS: usize = 10_000;

/// One worker's topics.
#[derive(Debug)]
pub(crate) struct JsonTopics {
    /// The operator's choice, for any topic.
    records: PlainJson,
    topics: HashMap<Box<str>, Arc<PlainJson>>,
    /// Those that records name. One that is forgotten looks like another, whose batches wait for each other.
    measurements: HashMap<Box<str>, Arc<str>>,
}

impl JsonTopics {
    pub(crate) fn new(records: PlainJson) -> Self {
        Self {
            records,
            topics: HashMap::new(),
            measurements: HashMap::new(),
        }
    }

    /// The records of a topic, whose name is their measurement.
    pub(crate) fn of(&mut self, topic: &str) -> Arc<PlainJson> {
        if let Some(known) = self.topics.get(topic) {
            return Arc::clone(known);
        }
        let records = Arc::new(self.records.of(topic));
        self.topics.insert(topic.into(), Arc::clone(&records));
        records
    }

    /// A measurement that a record names.
    pub(crate) fn measurement(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.measurements.get(name) {
            return Arc::clone(known);
        }
        if self.measurements.len() >= MAX_MEASUREMENTS {
            self.measurements.clear();
        }
        let measurement: Arc<str> = name.into();
        self.measurements.insert(name.into(), Arc::clone(&measurement));
        measurement
    }
}
