//! Which faults a run has, and in which order.

use clap::ValueEnum;
use rand::RngExt as _;
use rand::rngs::Xoshiro256PlusPlus;

use crate::config::Args;
use crate::kind::Kind;

/// The kinds in random order, round after round, so that each occurs as often as its weight says.
pub(crate) fn schedule(args: &Args, random: &mut Xoshiro256PlusPlus) -> Vec<Kind> {
    let all: Vec<Kind> = match args.only.as_slice() {
        [] => {
            let kinds = Kind::value_variants().iter().copied();
            kinds.filter(|kind| kind.is_enabled(args.quick)).collect()
        }
        only => only.to_vec(),
    };
    // Kinds selected by name occur equally often.
    let is_even = args.quick || !args.only.is_empty();
    let max = if args.quick {
        args.faults.min(all.len())
    } else {
        args.faults
    };
    let mut schedule: Vec<Kind> = Vec::new();
    for number in 0.. {
        let mut round = Vec::new();
        for kind in all.iter().copied() {
            let (times, every) = if is_even { (1, 1) } else { kind.weight() };
            let scheduled = schedule.iter().filter(|scheduled| **scheduled == kind).count();
            if number % every == 0 {
                round.extend(std::iter::repeat_n(
                    kind,
                    times.min(kind.max_per_run() - scheduled),
                ));
            }
        }
        if round.is_empty() || schedule.len() >= max {
            break;
        }
        for at in (1..round.len()).rev() {
            round.swap(at, random.random_range(0..=at));
        }
        schedule.extend(round);
    }
    schedule.truncate(max);
    schedule
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use rand::SeedableRng as _;

    use super::*;

    fn args(arguments: &[&str]) -> Args {
        Args::parse_from(["faults", "--services", "env"].iter().chain(arguments))
    }

    fn scheduled(arguments: &[&str]) -> Vec<Kind> {
        schedule(&args(arguments), &mut Xoshiro256PlusPlus::seed_from_u64(1))
    }

    #[test]
    fn a_run_has_the_requested_faults() {
        let run = scheduled(&["--faults", "300"]);
        assert_eq!(run.len(), 300);
        let mut kinds: Vec<Kind> = run.clone();
        kinds.sort_by_key(|kind| kind.name());
        kinds.dedup();
        let enabled = Kind::value_variants()
            .iter()
            .filter(|kind| kind.is_enabled(args(&[]).quick));
        assert_eq!(kinds.len(), enabled.count());
        let times = |kind| run.iter().filter(|scheduled| **scheduled == kind).count();
        assert!(times(Kind::FreezeLong) < times(Kind::FreezeAll));
        assert!(times(Kind::TwoAtOnce) > times(Kind::KillSink));

        assert_eq!(scheduled(&["--only", "empty,huge", "--faults", "4"]).len(), 4);
        let doubled = scheduled(&["--only", "double-input", "--faults", "40"]);
        assert_eq!(doubled.len(), Kind::DoubleInput.max_per_run());
        let quick = scheduled(&["--quick"]);
        assert!(quick.iter().all(|kind| kind.is_quick()) && quick.len() < 60);
    }
}
