//! The values that each label of a Kafka counter can have: the series of each exists with 0 from the start.

/// What a rebalance does.
pub(crate) const REBALANCES: &[&[&str]] = &[&["assign"], &["revoke"], &["error"]];

/// How a commit or a transaction with offsets ended.
pub(crate) const COMMITS: &[&[&str]] = &[&["ok"], &["failed"]];

/// The errors that librdkafka reports by itself, by their names in rdkafka. A broker may answer with others; `other` has no
/// code.
pub(crate) const KAFKA_ERRORS: &[&[&str]] = &[
    &["AllBrokersDown"],
    &["Authentication"],
    &["AutoOffsetReset"],
    &["BrokerTransportFailure"],
    &["ClusterAuthorizationFailed"],
    &["CoordinatorNotAvailable"],
    &["Fatal"],
    &["GroupAuthorizationFailed"],
    &["InvalidGroupId"],
    &["MaxPollExceeded"],
    &["MessageSizeTooLarge"],
    &["NotCoordinator"],
    &["OffsetOutOfRange"],
    &["OperationTimedOut"],
    &["Resolve"],
    &["SaslAuthenticationFailed"],
    &["SSL"],
    &["TopicAuthorizationFailed"],
    &["TransactionalIdAuthorizationFailed"],
    &["UnknownMemberId"],
    &["UnknownTopic"],
    &["UnknownTopicOrPartition"],
    &["other"],
];

/// What is left out of a dead letter that does not fit into its topic.
pub(crate) const SHORTENED: &[&[&str]] = &[&["headers"], &["value"]];
