//! What a broker means by refusing one record, with what to do about it: the text of dead letters, log lines and the
//! command's reports. Nothing is decided by it.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The error and its sources on one line; of a record without a key that is refused as invalid, also that its topic is
/// compacted, which the broker does not say.
pub fn record_refusal(error: &KafkaError, topic: &str, has_key: bool) -> String {
    let text = crate::chain(error);
    if is_invalid(error) && !has_key {
        format!("{text}: {}", needs_a_key(topic))
    } else {
        text
    }
}

/// Whether the broker found the record invalid; for one without a key: because its topic is compacted.
pub(crate) fn is_invalid(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::InvalidRecord)
}

fn needs_a_key(topic: &str) -> String {
    format!(
        "the record has no key, and a compacted topic refuses such records: send a key, or end the compaction with \
         `kafkaefd admin topics config {topic} --set cleanup.policy delete`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_record_without_a_key_is_explained() {
        let refusal = |code, has_key| record_refusal(&KafkaError::MessageProduction(code), "lsst.x", has_key);
        let missing = refusal(RDKafkaErrorCode::InvalidRecord, false);
        assert!(
            missing.ends_with("`kafkaefd admin topics config lsst.x --set cleanup.policy delete`"),
            "{missing}"
        );
        assert!(
            missing.contains("has no key") && missing.contains("compacted"),
            "{missing}"
        );
        for (code, has_key) in [
            (RDKafkaErrorCode::InvalidRecord, true),
            (RDKafkaErrorCode::PolicyViolation, false),
        ] {
            assert!(!refusal(code, has_key).contains("compacted"));
        }
    }
}
