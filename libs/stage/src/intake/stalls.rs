//! Notices assigned partitions in which messages wait and that are not fetched. librdkafka (2.12.1) may never begin to
//! fetch a partition, or stop, while the group and the other partitions go on; its statistics then repeat what was so
//! before. The ends are therefore asked for, of the partitions that have not moved since the last look.
//!
//! ```text
//!  arrived (poll thread), fetched (statistics) ─┐
//!  ends (brokers) ──────────────────────────────┴▶ look ─ for too long ─▶ /ready names the partition
//!                                                           │
//!                         kafka/watch: no progress ◀────────┘  recreated if the cluster is well
//! ```
//!
//! Not counted is the time in which the intake never waits for the brokers, as downstream then sets the pace. While
//! there is a backlog, it counts for less the more partitions have one: each waits for its turn.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::statistics::Partition as Statistics;

use super::blocked::Key;
use super::context::IntakeContext;
use super::options::IntakeOptions;
use super::{ends, lag};

/// Looks within the stuck timeout.
const LOOKS: u32 = 3;
/// Limits of the time between two looks.
const MIN_LOOK_INTERVAL: Duration = Duration::from_millis(50);
const MAX_LOOK_INTERVAL: Duration = Duration::from_secs(30);
/// If this many partitions have a backlog, time counts half.
const BACKLOG: u32 = 50;

/// How long messages have been waiting in a partition that does not move.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Standstill {
    /// What the statistics have told since the last look.
    told: Option<Told>,
    /// Where it was at the last look.
    place: Option<Place>,
    /// Its end, as the broker told after that look.
    end: Option<i64>,
    waited: Duration,
}

/// What the statistics tell of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    fetched: Option<i64>,
    /// As of the last fetch.
    end: Option<i64>,
}

/// How far a partition has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// The offset after the last message that arrived; before the first one, where reading starts.
    arrived: Option<i64>,
    /// The offset after the last message that librdkafka has fetched.
    fetched: Option<i64>,
}

/// What a look at one partition shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// It has moved, or has a reason not to; and whether there is more to fetch.
    Moving { is_behind: bool },
    /// It has not moved, or this is the first look, and its end is not known.
    Unknown,
    /// It has not moved, and is read to its end.
    Quiet,
    /// It has not moved, and messages wait.
    Waiting,
}

impl Place {
    fn reached(self) -> i64 {
        self.arrived.max(self.fetched).unwrap_or(0)
    }
}

impl Standstill {
    /// Notes the statistics; without `state`, librdkafka does not know the partition.
    pub(super) fn learn(&mut self, state: Option<&Statistics>) {
        let offset = |offset: i64| (offset >= 0).then_some(offset);
        self.told = Some(Told {
            fetched: state.and_then(|state| offset(state.next_offset)),
            end: state.and_then(lag::end),
        });
    }

    /// Compares with the last look. `is_held` if there is a reason not to move.
    fn look(&mut self, arrived: Option<i64>, is_held: bool) -> Seen {
        let Some(told) = self.told.take() else {
            return Seen::Unknown;
        };
        let fetched = told.fetched;
        let place = Place { arrived, fetched };
        let end = self.end.take();
        let before = self.place.replace(place);
        if is_held || before.is_some_and(|before| before != place) {
            self.waited = Duration::ZERO;
            return Seen::Moving {
                is_behind: !is_held && told.end.is_some_and(|end| end > place.reached()),
            };
        }
        match end {
            None => Seen::Unknown,
            Some(end) if end > place.reached() => Seen::Waiting,
            Some(_) => {
                self.waited = Duration::ZERO;
                Seen::Quiet
            }
        }
    }

    /// The end, as the broker tells it.
    fn ends_at(&mut self, end: i64) {
        self.end = Some(end);
    }

    /// Messages have been waiting for another while. Returns the offset at which they wait, if that is too long.
    fn wait(&mut self, time: Duration, too_long: Duration) -> Option<i64> {
        self.waited += time;
        let place = self.place.filter(|_| self.waited >= too_long)?;
        Some(place.reached())
    }
}

/// How much of the time between two looks counts for a partition in which messages wait.
fn counted(interval: Duration, seen: impl Iterator<Item = Seen>) -> Duration {
    let (mut moving, mut waiting) = (0_u32, 0_u32);
    for seen in seen {
        match seen {
            Seen::Moving { is_behind: true } => moving += 1,
            Seen::Waiting => waiting += 1,
            _ => {}
        }
    }
    // If none with a backlog moves, none waits for its turn.
    let backlog = if moving == 0 { 0 } else { moving + waiting };
    interval * BACKLOG / (BACKLOG + backlog)
}

/// Looks at intervals until `over` is closed.
pub(super) fn watch(consumer: &BaseConsumer<IntakeContext>, options: &IntakeOptions, over: &Receiver<()>) {
    let context = consumer.context();
    let too_long = options.stuck_timeout;
    let interval = (too_long / LOOKS).clamp(MIN_LOOK_INTERVAL, MAX_LOOK_INTERVAL);
    while over.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
        let still = look(context, interval, too_long);
        if still.count() > 0 {
            // For the next look.
            ends::ask(consumer, &still, |key, known, end| {
                let last = context.range.as_ref().and_then(|range| range.end(key));
                known.standstill.ends_at(last.map_or(end, |last| last.min(end)));
            });
        }
    }
}

/// Whatever has lasted until now has a reason: partitions are assigned, released, paused or resumed.
pub(super) fn forget(context: &IntakeContext) {
    context
        .assigned
        .each(|_, _, known| known.standstill = Standstill::default());
    show(context, Vec::new());
}

/// Notes what has not moved since the last look, which was `interval` ago, if there was one. Returns the partitions whose ends are to be
/// asked for.
fn look(context: &IntakeContext, interval: Duration, too_long: Duration) -> TopicPartitionList {
    let mut still = TopicPartitionList::new();
    let has_waited = context.vitals.has_waited.swap(false, Ordering::Relaxed);
    if context.blocked.is_all_paused() {
        return still;
    }
    let held: HashSet<Key> = context
        .blocked
        .all_held()
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    let mut looked = Vec::new();
    context.assigned.each(|topic, number, known| {
        let partition = context.assignments.find(topic, number);
        let partition = partition.as_ref();
        let arrived = partition
            .and_then(|partition| partition.next().or_else(|| partition.position()))
            .or(known.start);
        let key = (topic.to_owned(), number);
        let is_held = held.contains(&key)
            || partition.is_some_and(|partition| !partition.is_idle() || partition.has_arrived())
            || context.range.as_ref().is_some_and(|range| range.is_read(&key));
        let seen = known.standstill.look(arrived, is_held);
        if !matches!(seen, Seen::Moving { .. }) {
            still.add_partition(topic, number);
        }
        looked.push((key, seen));
    });
    let time = if has_waited {
        counted(interval, looked.iter().map(|(_, seen)| *seen))
    } else {
        Duration::ZERO
    };
    let mut stalled = Vec::new();
    for (key, _) in looked.into_iter().filter(|(_, seen)| *seen == Seen::Waiting) {
        context.assigned.update(&key.0, key.1, |known| {
            if let Some(at) = known.standstill.wait(time, too_long) {
                stalled.push((key.clone(), at));
            }
        });
    }
    stalled.sort();
    show(context, stalled);
    still
}

/// Shows the partitions that are not fetched, each with the offset at which messages wait.
fn show(context: &IntakeContext, stalled: Vec<(Key, i64)>) {
    let is_stalled = !stalled.is_empty();
    if context.vitals.is_stalled.swap(is_stalled, Ordering::Relaxed) || is_stalled {
        context.blocked.stall(stalled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(20);
    const TOO_LONG: Duration = Duration::from_secs(60);
    const BEHIND: Seen = Seen::Moving { is_behind: true };

    fn told(next_offset: i64, end: i64) -> Statistics {
        Statistics {
            next_offset,
            ls_offset: end,
            hi_offset: end,
            ..Statistics::default()
        }
    }

    /// A partition that has been looked at once, and whose broker says then that it ends at `end`.
    fn looked_at(arrived: Option<i64>, state: &Statistics, end: Option<i64>) -> Standstill {
        let mut standstill = Standstill::default();
        standstill.learn(Some(state));
        assert_eq!(
            standstill.look(arrived, false),
            Seen::Unknown,
            "its end is to be asked for"
        );
        standstill.end = end;
        standstill
    }

    #[test]
    fn messages_wait_behind_both_what_has_arrived_and_what_is_fetched() {
        for (arrived, fetched, end, expected) in [
            (Some(5), 5, 6, Seen::Waiting),
            (Some(5), -1_001, 6, Seen::Waiting),
            (None, 5, 6, Seen::Waiting),
            (None, -1_001, 6, Seen::Waiting),
            (None, -1_001, 0, Seen::Quiet),
            (Some(5), 5, 5, Seen::Quiet),
            // A transaction's marker, or what compaction has removed: nothing that can be read.
            (Some(5), 6, 6, Seen::Quiet),
            // The log starts again.
            (Some(5), 5, 2, Seen::Quiet),
        ] {
            let state = told(fetched, 5);
            let mut standstill = looked_at(arrived, &state, Some(end));
            standstill.learn(Some(&state));
            let seen = standstill.look(arrived, false);
            assert_eq!(seen, expected, "{arrived:?} {fetched} {end}");
        }
    }

    #[test]
    fn what_moves_or_has_a_reason_not_to_does_not_wait() {
        let moved = (Some(6), told(6, 9), false, BEHIND);
        let fetched = (Some(5), told(7, 9), false, BEHIND);
        let caught_up = (Some(9), told(9, 9), false, Seen::Moving { is_behind: false });
        let held = (Some(5), told(5, 9), true, Seen::Moving { is_behind: false });
        for (arrived, state, is_held, expected) in [moved, fetched, caught_up, held] {
            let mut standstill = looked_at(Some(5), &told(5, 9), Some(9));
            standstill.waited = TOO_LONG;
            standstill.learn(Some(&state));
            assert_eq!(standstill.look(arrived, is_held), expected);
            assert_eq!(standstill.waited, Duration::ZERO);
        }
    }

    #[test]
    fn without_new_statistics_or_a_known_end_nothing_is_concluded() {
        let state = told(5, 5);
        let mut standstill = looked_at(Some(5), &state, None);
        standstill.waited = INTERVAL;
        standstill.learn(Some(&state));
        assert_eq!(standstill.look(Some(5), false), Seen::Unknown);
        standstill.ends_at(9);
        assert_eq!(standstill.look(Some(5), false), Seen::Unknown);
        assert_eq!(standstill.waited, INTERVAL, "neither more nor less");
        standstill.learn(None);
        let unknown_to_librdkafka = standstill.look(Some(5), false);
        assert!(matches!(unknown_to_librdkafka, Seen::Moving { .. }), "once");
        standstill.learn(None);
        standstill.ends_at(9);
        assert_eq!(standstill.look(Some(5), false), Seen::Waiting);
    }

    #[test]
    fn it_is_too_long_when_the_time_has_passed() {
        let mut standstill = looked_at(Some(5), &told(7, 7), Some(9));
        assert_eq!(standstill.wait(INTERVAL, TOO_LONG), None);
        assert_eq!(standstill.wait(INTERVAL, TOO_LONG), None);
        assert_eq!(standstill.wait(Duration::ZERO, TOO_LONG), None);
        assert_eq!(standstill.wait(INTERVAL, TOO_LONG), Some(7));
    }

    #[test]
    fn time_counts_for_less_while_many_partitions_have_a_backlog() {
        let of = |behind: usize, waiting: usize| {
            let behind = std::iter::repeat_n(BEHIND, behind);
            let others = [Seen::Quiet, Seen::Unknown, Seen::Moving { is_behind: false }];
            counted(
                INTERVAL,
                behind
                    .chain(std::iter::repeat_n(Seen::Waiting, waiting))
                    .chain(others),
            )
        };
        assert_eq!(of(0, 1), INTERVAL);
        assert_eq!(of(0, 3_000), INTERVAL, "none of them waits for its turn");
        assert_eq!(of(49, 1), INTERVAL / 2);
        // A round of a thousand partitions takes about as many fetches of a megabyte each.
        assert_eq!(of(1, 949), INTERVAL / 20);
    }
}
