//! Whether a schema can be that of a topic's records, by the record's name and by the subjects that it is registered
//! under.
//!
//! SAL's records are named after their topics. Others need not be, several names may share a topic, and mirrors rename
//! topics; therefore an unrelated name is not a reason to refuse a schema, only a name that belongs to another topic
//! is.

use serde_json::Value;

/// The suffix of Confluent's default strategy after a topic's name.
const SUFFIX: &str = "-value";

/// The full name of a schema's record.
pub(crate) fn record_name(schema: &str) -> Option<String> {
    let schema: Value = serde_json::from_str(schema).ok()?;
    let name = schema.get("name")?.as_str()?;
    match schema.get("namespace").and_then(Value::as_str) {
        Some(namespace) if !namespace.is_empty() && !name.contains('.') => {
            Some(format!("{namespace}.{name}"))
        }
        _ => Some(name.to_owned()),
    }
}

/// Whether the record is named after the topic: the same words, of which either may lack some at the beginning (a
/// namespace, a mirror's prefix). SAL's second word is specific to each site.
pub(crate) fn is_named_after(name: &str, topic: &str) -> bool {
    let (name, topic) = (words(name), words(topic));
    if name.is_empty() || topic.is_empty() {
        return false;
    }
    if let (["lsst", _, name @ ..], ["lsst", _, topic @ ..]) = (&name[..], &topic[..]) {
        return !name.is_empty() && name == topic;
    }
    name.ends_with(&topic) || topic.ends_with(&name)
}

/// Whether a subject's schemas are for this topic (TopicNameStrategy, TopicRecordNameStrategy; a mirror adds words to a
/// topic's name), or for any (RecordNameStrategy).
pub(crate) fn is_subject_of(subject: &str, topic: &str, name: &str) -> bool {
    let subject = without_context(subject);
    if subject == name || subject == topic {
        return true;
    }
    if subject
        .strip_prefix(topic)
        .is_some_and(|rest| rest.starts_with('-'))
    {
        return true;
    }
    subject.strip_suffix(SUFFIX).is_some_and(|original| {
        let ends = |rest: &str| rest.ends_with(['.', '-', '_']);
        let begins = |rest: &str| rest.starts_with(['.', '-', '_']);
        !original.is_empty()
            && (topic.strip_suffix(original).is_some_and(ends)
                || topic.strip_prefix(original).is_some_and(begins))
    })
}

/// The topic that a subject of the default strategy is for.
pub(crate) fn topic_of_subject(subject: &str) -> Option<&str> {
    without_context(subject).strip_suffix(SUFFIX)
}

/// The default subject of a topic.
pub(crate) fn default_subject(topic: &str) -> String {
    format!("{topic}{SUFFIX}")
}

/// Confluent's contexts precede a subject: `:.site:lsst.sal.Test_scalars-value`.
fn without_context(subject: &str) -> &str {
    let qualified = subject.strip_prefix(":.").and_then(|rest| rest.split_once(':'));
    qualified.map_or(subject, |(_, subject)| subject)
}

fn words(name: &str) -> Vec<&str> {
    let parts = name.split(|c: char| !c.is_alphanumeric());
    parts.filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_sal_are_named_after_their_topics_in_both_dialects() {
        let named = is_named_after;
        assert!(named("lsst.sal.Test_scalars", "lsst.sal.Test_scalars"));
        assert!(named("lsst.sal.Test.scalars", "lsst.sal.Test.scalars"));
        assert!(named("lsst.sal.Test_scalars", "lsst.sal.Test.scalars"));
        assert!(
            named("lsst.sal.Test_scalars", "lsst.alt.Test_scalars"),
            "a subname"
        );
        assert!(
            named("lsst.sal.Test_scalars", "summit.lsst.sal.Test_scalars"),
            "a mirror"
        );
        assert!(named("com.example.Weather", "Weather"));
        assert!(!named("lsst.sal.Test_arrays", "lsst.sal.Test_scalars"));
        assert!(!named("lsst.sal.ATDome_position", "lsst.sal.MTDome_position"));
        assert!(!named("lsst.sal.MTDome", "lsst.sal"));
        assert!(!named("", "t"));
    }

    #[test]
    fn a_subject_identifies_its_topic() {
        let is_of = |subject| is_subject_of(subject, "weather", "com.example.Report");
        for own in [
            "weather-value",
            "weather-com.example.Report",
            "com.example.Report",
            ":.site:weather-value",
            "weather",
        ] {
            assert!(is_of(own), "{own}");
        }
        for other in ["climate-value", "weatherman-value", "com.example.Other", "-value"] {
            assert!(!is_of(other), "{other}");
        }
        assert!(is_subject_of("weather-value", "summit.weather", "x"), "a mirror");
        assert!(is_subject_of("weather-value", "weather.replica", "x"));
        assert!(!is_subject_of("weather-value", "theweather", "x"));
        assert_eq!(topic_of_subject(":.site:weather-value"), Some("weather"));
    }

    #[test]
    fn a_name_is_read_as_avro_has_it() {
        let name = |schema: &str| record_name(schema);
        assert_eq!(
            name(r#"{"type":"record","namespace":"a.b","name":"C","fields":[]}"#),
            Some("a.b.C".into())
        );
        assert_eq!(
            name(r#"{"type":"record","namespace":"a","name":"x.C","fields":[]}"#),
            Some("x.C".into())
        );
        assert_eq!(name(r#""string""#), None);
    }
}
