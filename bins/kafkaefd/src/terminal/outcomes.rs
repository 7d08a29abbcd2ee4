//! The outcome for each of several topics or groups that a command creates or deletes.

use std::fmt::{self, Display};

use operator::outcome::Outcome;
use stage::stdout::StdoutError;

use super::{AnswerArgs, Cell, Table, bad, faint, good};
use crate::exit::Done;

/// Prints all outcomes; `Partly` if any was refused.
pub fn print_outcomes(outcomes: &[Outcome], answer: AnswerArgs) -> Result<Done, StdoutError> {
    answer.print(&outcomes, || Outcomes(outcomes))?;
    Ok(done(outcomes))
}

/// `Partly` if any was refused.
pub fn done(outcomes: &[Outcome]) -> Done {
    if outcomes.iter().all(|outcome| outcome.result.is_ok()) {
        Done::All
    } else {
        Done::Partly
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
    fn each_outcome_has_a_row_and_a_refusal_has_a_reason() {
        let outcomes = [Ok("deleted"), Err("not empty".to_owned())].map(|result| Outcome {
            kind: "group",
            name: "g".to_owned(),
            result,
        });
        let shown = anstream::adapter::strip_str(&Outcomes(&outcomes).to_string()).to_string();
        assert_eq!(shown, "GROUP  RESULT\ng      deleted\ng      refused: not empty");
    }
}
