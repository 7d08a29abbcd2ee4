//! The faults: dispatches each kind to its implementation.

mod answers;
mod expression;
mod freeze;
mod injection;
mod kill;
mod messages;
mod network;
mod packed;
mod pause;
mod recreated;
mod registry;
mod replicas;
mod retention;
mod schemas;
mod several;
mod shared;
mod topics;
mod victim;

use std::time::Instant;

use stage::lock;

pub(crate) use self::injection::Injection;
use crate::failure::Outcome;
use crate::kind::Kind;
use crate::ledger::Stage;

/// The result of a fault, to be measured.
#[derive(Debug)]
pub(crate) struct Injected {
    /// When it ended.
    pub(crate) ended: Instant,
    /// The number of messages sent until then.
    pub(crate) upto: usize,
    /// The target.
    pub(crate) victim: String,
    /// The faults that it consisted of, if there were several.
    pub(crate) parts: Vec<Kind>,
}

/// Carries out a fault from beginning to end, or several at once.
pub(crate) async fn inject(kind: Kind, mut world: Injection) -> Outcome<Injected> {
    match kind {
        Kind::TwoAtOnce => several::at_once(&mut world, 2).await,
        Kind::ThreeAtOnce => several::at_once(&mut world, 3).await,
        Kind::FourAtOnce => several::at_once(&mut world, 4).await,
        Kind::StopWithin => several::stop_within(&mut world).await,
        one => inject_one(one, &mut world).await,
    }
}

async fn inject_one(kind: Kind, world: &mut Injection) -> Outcome<Injected> {
    match kind {
        Kind::KillTransform => kill::replica(world, Stage::Transform).await,
        Kind::KillSink => kill::replica(world, Stage::Sink).await,
        Kind::KillLeader => {
            let victim = world.claim_leader().await?;
            kill::broker_or_database(world, victim).await
        }
        Kind::KillController => {
            let victim = world.claim_controller().await?;
            kill::broker_or_database(world, victim).await
        }
        Kind::KillRegistry => kill::registry(world).await,
        Kind::KillDatabase => {
            let victim = world.claims.take_one_of(&[victim::DATABASE.to_owned()]).await;
            kill::broker_or_database(world, victim).await
        }
        Kind::StopTransform => pause::replica(world, Stage::Transform).await,
        Kind::StopSink => pause::replica(world, Stage::Sink).await,
        Kind::StopLeader => {
            let victim = world.claim_leader().await?;
            pause::broker_or_database(world, victim).await
        }
        Kind::StopController => {
            let victim = world.claim_controller().await?;
            pause::broker_or_database(world, victim).await
        }
        Kind::StopRegistry => pause::registry(world).await,
        Kind::StopDatabase => {
            let victim = world.claims.take_one_of(&[victim::DATABASE.to_owned()]).await;
            pause::broker_or_database(world, victim).await
        }
        Kind::SlowKafka | Kind::SilentKafka | Kind::TornKafka => network::kafka(world, kind).await,
        Kind::SlowRegistry | Kind::SilentRegistry | Kind::TornRegistry => {
            network::registry(world, kind).await
        }
        Kind::SlowDatabase | Kind::SilentDatabase | Kind::TornDatabase => {
            network::database(world, kind).await
        }
        Kind::Page
        | Kind::DiskFull
        | Kind::ServerError
        | Kind::TooManyRequests
        | Kind::TooLarge
        | Kind::LostAnswer => answers::mood(world, kind).await,
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
        Kind::FreezeBroker => freeze::one(world).await,
        Kind::FreezeAll => freeze::all(world).await,
        Kind::FreezeRepeated => freeze::repeated(world).await,
        Kind::FreezeLong => freeze::long(world).await,
        Kind::RetentionInput => retention::overtakes(world, Stage::Transform).await,
        Kind::RetentionOutput => retention::overtakes(world, Stage::Sink).await,
        Kind::InputAnew => recreated::while_running(world, Stage::Transform).await,
        Kind::OutputAnew => recreated::while_running(world, Stage::Sink).await,
        Kind::InputAnewDown => recreated::while_down(world, Stage::Transform).await,
        Kind::OutputAnewDown => recreated::while_down(world, Stage::Sink).await,
        Kind::SchemaLate => schemas::late(world).await,
        Kind::SchemaUnusable => schemas::unusable(world).await,
        Kind::RegistryLags | Kind::RegistryForgets => registry::mood(world, kind).await,
        Kind::LettersMatched => expression::too_wide(world).await,
        Kind::SharedTimes => shared::times(world).await,
        Kind::NoBrokers => network::metadata(world).await,
        Kind::PackedTiny => Ok(packed::tiny(world)),
        Kind::PackedLarge => Ok(packed::large(world)),
        Kind::Poison => messages::poison(world),
        // These consist of several.
        Kind::TwoAtOnce | Kind::ThreeAtOnce | Kind::FourAtOnce | Kind::StopWithin => {
            Ok(Injected::now(world, "nobody"))
        }
    }
}

impl Injected {
    /// The fault ends now.
    fn now(world: &Injection, victim: impl Into<String>) -> Self {
        Self {
            ended: Instant::now(),
            upto: lock(&world.ledger).len(),
            victim: victim.into(),
            parts: Vec::new(),
        }
    }
}
