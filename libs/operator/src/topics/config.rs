//! A topic's settings, and changing some of them while the others keep their values.

use std::time::Duration;

use rdkafka::admin::{
    AlterConfig, ConfigEntry, ConfigResourceResult, ConfigSource, OwnedResourceSpecifier, ResourceSpecifier,
};
use serde::Serialize;

use crate::cluster::Cluster;
use crate::failure::{Failure, nearest, words};

/// How often a change is looked for, and how long is waited between.
const MAX_TRIES: usize = 20;
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// A setting of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its name, such as `retention.ms`.
    pub key: String,
    /// Its value; none where the brokers hide it.
    pub value: Option<String>,
    /// Where the value comes from: `topic`, `broker`, `default` or `other`.
    pub source: &'static str,
    /// Whether it cannot be changed.
    pub read_only: bool,
}

/// A change of a topic's settings that was checked against those that it has.
#[derive(Debug, Clone)]
pub struct SettingsChange {
    topic: String,
    changed: Vec<(String, String)>,
    kept: Vec<(String, String)>,
}

/// The topic's own settings by key, with `all` also those that have their default.
pub fn settings(cluster: &Cluster, topic: &str, all: bool) -> Result<Vec<Setting>, Failure> {
    cluster.topic(topic)?;
    let mut settings: Vec<Setting> = entries(cluster, topic)?.into_iter().map(Setting::of).collect();
    settings.retain(|setting| all || setting.source == "topic");
    settings.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(settings)
}

/// Plans to give settings other values. Fails if the topic has no setting of one of the names.
pub fn plan_settings(
    cluster: &Cluster,
    topic: &str,
    changed: Vec<(String, String)>,
) -> Result<SettingsChange, Failure> {
    cluster.topic(topic)?;
    let entries = entries(cluster, topic)?;
    for (key, _) in &changed {
        if !entries.iter().any(|entry| entry.name == *key) {
            return Err(Failure::Unknown {
                kind: "setting",
                name: key.clone(),
                nearest: nearest(key, entries.iter().map(|entry| entry.name.as_str())),
                list: "kafkaefd admin topics config NAME --detail",
            });
        }
    }
    let kept = entries
        .into_iter()
        .filter(|entry| entry.source == ConfigSource::DynamicTopic)
        .filter(|entry| !changed.iter().any(|(key, _)| *key == entry.name))
        .filter_map(|entry| Some((entry.name, entry.value?)))
        .collect();
    Ok(SettingsChange {
        topic: topic.to_owned(),
        changed,
        kept,
    })
}

/// Changes settings, and returns when a broker has the new values. Kafka's request replaces all of a topic's settings, so
/// those that stay are sent along: whoever changes another one in the same moment loses it.
pub fn change_settings(cluster: &Cluster, change: &SettingsChange) -> Result<(), Failure> {
    let what = format!("setting {}", change.summary());
    let settings = change.kept.iter().chain(&change.changed);
    let request = settings.fold(
        AlterConfig::new(ResourceSpecifier::Topic(&change.topic)),
        |request, (key, value)| request.set(key, value),
    );
    let admin = cluster.admin()?;
    Cluster::wait(admin.alter_configs(&[request], &Cluster::admin_options()))
        .map_err(Failure::kafka(what.clone()))?;
    // rdkafka drops what the brokers answer to each change, a refusal included, so the values are read back. A broker
    // has them some milliseconds after the controller.
    for _ in 0..MAX_TRIES {
        let entries = entries(cluster, &change.topic)?;
        let has = |key: &str, value: &str| {
            entries
                .iter()
                .any(|entry| entry.name == key && entry.value.as_deref() == Some(value))
        };
        if change.changed.iter().all(|(key, value)| has(key, value)) {
            return Ok(());
        }
        std::thread::sleep(RETRY_INTERVAL);
    }
    Err(Failure::Refused {
        what,
        reason: "the brokers keep the old value".to_owned(),
        hint: "a value that Kafka's documentation of topic settings allows, and the right to alter (ACL AlterConfigs)"
            .to_owned(),
    })
}

impl SettingsChange {
    /// The change in words: `retention.ms=1, compression.type=lz4 on mytopic`.
    pub fn summary(&self) -> String {
        let pairs: Vec<String> = self
            .changed
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        format!("{} on {}", pairs.join(", "), self.topic)
    }
}

fn entries(cluster: &Cluster, topic: &str) -> Result<Vec<ConfigEntry>, Failure> {
    let doing = format!("reading the settings of {topic}");
    let admin = cluster.admin()?;
    let asked = [ResourceSpecifier::Topic(topic)];
    let answers = Cluster::wait(admin.describe_configs(&asked, &Cluster::admin_options()))
        .map_err(Failure::kafka(doing.clone()))?;
    of_topic(topic, answers).map_err(|reason| Failure::Refused {
        what: doing,
        reason,
        hint: "the right to describe the topic's settings (ACL DescribeConfigs)".to_owned(),
    })
}

/// The settings in the answers about a topic, or why there are none: every topic has some. rdkafka leaves out the broker's
/// error of a topic, and what remains is a topic without settings.
fn of_topic(topic: &str, answers: Vec<ConfigResourceResult>) -> Result<Vec<ConfigEntry>, String> {
    let asked = OwnedResourceSpecifier::Topic(topic.to_owned());
    match answers.into_iter().next() {
        Some(Ok(resource)) if resource.specifier == asked && !resource.entries.is_empty() => {
            Ok(resource.entries)
        }
        Some(Err(code)) => Err(words(code)),
        _ => Err("the broker gave none".to_owned()),
    }
}

impl Setting {
    fn of(entry: ConfigEntry) -> Self {
        Self {
            source: match entry.source {
                ConfigSource::DynamicTopic => "topic",
                ConfigSource::DynamicBroker
                | ConfigSource::DynamicDefaultBroker
                | ConfigSource::StaticBroker => "broker",
                ConfigSource::Default => "default",
                _ => "other",
            },
            key: entry.name,
            value: entry.value,
            read_only: entry.is_read_only,
        }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::admin::ConfigResource;
    use rdkafka::error::RDKafkaErrorCode;

    use super::*;

    fn resource(topic: &str, keys: &[&str]) -> ConfigResourceResult {
        let entry = |key: &&str| ConfigEntry {
            name: (*key).to_owned(),
            value: Some("1".to_owned()),
            source: ConfigSource::Default,
            is_read_only: false,
            is_default: true,
            is_sensitive: false,
        };
        Ok(ConfigResource {
            specifier: OwnedResourceSpecifier::Topic(topic.to_owned()),
            entries: keys.iter().map(entry).collect(),
        })
    }

    #[test]
    fn an_answer_without_settings_is_none() {
        let keys =
            |answers| of_topic("t", answers).map(|found| found.into_iter().map(|entry| entry.name).collect());
        assert_eq!(
            keys(vec![resource("t", &["a", "b"])]),
            Ok(vec!["a".to_owned(), "b".to_owned()])
        );
        for empty in [vec![], vec![resource("t", &[])], vec![resource("u", &["a"])]] {
            assert_eq!(keys(empty), Err("the broker gave none".to_owned()));
        }
        let refused = keys(vec![Err(RDKafkaErrorCode::TopicAuthorizationFailed)]);
        assert_eq!(refused, Err(words(RDKafkaErrorCode::TopicAuthorizationFailed)));
    }
}
