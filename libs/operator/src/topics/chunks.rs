//! Many topics in requests of limited size, for `create` and `delete`.

use rdkafka::error::KafkaResult;

use crate::failure::{Failure, words};
use crate::outcome::Outcome;
use crate::progress::{Counter, Progress};

/// Topics in one request. The controller carries each request out as a whole, and progress is known after each.
const MAX_TOPICS: usize = 250;

/// Sends a request for each chunk of `names`, and reports how many are done. The outcomes are in the order of `names`.
/// Fails as `action` if the first request does; after that, what was done before is reported, and the rest is refused.
pub(super) fn in_chunks(
    action: &'static str,
    unit: &'static str,
    names: &[String],
    report: &dyn Fn(Progress),
    mut request: impl FnMut(&[&str]) -> KafkaResult<Vec<Outcome>>,
) -> Result<Vec<Outcome>, Failure> {
    let mut counter = Counter::start(unit, names.len() as u64, report);
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(names.len());
    for chunk in names.chunks(MAX_TOPICS) {
        let chunk: Vec<&str> = chunk.iter().map(String::as_str).collect();
        match request(&chunk) {
            Ok(answers) => outcomes.extend(answers),
            Err(error) if outcomes.is_empty() => return Err(Failure::kafka(action)(error)),
            Err(error) => {
                let code = error.rdkafka_error_code();
                let why = code.map_or_else(|| error.to_string(), words);
                let refused = |name: &String| Outcome {
                    kind: "topic",
                    name: name.clone(),
                    result: Err(why.clone()),
                };
                outcomes.extend(names.iter().skip(outcomes.len()).map(refused));
                break;
            }
        }
        counter.add(chunk.len() as u64);
    }
    counter.finish();
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use rdkafka::error::{KafkaError, RDKafkaErrorCode};

    use super::*;

    const FAILURE: KafkaError = KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut);

    fn names() -> Vec<String> {
        (0..MAX_TOPICS + 2).map(|number| format!("t{number}")).collect()
    }

    fn done(chunk: &[&str]) -> Vec<Outcome> {
        let done = |name: &&str| Outcome {
            kind: "topic",
            name: (*name).to_owned(),
            result: Ok("deleted"),
        };
        chunk.iter().map(done).collect()
    }

    #[test]
    fn each_request_is_of_limited_size_and_is_reported() {
        let (sizes, reports) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let report = |progress: Progress| reports.borrow_mut().push(progress.done);
        let outcomes = in_chunks("deleting", "topics", &names(), &report, |chunk| {
            sizes.borrow_mut().push(chunk.len());
            Ok(done(chunk))
        });
        let all: Vec<String> = outcomes
            .unwrap()
            .into_iter()
            .map(|outcome| outcome.name)
            .collect();
        assert_eq!(all, names());
        assert_eq!(*sizes.borrow(), [MAX_TOPICS, 2]);
        assert_eq!(*reports.borrow(), [0, 250, 251, 252]);
    }

    #[test]
    fn what_was_done_before_a_failure_is_reported() {
        let answer = |chunk: &[&str]| match chunk.len() {
            MAX_TOPICS => Ok(done(chunk)),
            _ => Err(FAILURE),
        };
        let outcomes = in_chunks("deleting", "topics", &names(), &|_| {}, answer).unwrap();
        assert_eq!(outcomes.len(), names().len());
        let refused: Vec<_> = outcomes
            .iter()
            .filter(|outcome| outcome.result.is_err())
            .collect();
        assert_eq!(refused.len(), 2);
        assert_eq!(refused[0].name, format!("t{MAX_TOPICS}"));
    }

    #[test]
    fn nothing_is_reported_where_nothing_was_done() {
        let failed = in_chunks("deleting topics", "topics", &names(), &|_| {}, |_| Err(FAILURE));
        assert!(
            matches!(failed, Err(Failure::Kafka { .. } | Failure::Refused { .. })),
            "{failed:?}"
        );
    }
}
