//! Messages of one topic with the same time in the database: only one of them can be a point, and influxsink
//! has to report how many cannot.

use std::time::Duration;

use super::{Injected, Injection};
use crate::failure::{Outcome, until};
use crate::ledger::Stage;
use stage::lock;

/// influxsink's counter of overwritten points.
const OVERWRITTEN: &str = "influxsink_overwritten_total";

/// The number of messages, and the microseconds between them: dialect efd has milliseconds.
const GROUPS: [(usize, i64); 4] = [(2, 0), (6, 120), (2, 0), (6, 1)];

/// Only one replica reads meanwhile: if two read messages of the same millisecond, neither can notice.
pub(super) async fn times(world: &mut Injection) -> Outcome<Injected> {
    let mut victims = world.claim_stage(Stage::Sink).await;
    let Some(reader) = victims.pop() else {
        return Ok(Injected::now(world, "nobody"));
    };
    for victim in &victims {
        world.terminate(victim).await?;
    }
    let upto = lock(&world.ledger).len();
    world.settle(upto, Duration::from_secs(30)).await;
    let before = reader.counts(&world.http).await?.get(OVERWRITTEN);
    for (messages, micros_apart) in GROUPS {
        let line = world.pick(world.lines.len());
        world.traffic.send_sharing(line, messages, micros_apart);
    }
    let due: i64 = GROUPS.iter().map(|(messages, _)| *messages as i64 - 1).sum();
    let counted = until("influxsink counts what is overwritten", 30, || async {
        let counts = reader.counts(&world.http).await;
        match counts.map(|counts| counts.get(OVERWRITTEN) - before) {
            Ok(counted) if counted == due => Ok(()),
            Ok(counted) => Err(format!("{counted} of {due} are counted")),
            Err(error) => Err(stage::chain(&error)),
        }
    });
    if let Err(error) = counted.await {
        lock(&world.ledger).complain(stage::chain(&error));
    }
    for victim in &victims {
        victim.restart()?;
    }
    Ok(Injected::now(
        world,
        format!("{}, {due} overwritten", reader.name),
    ))
}
