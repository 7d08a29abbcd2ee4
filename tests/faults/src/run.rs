//! A run: one fault after the other, each followed by the recovery and a check at rest; at the end, the whole
//! database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

use stage::lock;

use crate::check::Remembered;
use crate::config::Args;
use crate::evidence;
use crate::failure::Outcome;
use crate::faults::{Injection, inject};
use crate::kind::Kind;
use crate::report::{Measured, Report};
use crate::report_files::check_files;
use crate::schedule::schedule;
use crate::world::World;

/// How long a recovery may take before it counts as a stall and the run continues.
const RECOVERY: Duration = Duration::from_secs(90);
/// The number of missing messages in a complaint; all of them are in the evidence.
const EXAMPLES: usize = 5;
/// The number of complaints about one fault that are shown during the run.
const SHOWN: usize = 6;
/// How long the last messages may take.
const LAST: Duration = Duration::from_secs(180);
/// The range of a clock that is off by an hour, with a margin, in milliseconds.
const HOUR_MS: i64 = 3_700_000;

/// Runs all faults; an error is the harness's own.
pub(crate) async fn run(args: &Args) -> Outcome<Report> {
    check_files(args)?;
    let start = Instant::now();
    let start_ms = stage::unix_micros() / 1_000;
    let world = Arc::new(World::start(args).await?);
    println!(
        "everything is running after {:.0} s",
        start.elapsed().as_secs_f64()
    );
    let mut remembered = Remembered::default();
    tokio::time::sleep(Duration::from_secs(3)).await;
    world.check_at_rest(start_ms, &mut remembered).await?;

    let mut measured = Vec::new();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(args.seed);
    let schedule = schedule(args, &mut random);
    for (number, kind) in schedule.iter().copied().enumerate() {
        if start.elapsed() > Duration::from_secs(60 * args.minutes) {
            break;
        }
        let pause = random.random_range(200..1_200);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let injection = Injection::new(&world, random.random());
        let one = one(&world, kind, injection, number + 1, &mut remembered).await?;
        println!(
            "{:>3}/{} {:6.0} s  {:<46} {}",
            number + 1,
            schedule.len(),
            start.elapsed().as_secs_f64(),
            kind.name(),
            one.line()
        );
        let complaints: Vec<&String> = one.complaints.iter().chain(&one.stuck).collect();
        for complaint in complaints.iter().take(SHOWN) {
            println!("             ! {complaint}");
        }
        if complaints.len() > SHOWN {
            println!("             ! and {} more", complaints.len() - SHOWN);
        }
        measured.push(one);
    }
    account(&world, start_ms).await?;
    Ok(Report::new(&world, measured, start.elapsed(), args))
}

/// One fault and its recovery. Its window is open from its beginning until everything is at rest.
async fn one(
    world: &World,
    kind: Kind,
    injection: Injection,
    window: usize,
    remembered: &mut Remembered,
) -> Outcome<Measured> {
    let began = Instant::now();
    let began_ms = stage::unix_micros() / 1_000;
    let (complaints_before, stuck_before) = {
        let mut ledger = lock(&world.ledger);
        ledger.open_window(window);
        ledger.clock.stop();
        (ledger.complaints().0.len(), ledger.stuck().len())
    };
    let injected = inject(kind, injection).await?;
    lock(&world.ledger).clock.start();
    let recovered = world
        .settle(injected.upto, RECOVERY)
        .await
        .then(|| injected.ended.elapsed());
    if recovered.is_none() {
        let mut examples = lock(&world.ledger).missing(injected.upto);
        examples.truncate(EXAMPLES);
        lock(&world.ledger).complain(format!(
            "not recovered within {} s: {examples:?}",
            RECOVERY.as_secs()
        ));
        evidence::keep(world, window, injected.upto).await;
    }
    // A broker may still be starting; the next fault must find all three.
    world.cluster.wait_in_step(&world.instance, 120).await?;
    let healed = injected.ended.elapsed();
    world.check_at_rest(began_ms, remembered).await?;
    let mut ledger = lock(&world.ledger);
    ledger.open_window(0);
    Ok(Measured {
        kind,
        window,
        victim: injected.victim,
        parts: injected.parts,
        lasted: injected.ended.duration_since(began),
        recovered,
        healed,
        took: began.elapsed(),
        complaints: ledger
            .complaints()
            .0
            .get(complaints_before..)
            .unwrap_or_default()
            .to_vec(),
        stuck: ledger.stuck().get(stuck_before..).unwrap_or_default().to_vec(),
    })
}

/// The end: no more traffic, every outcome, and every point of every measurement once more.
async fn account(world: &World, start_ms: i64) -> Outcome<()> {
    world.traffic.set_paused(true);
    let all = lock(&world.ledger).len();
    world.settle(all, LAST).await;
    // The reader of the output topics reaches their end.
    let mut read = world.audit.read();
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        match world.audit.read() {
            now if now == read => break,
            now => read = now,
        }
    }
    let span = (start_ms - HOUR_MS, stage::unix_micros() / 1_000 + HOUR_MS);
    let mut points = 0;
    for line in world.lines.clone() {
        points += world
            .read_points(span, Some(&line.measurement), Duration::from_secs(120))
            .await?;
    }
    let mut ledger = lock(&world.ledger);
    let stored = ledger.entries.iter().filter(|entry| entry.stored).count();
    if points != stored {
        ledger.complain(format!(
            "the database has {points} points, but {stored} messages have their own"
        ));
    }
    ledger.complain_of_strangers();
    Ok(())
}
