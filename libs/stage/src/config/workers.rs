//! The number of worker threads: one flag for all stages.

use std::ops::RangeInclusive;

use clap::Args;

const ALLOWED: RangeInclusive<i64> = 1..=256;

/// The number of workers.
#[derive(Args, Debug, Clone, Default)]
pub struct WorkerArgs {
    /// Number of worker threads that share the partitions [default: one per core]
    #[arg(long, env = "WORKERS", value_name = "N", value_parser = clap::value_parser!(u32).range(ALLOWED))]
    pub workers: Option<u32>,

    /// saltransform's name for it in releases before 0.1
    #[arg(long, env = "TASKS", value_name = "N", hide = true, value_parser = clap::value_parser!(u32).range(ALLOWED))]
    pub tasks: Option<u32>,

    /// influxsink's name for it in releases before 0.1
    #[arg(long, env = "LANES", value_name = "N", hide = true, value_parser = clap::value_parser!(u32).range(ALLOWED))]
    pub lanes: Option<u32>,
}

impl WorkerArgs {
    /// A fixed number.
    #[must_use]
    pub fn of(workers: u32) -> Self {
        Self {
            workers: Some(workers),
            ..Self::default()
        }
    }

    /// The requested number, under any name.
    #[must_use]
    pub fn count(&self) -> usize {
        match self.workers.or(self.tasks).or(self.lanes) {
            Some(asked) => asked as usize,
            None => std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        workers: WorkerArgs,
    }

    fn count(arguments: &[&str]) -> Option<usize> {
        let arguments = std::iter::once(&"stage").chain(arguments);
        Flags::try_parse_from(arguments)
            .ok()
            .map(|flags| flags.workers.count())
    }

    #[test]
    fn each_name_counts() {
        assert!(count(&[]) >= Some(1));
        for name in ["--workers", "--tasks", "--lanes"] {
            assert_eq!(count(&[name, "3"]), Some(3), "{name}");
        }
        assert_eq!(count(&["--workers", "2", "--tasks", "3"]), Some(2));
        assert_eq!(count(&["--workers", "0"]), None);
    }
}
