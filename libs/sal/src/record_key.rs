//! The Kafka key of a record: what ts_salobj sends with it, so that compacted topics accept it and readers of both see
//! one form. Made once per topic, beside the plan; `encode` knows each message's index.

use crate::name::{Dialect, Kind, TopicName};

/// The key of one topic's records, as ts_salobj writes it: `{ "name": "MTHexapod", "index": 1, "topic":
/// "logevent_inPosition" }`, without the index if the component has none. The spaces are part of it: compaction compares
/// bytes.
///
/// ```
/// use sal::name::{Dialect, TopicName};
/// use sal::record_key::RecordKey;
///
/// let topic = TopicName::new("MTHexapod_logevent_inPosition").unwrap();
/// let mut key = Vec::new();
/// RecordKey::of(Dialect::TsXml, &topic).unwrap().write(Some(2), &mut key);
/// assert_eq!(key, br#"{ "name": "MTHexapod", "index": 2, "topic": "logevent_inPosition" }"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordKey {
    before_index: String,
    after_index: String,
}

impl RecordKey {
    /// The key of a topic's records. `None` where there is none of its own: telemetry, and dialect efd, whose topics are
    /// never compacted.
    pub fn of(dialect: Dialect, topic: &TopicName) -> Option<Self> {
        if dialect != Dialect::TsXml || topic.kind() == Kind::Telemetry {
            return None;
        }
        // A topic's name has nothing that JSON would escape.
        Some(Self {
            before_index: format!(r#"{{ "name": "{}","#, topic.component()),
            after_index: format!(r#" "topic": "{}" }}"#, topic.sal_name()),
        })
    }

    /// Replaces `out` with the key of the record of this instance; `index` is `None` if the component is not indexed.
    pub fn write(&self, index: Option<i64>, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(self.before_index.as_bytes());
        if let Some(index) = index {
            out.extend_from_slice(br#" "index": "#);
            out.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
            out.push(b',');
        }
        out.extend_from_slice(self.after_index.as_bytes());
    }
}

/// Whether the Kafka topic of these records is compacted: ts_salobj creates those of events so, and a component that starts
/// reads the last event of each kind from them.
pub fn is_compacted(dialect: Dialect, kind: Kind) -> bool {
    dialect == Dialect::TsXml && kind == Kind::Event
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(topic: &str, index: Option<i64>) -> Option<String> {
        let key = RecordKey::of(Dialect::TsXml, &TopicName::new(topic).unwrap())?;
        let mut out = b"what was there".to_vec();
        key.write(index, &mut out);
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn keys_are_byte_for_byte_those_of_ts_salobj() {
        for (topic, index, expected) in [
            (
                "ATDome_logevent_azimuthState",
                None,
                r#"{ "name": "ATDome", "topic": "logevent_azimuthState" }"#,
            ),
            (
                "Test_logevent_summaryState",
                Some(12),
                r#"{ "name": "Test", "index": 12, "topic": "logevent_summaryState" }"#,
            ),
            (
                "Script_command_start",
                Some(0),
                r#"{ "name": "Script", "index": 0, "topic": "command_start" }"#,
            ),
            (
                "ATDome_ackcmd",
                None,
                r#"{ "name": "ATDome", "topic": "ackcmd" }"#,
            ),
        ] {
            assert_eq!(key(topic, index).as_deref(), Some(expected));
        }
    }

    #[test]
    fn telemetry_and_the_dialect_of_2019_have_no_key_of_their_own() {
        assert_eq!(key("ATDome_position", None), None);
        let event = TopicName::new("Test_logevent_a").unwrap();
        assert_eq!(RecordKey::of(Dialect::Efd, &event), None);
        assert!(is_compacted(Dialect::TsXml, Kind::Event));
        assert!(!is_compacted(Dialect::TsXml, Kind::Command) && !is_compacted(Dialect::Efd, Kind::Event));
    }
}
