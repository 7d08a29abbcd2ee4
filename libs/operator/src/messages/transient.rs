//! Which errors a consumer of messages only has to wait out.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Whether librdkafka goes on by itself.
pub(super) fn passes(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::AllBrokersDown
                | Code::BrokerTransportFailure
                | Code::Resolve
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
        )
    )
}
