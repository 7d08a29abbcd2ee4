//! What became of each of several things that a command was asked to make or to delete.

use std::fmt::{self, Display};

use rdkafka::error::RDKafkaErrorCode;
use serde::ser::{Serialize, SerializeMap, Serializer};
use stage::stdout::StdoutError;

use super::{AnswerArgs, Cell, Table, bad, faint, good};
use operator::failure::words;

use crate::exit::Done;

/// One thing and what became of it.
pub struct Outcome {
    /// What it is: `topic`, `group`. Its key in JSON, and the heading of its column.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// `created`, `exists`, `deleted`; or why not, in the words of who refused it.
    pub result: Result<&'static str, String>,
}

impl Outcome {
    /// What the brokers answer to the deletion of several things of a kind.
    pub fn of_deletion(
        kind: &'static str,
        answers: Vec<Result<String, (String, RDKafkaErrorCode)>>,
    ) -> Vec<Self> {
        let named = answers.into_iter().map(|answer| match answer {
            Ok(name) => (name, Ok("deleted")),
            Err((name, code)) => (name, Err(words(code))),
        });
        named.map(|(name, result)| Self { kind, name, result }).collect()
    }

    /// Prints all of them, and says whether any was refused.
    pub fn print(outcomes: &[Self], answer: AnswerArgs) -> Result<Done, StdoutError> {
        answer.print(&outcomes, || Outcomes(outcomes))?;
        Ok(if outcomes.iter().all(|outcome| outcome.result.is_ok()) {
            Done::All
        } else {
            Done::Partly
        })
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

struct Outcomes<'o>(&'o [Outcome]);

impl Display for Outcomes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.0.first().map_or("NAME", |outcome| outcome.kind);
        let mut table = Table::new([kind.to_uppercase().as_str(), "RESULT"]);
        for outcome in self.0 {
            let result = match &outcome.result {
                Ok(result @ ("created" | "deleted")) => good(result),
                Ok(other) => faint(other),
                Err(reason) => bad(format!("refused: {reason}")),
            };
            table.row([Cell::text(&outcome.name), Cell::styled(result)]);
        }
        table.fmt(f)
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
        let shown = anstream::adapter::strip_str(&Outcomes(&outcomes).to_string()).to_string();
        assert_eq!(shown, "GROUP  RESULT\ng      deleted\ng      refused: not empty");
    }
}
