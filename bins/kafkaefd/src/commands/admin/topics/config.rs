//! `admin topics config`: a topic's settings, and changing some of them while the others keep their values.

use std::time::Duration;

use clap::Args;
use rdkafka::admin::{AlterConfig, ConfigEntry, ConfigSource, OwnedResourceSpecifier, ResourceSpecifier};
use serde::Serialize;
use stage::config::KafkaArgs;

use crate::commands::reach;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Consent, Table, faint, strong};
use operator::cluster::Cluster;
use operator::failure::{Failure, words};

/// Show a topic's settings, or change some of them
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Examples:\n\n  kafkaefd admin topics config mytopic --detail\n  \
                  kafkaefd admin topics config mytopic --set retention.ms 86400000 --set compression.type lz4"
)]
pub(super) struct ConfigArgs {
    /// Name of the topic
    name: String,
    /// Also settings that have their default, and where each value comes from
    #[arg(long)]
    detail: bool,
    /// Change a setting; all others keep their values
    #[arg(long, num_args = 2, value_names = ["KEY", "VALUE"])]
    set: Vec<String>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(Serialize)]
struct Row {
    key: String,
    value: Option<String>,
    /// topic, broker, default, other
    source: &'static str,
    read_only: bool,
}

impl ConfigArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let cluster = reach(&self.kafka)?;
        cluster.topic(&self.name)?;
        if !self.set.is_empty() {
            self.change(&cluster).await?;
        }
        let mut rows: Vec<Row> = self.read(&cluster).await?.into_iter().map(Row::of).collect();
        rows.retain(|row| self.detail || row.source == "topic");
        rows.sort_by(|one, other| one.key.cmp(&other.key));
        self.answer.print(&rows, || {
            if rows.is_empty() {
                format!(
                    "{} has no settings of its own; --detail shows the defaults",
                    self.name
                )
            } else {
                table(&rows).to_string()
            }
        })?;
        Ok(Done::All)
    }

    async fn read(&self, cluster: &Cluster) -> Result<Vec<ConfigEntry>, Failure> {
        let doing = format!("reading the settings of {}", self.name);
        let answers = cluster
            .admin()?
            .describe_configs(&[ResourceSpecifier::Topic(&self.name)], &Cluster::admin_options())
            .await
            .map_err(Failure::kafka(doing.clone()))?;
        match answers.into_iter().next() {
            Some(Ok(resource)) if resource.specifier == OwnedResourceSpecifier::Topic(self.name.clone()) => {
                Ok(resource.entries)
            }
            Some(Err(code)) => Err(Failure::Refused {
                what: doing,
                reason: words(code),
                hint: "the right to describe the topic's settings (ACL DescribeConfigs)".to_owned(),
            }),
            _ => Ok(Vec::new()),
        }
    }

    /// Kafka's request replaces all of a topic's settings, so that those that stay are sent along. Somebody who changes
    /// another one in the same moment loses it.
    async fn change(&self, cluster: &Cluster) -> Result<(), Failure> {
        let pairs: Vec<(&str, &str)> = self
            .set
            .chunks_exact(2)
            .filter_map(|pair| Some((pair.first()?.as_str(), pair.get(1)?.as_str())))
            .collect();
        let entries = self.read(cluster).await?;
        for (key, _) in &pairs {
            if !entries.iter().any(|entry| entry.name == *key) {
                return Err(Failure::Unknown {
                    kind: "setting",
                    name: (*key).to_owned(),
                    nearest: operator::failure::nearest(key, entries.iter().map(|entry| entry.name.as_str())),
                    list: "kafkaefd admin topics config NAME --detail",
                });
            }
        }
        let wanted: Vec<String> = pairs
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let what = format!("setting {} on {}", wanted.join(", "), self.name);
        self.consent
            .ask(&format!("set {} on {}", wanted.join(", "), self.name))?;
        let kept = entries
            .iter()
            .filter(|entry| entry.source == ConfigSource::DynamicTopic)
            .filter(|entry| !pairs.iter().any(|(key, _)| *key == entry.name))
            .filter_map(|entry| Some((entry.name.as_str(), entry.value.as_deref()?)));
        let change = kept.chain(pairs.iter().copied()).fold(
            AlterConfig::new(ResourceSpecifier::Topic(&self.name)),
            |change, (key, value)| change.set(key, value),
        );
        cluster
            .admin()?
            .alter_configs(&[change], &Cluster::admin_options())
            .await
            .map_err(Failure::kafka(what.clone()))?;
        self.confirm(cluster, what, &pairs).await
    }

    /// rdkafka drops what the brokers answer to each change, a refusal included, so that the change itself is looked at;
    /// a broker knows it some milliseconds after the controller.
    async fn confirm(&self, cluster: &Cluster, what: String, pairs: &[(&str, &str)]) -> Result<(), Failure> {
        const TRIES: usize = 20;
        for _ in 0..TRIES {
            let entries = self.read(cluster).await?;
            let has = |key: &str, value: &str| {
                entries
                    .iter()
                    .any(|entry| entry.name == key && entry.value.as_deref() == Some(value))
            };
            if pairs.iter().all(|(key, value)| has(key, value)) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(Failure::Refused {
            what,
            reason: "the brokers keep the old value".to_owned(),
            hint: "a value that Kafka's documentation of topic settings allows, and the right to alter (ACL AlterConfigs)"
                .to_owned(),
        })
    }
}

impl Row {
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

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(["SETTING", "VALUE", "FROM"]);
    for row in rows {
        let from = if row.source == "topic" {
            strong(row.source)
        } else {
            faint(row.source)
        };
        table.row([
            Cell::text(&row.key),
            Cell::text(row.value.as_deref().unwrap_or("(hidden)")),
            Cell::styled(from),
        ]);
    }
    table
}
