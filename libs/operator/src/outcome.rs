//! What became of each of several things that were to be made or deleted.

use std::collections::HashMap;

use rdkafka::error::RDKafkaErrorCode;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::failure::words;

/// The reason where an answer does not mention what was asked for.
const NO_ANSWER: &str = "the brokers gave no answer about it";

/// What the brokers answer about one thing, by its name.
pub(crate) type Answer = Result<String, (String, RDKafkaErrorCode)>;

/// One thing and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What it is: `topic`, `group`. Its key in JSON.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// `created`, `exists`, `deleted`; or why not, in the words of who refused it.
    pub result: Result<&'static str, String>,
}

impl Outcome {
    /// What the brokers answer to the deletion of several things of a kind, in the order of `names`.
    pub(crate) fn of_deletion(kind: &'static str, names: &[&str], answers: Vec<Answer>) -> Vec<Self> {
        let named = answers.into_iter().map(|answer| match answer {
            Ok(name) => (name, Ok("deleted")),
            Err((name, code)) => (name, Err(words(code))),
        });
        let mut named: HashMap<String, _> = named.collect();
        let outcome = |name: &&str| Self {
            kind,
            name: (*name).to_owned(),
            result: named.remove(*name).unwrap_or_else(|| Err(NO_ANSWER.to_owned())),
        };
        names.iter().map(outcome).collect()
    }
}

/// Why the one thing that the brokers were asked to do is not done; nothing if it is.
pub(crate) fn refusal(answers: Vec<Answer>) -> Option<String> {
    match answers.into_iter().next() {
        Some(Ok(_)) => None,
        Some(Err((_, code))) => Some(words(code)),
        None => Some(NO_ANSWER.to_owned()),
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry(self.kind, &self.name)?;
        map.serialize_entry("result", self.result.as_ref().map_or("refused", |result| result))?;
        map.serialize_entry("reason", &self.result.as_ref().err())?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_answer_mentions_is_not_done() {
        let refused = RDKafkaErrorCode::NonEmptyGroup;
        let answers = || vec![Err(("b".to_owned(), refused)), Ok("a".to_owned())];
        let outcomes = Outcome::of_deletion("group", &["a", "b", "c"], answers());
        let results: Vec<_> = outcomes.into_iter().map(|outcome| outcome.result).collect();
        let no_answer = Err(NO_ANSWER.to_owned());
        assert_eq!(results, [Ok("deleted"), Err(words(refused)), no_answer]);
        assert_eq!(refusal(answers()), Some(words(refused)));
        assert_eq!(refusal(vec![Ok("a".to_owned())]), None);
        assert_eq!(refusal(Vec::new()), Some(NO_ANSWER.to_owned()));
    }

    #[test]
    fn each_has_its_kind_as_key() {
        let outcomes = [Ok("deleted"), Err("not empty".to_owned())].map(|result| Outcome {
            kind: "group",
            name: "g".to_owned(),
            result,
        });
        assert_eq!(
            serde_json::to_string(&outcomes).unwrap(),
            r#"[{"group":"g","result":"deleted","reason":null},{"group":"g","result":"refused","reason":"not empty"}]"#
        );
    }
}
