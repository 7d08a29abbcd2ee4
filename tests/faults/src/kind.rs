//! The kinds of faults: their names, how often they are scheduled, and which can be combined.

use clap::ValueEnum;

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
#[allow(missing_docs, reason = "name() describes it")]
pub(crate) enum Kind {
    KillTransform,
    KillSink,
    KillLeader,
    KillController,
    KillRegistry,
    KillDatabase,
    StopTransform,
    StopSink,
    StopLeader,
    StopController,
    StopRegistry,
    StopDatabase,
    SlowKafka,
    SlowRegistry,
    SlowDatabase,
    SilentKafka,
    SilentRegistry,
    SilentDatabase,
    TornKafka,
    TornRegistry,
    TornDatabase,
    DiskFull,
    ServerError,
    TooManyRequests,
    TooLarge,
    RefusedPoints,
    PartialWrite,
    LostAnswer,
    DoubleInput,
    DoubleOutput,
    SchemaGrows,
    SchemaRefused,
    SchemaConflict,
    Tombstone,
    Empty,
    Short,
    Unframed,
    UnknownSchema,
    Huge,
    WrongUtf8,
    ClockOff,
    TransformJoins,
    SinkJoins,
    TransformLeaves,
    SinkLeaves,
    FreezeBroker,
    FreezeAll,
    FreezeRepeated,
    FreezeLong,
    TwoAtOnce,
    ThreeAtOnce,
    FourAtOnce,
    StopWithin,
    RetentionInput,
    RetentionOutput,
    InputAnew,
    OutputAnew,
    InputAnewDown,
    OutputAnewDown,
    SchemaLate,
    SchemaUnusable,
    PackedTiny,
    PackedLarge,
    Poison,
    Page,
    RegistryLags,
    RegistryForgets,
    LettersMatched,
    SharedTimes,
    NoBrokers,
}

impl Kind {
    /// The name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::KillTransform => "kill -9 of a saltransform",
            Self::KillSink => "kill -9 of an influxsink",
            Self::KillLeader => "kill -9 of a leader broker",
            Self::KillController => "kill -9 of the controller",
            Self::KillRegistry => "kill -9 of the registry",
            Self::KillDatabase => "kill -9 of InfluxDB",
            Self::StopTransform => "SIGSTOP of a saltransform",
            Self::StopSink => "SIGSTOP of an influxsink",
            Self::StopLeader => "SIGSTOP of a leader broker",
            Self::StopController => "SIGSTOP of the controller",
            Self::StopRegistry => "SIGSTOP of the registry",
            Self::StopDatabase => "SIGSTOP of InfluxDB",
            Self::SlowKafka => "slow network to Kafka",
            Self::SlowRegistry => "slow network to the registry",
            Self::SlowDatabase => "slow network to InfluxDB",
            Self::SilentKafka => "silent network to Kafka",
            Self::SilentRegistry => "silent network to the registry",
            Self::SilentDatabase => "silent network to InfluxDB",
            Self::TornKafka => "connections to Kafka cut",
            Self::TornRegistry => "connections to the registry cut",
            Self::TornDatabase => "connections to InfluxDB cut",
            Self::DiskFull => "InfluxDB answers 500, disk full",
            Self::ServerError => "InfluxDB answers 500",
            Self::TooManyRequests => "InfluxDB answers 429 with Retry-After",
            Self::TooLarge => "InfluxDB answers 413 to large batches",
            Self::RefusedPoints => "InfluxDB answers 422 to some points",
            Self::PartialWrite => "InfluxDB answers 400, partial write",
            Self::LostAnswer => "InfluxDB writes, its answer is lost",
            Self::DoubleInput => "partitions of an input topic doubled",
            Self::DoubleOutput => "partitions of a record topic doubled",
            Self::SchemaGrows => "schema evolved, compatible",
            Self::SchemaRefused => "schema evolved, refused by the registry",
            Self::SchemaConflict => "schema evolved, in conflict with the database",
            Self::Tombstone => "tombstones",
            Self::Empty => "empty values",
            Self::Short => "values of 1 to 5 bytes",
            Self::Unframed => "unframed values among the records",
            Self::UnknownSchema => "records of an unknown schema id",
            Self::Huge => "messages of 100,000 bytes",
            Self::WrongUtf8 => "wrong UTF-8",
            Self::ClockOff => "clocks an hour off",
            Self::TransformJoins => "a saltransform joins and leaves",
            Self::SinkJoins => "an influxsink joins and leaves",
            Self::TransformLeaves => "SIGTERM of a saltransform",
            Self::SinkLeaves => "SIGTERM of an influxsink",
            Self::FreezeBroker => "one broker frozen for 10 to 30 s",
            Self::FreezeAll => "all brokers frozen for 5 to 15 s",
            Self::FreezeRepeated => "all brokers frozen again and again",
            Self::FreezeLong => "all brokers frozen for 60 to 120 s",
            Self::TwoAtOnce => "two faults at once",
            Self::ThreeAtOnce => "three faults at once",
            Self::FourAtOnce => "four faults at once",
            Self::StopWithin => "SIGTERM while something else is broken",
            Self::RetentionInput => "retention overtakes saltransform",
            Self::RetentionOutput => "retention overtakes influxsink",
            Self::InputAnew => "input topic deleted and made anew",
            Self::OutputAnew => "record topic deleted and made anew",
            Self::InputAnewDown => "input topic made anew, saltransform down",
            Self::OutputAnewDown => "record topic made anew, influxsink down",
            Self::SchemaLate => "schema evolved, then replicas start",
            Self::SchemaUnusable => "schema evolved, unusable, replicas start",
            Self::PackedTiny => "600,000 tiny messages in a batch",
            Self::PackedLarge => "a batch that unpacks to 40 MB",
            Self::Poison => "junk of all sizes up to the broker's limit",
            Self::RegistryLags => "the registry lags, 40403 for seconds",
            Self::RegistryForgets => "the registry's ids are other schemas",
            Self::LettersMatched => "dead-letter topics within the expression",
            Self::SharedTimes => "messages share a millisecond",
            Self::NoBrokers => "metadata answers without brokers",
            Self::Page => "a proxy answers 200 in InfluxDB's place",
        }
    }

    /// Whether it takes a few seconds at most, that is, needs no session timeout and no start of a broker.
    pub(crate) fn is_quick(self) -> bool {
        matches!(
            self,
            Self::KillLeader
                | Self::KillRegistry
                | Self::KillDatabase
                | Self::SlowDatabase
                | Self::SilentDatabase
                | Self::TornKafka
                | Self::TornDatabase
                | Self::DiskFull
                | Self::TooManyRequests
                | Self::TooLarge
                | Self::PartialWrite
                | Self::LostAnswer
                | Self::Page
                | Self::DoubleInput
                | Self::SchemaGrows
                | Self::RegistryLags
                | Self::RegistryForgets
                | Self::Tombstone
                | Self::Short
                | Self::UnknownSchema
                | Self::Huge
                | Self::Poison
                | Self::PackedLarge
                | Self::WrongUtf8
                | Self::ClockOff
                | Self::SharedTimes
                | Self::NoBrokers
                | Self::TransformJoins
                | Self::SinkLeaves
                | Self::FreezeAll
                | Self::TwoAtOnce
                | Self::StopWithin
                | Self::RetentionOutput
                | Self::OutputAnewDown
        )
    }

    /// How often it can occur in one run; partitions cannot be doubled indefinitely.
    pub(crate) fn max_per_run(self) -> usize {
        match self {
            Self::DoubleInput | Self::DoubleOutput => 8,
            _ => usize::MAX,
        }
    }

    /// Whether this run schedules it.
    pub(crate) fn is_enabled(self, quick: bool) -> bool {
        !quick || self.is_quick()
    }

    /// (times, every): every `every`-th round of the schedule has it `times` times.
    pub(crate) fn weight(self) -> (usize, usize) {
        match self {
            Self::TwoAtOnce => (3, 1),
            Self::ThreeAtOnce => (2, 1),
            // These take minutes.
            Self::FreezeRepeated | Self::FreezeLong => (1, 4),
            _ => (1, 1),
        }
    }

    /// What it affects, as far as two concurrent faults could contradict each other.
    fn area(self) -> Area {
        match self {
            Self::KillTransform
            | Self::StopTransform
            | Self::TransformJoins
            | Self::TransformLeaves
            | Self::KillSink
            | Self::StopSink
            | Self::SinkJoins
            | Self::SinkLeaves => Area::Replica,
            Self::KillLeader
            | Self::KillController
            | Self::StopLeader
            | Self::StopController
            | Self::FreezeBroker => Area::Broker,
            Self::FreezeAll => Area::AllBrokers,
            Self::SlowKafka | Self::SilentKafka | Self::TornKafka | Self::NoBrokers => Area::LinkToKafka,
            Self::KillRegistry
            | Self::StopRegistry
            | Self::SlowRegistry
            | Self::SilentRegistry
            | Self::TornRegistry
            | Self::RegistryLags
            | Self::RegistryForgets => Area::Registry,
            Self::KillDatabase | Self::StopDatabase => Area::Database,
            Self::SlowDatabase | Self::SilentDatabase | Self::TornDatabase => Area::LinkToDatabase,
            Self::Page
            | Self::DiskFull
            | Self::ServerError
            | Self::TooManyRequests
            | Self::TooLarge
            | Self::LostAnswer => Area::Answers,
            Self::DoubleInput | Self::DoubleOutput => Area::Topics,
            Self::RefusedPoints
            | Self::PartialWrite
            | Self::Tombstone
            | Self::Empty
            | Self::Short
            | Self::Unframed
            | Self::UnknownSchema
            | Self::Huge
            | Self::WrongUtf8
            | Self::PackedTiny
            | Self::PackedLarge
            | Self::Poison
            | Self::ClockOff => Area::Messages,
            Self::SchemaGrows
            | Self::SchemaRefused
            | Self::SchemaConflict
            | Self::SchemaLate
            | Self::SchemaUnusable
            | Self::LettersMatched
            | Self::SharedTimes
            | Self::RetentionInput
            | Self::RetentionOutput
            | Self::InputAnew
            | Self::OutputAnew
            | Self::InputAnewDown
            | Self::OutputAnewDown
            | Self::FreezeRepeated
            | Self::FreezeLong
            | Self::StopWithin
            | Self::TwoAtOnce
            | Self::ThreeAtOnce
            | Self::FourAtOnce => Area::Alone,
        }
    }

    /// Whether it can be one of several concurrent faults.
    pub(crate) fn goes_with_any(self) -> bool {
        self.area() != Area::Alone
    }

    /// Whether two faults can be in progress at the same time and each still do what its name says.
    pub(crate) fn goes_with(self, other: Self) -> bool {
        use Area::{AllBrokers, Alone, Broker, Messages, Replica, Topics};
        if self == other {
            return false;
        }
        match (self.area(), other.area()) {
            (Alone, _) | (_, Alone) => false,
            // The harness itself needs the brokers for it.
            (Topics, Broker | AllBrokers) | (Broker | AllBrokers, Topics) => false,
            (Broker, AllBrokers) | (AllBrokers, Broker) => false,
            // Each takes its own process, or none.
            (Replica, Replica) | (Broker, Broker) | (Messages, Messages) => true,
            (one, another) => one != another,
        }
    }
}

/// What a fault affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Area {
    Replica,
    Broker,
    AllBrokers,
    LinkToKafka,
    Registry,
    Database,
    LinkToDatabase,
    Answers,
    Topics,
    Messages,
    /// It pauses the traffic, takes minutes, or itself consists of several.
    Alone,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_kinds_combine_with_many_others_and_none_with_itself() {
        for kind in Kind::value_variants() {
            let others = Kind::value_variants()
                .iter()
                .filter(|other| kind.goes_with(**other));
            let many = others.count();
            assert!(many == 0 || many > 15, "{} combines with {many}", kind.name());
            assert!(!kind.goes_with(*kind), "{}", kind.name());
            for other in Kind::value_variants() {
                assert_eq!(kind.goes_with(*other), other.goes_with(*kind));
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::HashSet<_> =
            Kind::value_variants().iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::value_variants().len());
    }
}
