//! The faults: what each kind is called, and where it is done.

mod answers;
mod kill;
mod messages;
mod network;
mod pause;
mod replicas;
mod schemas;
mod topics;
mod victim;

use std::time::{Duration, Instant};

use clap::ValueEnum;
use rand::RngExt as _;

use crate::failure::Outcome;
use crate::ledger::Stage;
use crate::world::World;
use pipeline::lock;

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
#[allow(missing_docs, reason = "name() says it")]
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
}

/// What a fault leaves to be measured.
#[derive(Debug)]
pub(crate) struct Injected {
    /// When it ended.
    pub(crate) ended: Instant,
    /// The messages that had been sent until then.
    pub(crate) upto: usize,
    /// Whom it hit.
    pub(crate) victim: String,
}

impl Kind {
    /// As the table has it.
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
        }
    }

    /// Whether it takes a few seconds at most: no session has to time out, no broker has to start.
    pub(crate) fn is_quick(self) -> bool {
        !matches!(
            self,
            Self::KillTransform
                | Self::KillSink
                | Self::KillController
                | Self::StopTransform
                | Self::StopLeader
                | Self::StopController
                | Self::StopRegistry
                | Self::StopDatabase
                | Self::SilentKafka
                | Self::SilentRegistry
                | Self::SlowRegistry
                | Self::TornRegistry
                | Self::SlowKafka
                | Self::ServerError
                | Self::RefusedPoints
                | Self::DoubleOutput
                | Self::SchemaRefused
                | Self::SchemaConflict
                | Self::Empty
                | Self::Unframed
                | Self::SinkJoins
                | Self::TransformLeaves
        )
    }

    /// How often it can be done in one run; partitions cannot be doubled for ever.
    pub(crate) fn most(self) -> usize {
        match self {
            Self::DoubleInput | Self::DoubleOutput => 8,
            _ => usize::MAX,
        }
    }
}

/// Does a fault, from its beginning to its end.
pub(crate) async fn inject(kind: Kind, world: &mut World) -> Outcome<Injected> {
    match kind {
        Kind::KillTransform => kill::replica(world, Stage::Transform).await,
        Kind::KillSink => kill::replica(world, Stage::Sink).await,
        Kind::KillLeader => {
            let victim = victim::leader(world)?;
            kill::service(world, victim).await
        }
        Kind::KillController => kill::service(world, victim::controller(world)?).await,
        Kind::KillRegistry => kill::registry(world).await,
        Kind::KillDatabase => kill::service(world, victim::DATABASE.to_owned()).await,
        Kind::StopTransform => pause::replica(world, Stage::Transform).await,
        Kind::StopSink => pause::replica(world, Stage::Sink).await,
        Kind::StopLeader => {
            let victim = victim::leader(world)?;
            pause::service(world, victim).await
        }
        Kind::StopController => pause::service(world, victim::controller(world)?).await,
        Kind::StopRegistry => pause::registry(world).await,
        Kind::StopDatabase => pause::service(world, victim::DATABASE.to_owned()).await,
        Kind::SlowKafka | Kind::SilentKafka | Kind::TornKafka => network::kafka(world, kind).await,
        Kind::SlowRegistry | Kind::SilentRegistry | Kind::TornRegistry => {
            network::registry(world, kind).await
        }
        Kind::SlowDatabase | Kind::SilentDatabase | Kind::TornDatabase => {
            network::database(world, kind).await
        }
        Kind::DiskFull | Kind::ServerError | Kind::TooManyRequests | Kind::TooLarge | Kind::LostAnswer => {
            answers::mood(world, kind).await
        }
        Kind::RefusedPoints | Kind::PartialWrite => answers::bad_points(world, kind).await,
        Kind::DoubleInput => topics::double_input(world).await,
        Kind::DoubleOutput => topics::double_output(world).await,
        Kind::SchemaGrows => schemas::grows(world).await,
        Kind::SchemaRefused => schemas::refused(world).await,
        Kind::SchemaConflict => schemas::conflict(world).await,
        Kind::Tombstone => messages::tombstones(world),
        Kind::Empty => messages::empty(world),
        Kind::Short => messages::short(world),
        Kind::Unframed => messages::unframed(world),
        Kind::UnknownSchema => messages::unknown_schema(world),
        Kind::Huge => messages::huge(world),
        Kind::WrongUtf8 => messages::wrong_utf8(world),
        Kind::ClockOff => messages::clock_off(world),
        Kind::TransformJoins => replicas::joins(world, Stage::Transform).await,
        Kind::SinkJoins => replicas::joins(world, Stage::Sink).await,
        Kind::TransformLeaves => replicas::leaves(world, Stage::Transform).await,
        Kind::SinkLeaves => replicas::leaves(world, Stage::Sink).await,
    }
}

impl Injected {
    /// The fault is over now.
    fn now(world: &World, victim: impl Into<String>) -> Self {
        Self {
            ended: Instant::now(),
            upto: lock(&world.ledger).len(),
            victim: victim.into(),
        }
    }
}

impl World {
    /// Waits a random time of this range of milliseconds.
    pub(crate) async fn wait(&mut self, milliseconds: std::ops::Range<u64>) {
        let time = self.random.random_range(milliseconds);
        tokio::time::sleep(Duration::from_millis(time)).await;
    }

    /// One of several.
    fn pick(&mut self, several: usize) -> usize {
        self.random.random_range(0..several.max(1))
    }

    /// A random replica of a stage, by its place.
    fn pick_replica(&mut self, stage: Stage) -> usize {
        let places = self.replicas_of(stage);
        let at = self.pick(places.len());
        places.get(at).copied().unwrap_or_default()
    }

    /// Ends a random replica in order and starts it again: one that needs every schema anew.
    async fn renew_a_replica(&mut self) -> Outcome<String> {
        let stage = if self.pick(2) == 0 {
            Stage::Transform
        } else {
            Stage::Sink
        };
        let place = self.pick_replica(stage);
        let replica = &mut self.replicas[place];
        replica.terminate().await?;
        replica.restart()?;
        Ok(replica.name.clone())
    }
}
