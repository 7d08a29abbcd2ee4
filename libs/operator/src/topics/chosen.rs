//! Topics as an operator names them: by name, or by an expression for names.

use regex::Regex;

use crate::cluster::{Cluster, Topic};
use crate::failure::Failure;

/// The command that lists what was looked among.
const LIST_TOPICS: &str = "kafkaefd admin topics list";

/// The topics of these names, and those that `anywhere` matches, each once and in that order. A name that no topic can
/// have, such as `lsst.sal.MTM1M3.*`, is a regular expression for whole names. Topics that Kafka, Connect and the registry
/// made for themselves are found only by an expression that begins with their underscore.
pub fn chosen<'c>(
    cluster: &'c Cluster,
    names: &[String],
    anywhere: Option<&Regex>,
) -> Result<Vec<&'c Topic>, Failure> {
    let mut found: Vec<&Topic> = Vec::new();
    let mut add = |topics: Vec<&'c Topic>| {
        for topic in topics {
            if !found.iter().any(|known| known.name == topic.name) {
                found.push(topic);
            }
        }
    };
    for name in names {
        if is_name(name) {
            add(vec![cluster.topic(name)?]);
            continue;
        }
        let whole = Regex::new(&format!("^(?:{name})$")).map_err(|error| {
            Failure::Usage(format!(
                "{name} is neither a topic's name nor an expression: {error}"
            ))
        })?;
        add(matched(cluster, name, &whole)?);
    }
    if let Some(anywhere) = anywhere {
        add(matched(cluster, anywhere.as_str(), anywhere)?);
    }
    Ok(found)
}

fn matched<'c>(cluster: &'c Cluster, written: &str, expression: &Regex) -> Result<Vec<&'c Topic>, Failure> {
    let is_for_internal = written.trim_start_matches(['^', '(']).starts_with('_');
    let found: Vec<&Topic> = cluster
        .topics
        .iter()
        .filter(|topic| is_for_internal || !topic.is_internal())
        .filter(|topic| expression.is_match(&topic.name))
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let meant = as_regex(written).filter(|meant| {
        let whole = Regex::new(&format!("^(?:{meant})$"));
        whole.is_ok_and(|whole| cluster.topics.iter().any(|topic| whole.is_match(&topic.name)))
    });
    Err(Failure::Unknown {
        kind: "topic that matches",
        name: written.to_owned(),
        nearest: meant.map(|meant| format!("'{meant}'")).into_iter().collect(),
        list: LIST_TOPICS,
    })
}

/// Whether a topic can have this name.
fn is_name(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// The regular expression for a pattern as a shell has it, if it is one: `Test_*` is `Test_.*`.
fn as_regex(pattern: &str) -> Option<String> {
    let is_pattern = pattern.contains(['*', '?'])
        && pattern
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-*?".contains(c));
    is_pattern.then(|| pattern.replace('.', "\\.").replace('*', ".*").replace('?', "."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_hold_what_no_name_can() {
        assert!(is_name("lsst.sal.Test_scalars-2"));
        for expression in ["lsst.sal.Test.*", "^lsst", "a|b", "Test_[ab]"] {
            assert!(!is_name(expression), "{expression}");
        }
        assert_eq!(
            as_regex("lsst.sal.Test_*").as_deref(),
            Some("lsst\\.sal\\.Test_.*")
        );
        assert_eq!(as_regex("^lsst"), None);
    }
}
