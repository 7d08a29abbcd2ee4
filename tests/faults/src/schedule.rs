//! Which faults a run has, and in which order.

use clap::ValueEnum;
use rand::RngExt as _;
use rand::rngs::Xoshiro256PlusPlus;

use crate::config::Args;
use crate::faults::Kind;

/// The kinds in random order, round after round, so that each comes as often as its weight says.
pub(crate) fn deck(args: &Args, random: &mut Xoshiro256PlusPlus) -> Vec<Kind> {
    let all: Vec<Kind> = match args.only.as_slice() {
        [] => {
            let kinds = Kind::value_variants().iter().copied();
            kinds.filter(|kind| kind.is_enabled(args)).collect()
        }
        only => only.to_vec(),
    };
    // Of what was asked for by name, each comes as often as the others.
    let is_even = args.quick || !args.only.is_empty();
    let most = if args.quick {
        args.faults.min(all.len())
    } else {
        args.faults
    };
    let mut deck: Vec<Kind> = Vec::new();
    for number in 0.. {
        let mut round = Vec::new();
        for kind in all.iter().copied() {
            let (times, every) = if is_even { (1, 1) } else { kind.weight() };
            let dealt = deck.iter().filter(|dealt| **dealt == kind).count();
            if number % every == 0 {
                round.extend(std::iter::repeat_n(kind, times.min(kind.most() - dealt)));
            }
        }
        if round.is_empty() || deck.len() >= most {
            break;
        }
        for at in (1..round.len()).rev() {
            round.swap(at, random.random_range(0..=at));
        }
        deck.extend(round);
    }
    deck.truncate(most);
    deck
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use rand::SeedableRng as _;

    use super::*;

    fn args(arguments: &[&str]) -> Args {
        Args::parse_from(["faults", "--services", "env"].iter().chain(arguments))
    }

    fn dealt(arguments: &[&str]) -> Vec<Kind> {
        deck(&args(arguments), &mut Xoshiro256PlusPlus::seed_from_u64(1))
    }

    #[test]
    fn a_run_has_what_was_asked_for() {
        let run = dealt(&["--faults", "300"]);
        assert_eq!(run.len(), 300);
        let mut kinds: Vec<Kind> = run.clone();
        kinds.sort_by_key(|kind| kind.name());
        kinds.dedup();
        let enabled = Kind::value_variants()
            .iter()
            .filter(|kind| kind.is_enabled(&args(&[])));
        assert_eq!(kinds.len(), enabled.count());
        let times = |kind| run.iter().filter(|dealt| **dealt == kind).count();
        assert!(times(Kind::FreezeLong) < times(Kind::FreezeAll));
        assert!(times(Kind::TwoAtOnce) > times(Kind::KillSink));

        assert_eq!(dealt(&["--only", "empty,huge", "--faults", "4"]).len(), 4);
        let doubled = dealt(&["--only", "double-input", "--faults", "40"]);
        assert_eq!(doubled.len(), Kind::DoubleInput.most());
        let quick = dealt(&["--quick"]);
        assert!(quick.iter().all(|kind| kind.is_quick()) && quick.len() < 60);
    }
}
