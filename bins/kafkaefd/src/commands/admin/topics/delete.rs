//! `admin topics delete`: reports how many messages will be deleted and which groups read them, asks for confirmation, and
//! deletes.

use std::collections::BTreeMap;

use clap::Args;
use stage::config::KafkaArgs;
use stage::sanitize::Printable;

use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Consent, bars, count, done, json, note, plural, print_outcomes, warn};
use operator::cluster::Cluster;
use operator::failure::Failure;
use operator::outcome::Outcome;
use operator::topics::{self, Deletion};

/// Delete topics and all their messages
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd admin topics delete mytopic --yes")]
pub(super) struct DeleteArgs {
    /// Names of the topics
    #[arg(required = true, value_name = "TOPIC")]
    names: Vec<String>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

impl DeleteArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let args = self.clone();
        ask(&self.kafka, move |cluster| args.delete(cluster)).await
    }

    fn delete(&self, cluster: &Cluster) -> Result<Done, Failure> {
        let deletion = topics::plan_deletion(cluster, &self.names)?;
        if let Some(warning) = readers(&deletion) {
            note(&warn(Printable(warning)));
        }
        self.consent.ask(&format!(
            "delete {} ({}) with {} at {}",
            plural(self.names.len(), "topic"),
            some(&self.names),
            plural(deletion.messages, "message"),
            self.kafka.shown()
        ))?;
        let deleted = topics::delete(cluster, &self.names, &deletion, &bars())?;
        let outcomes: Vec<Outcome> = deleted.iter().map(|deleted| deleted.outcome.clone()).collect();
        if !self.answer.json {
            return Ok(print_outcomes(&outcomes, self.answer)?);
        }
        json(&deleted)?;
        Ok(done(&outcomes))
    }
}

/// Who would lose what they read.
fn readers(deletion: &Deletion) -> Option<String> {
    if let Some(why) = &deletion.unknown_readers {
        return Some(format!(
            "whether a group is reading what is deleted is not known: {why}"
        ));
    }
    let mut topics_of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (topic, groups) in &deletion.read_by {
        for group in groups {
            topics_of.entry(group).or_default().push(topic);
        }
    }
    if topics_of.is_empty() {
        return None;
    }
    let groups: Vec<String> = topics_of
        .iter()
        .map(|(group, topics)| format!("group {group} is reading {}", some(topics)))
        .collect();
    Some(groups.join("; "))
}

/// The first of these names: a person reads this line.
fn some(names: &[impl AsRef<str>]) -> String {
    const NAMED: usize = 10;
    let named: Vec<&str> = names.iter().take(NAMED).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {} more", named.join(", "), count(more as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_that_read_are_named() {
        let mut deletion = Deletion::default();
        assert_eq!(readers(&deletion), None);
        for number in 0..12 {
            let groups = deletion.read_by.entry(format!("t{number:02}")).or_default();
            groups.insert("saltransform".to_owned());
        }
        let one = deletion.read_by.entry("t00".to_owned()).or_default();
        one.insert("influxsink".to_owned());
        assert_eq!(
            readers(&deletion).unwrap(),
            "group influxsink is reading t00; group saltransform is reading t00, t01, t02, t03, t04, t05, t06, t07, t08, t09 \
             and 2 more"
        );
        deletion.unknown_readers = Some("refused".to_owned());
        assert!(readers(&deletion).unwrap().ends_with("is not known: refused"));
    }
}
