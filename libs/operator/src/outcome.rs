//! What became of each of several things that were to be made or deleted.

use rdkafka::error::RDKafkaErrorCode;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::failure::words;

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
    /// What the brokers answer to the deletion of several things of a kind.
    pub(crate) fn of_deletion(
        kind: &'static str,
        answers: Vec<Result<String, (String, RDKafkaErrorCode)>>,
    ) -> Vec<Self> {
        let named = answers.into_iter().map(|answer| match answer {
            Ok(name) => (name, Ok("deleted")),
            Err((name, code)) => (name, Err(words(code))),
        });
        named.map(|(name, result)| Self { kind, name, result }).collect()
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
