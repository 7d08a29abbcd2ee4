//! The command line of a run.

use std::path::PathBuf;

use clap::Parser;

use crate::kind::Kind;

/// Breaks a real cluster repeatedly while data flows and accounts for every record
#[derive(Debug, Clone, Parser)]
#[command(
    name = "faults",
    after_help = "Start it through `make test-faults`, which starts the services that it breaks:

  make test-faults                                    300 faults, an hour on two cores
  make test-faults ARGS=\"--quick\"                     one of each quick kind, what .ci/run does
  make test-faults ARGS=\"--exactly-once --faults 100\"
  make test-faults ARGS=\"--group-protocol consumer --faults 60\"
  make test-faults ARGS=\"--only freeze-all,freeze-repeated --faults 6\" BROKERS=1

Exit codes:
  0  all is well
  1  a message was lost or duplicated, something was stuck, or there was another complaint
  2  the harness or one of its services failed"
)]
pub(crate) struct Args {
    /// The env file of the services, as set by scripts/services run --brokers 3
    #[arg(long, env = "KAFKA_EFD_SERVICES", value_name = "FILE")]
    pub(crate) services: PathBuf,

    /// Number of faults
    #[arg(long, default_value_t = 300, value_name = "N")]
    pub(crate) faults: usize,

    /// Inject only these kinds, all equally often
    #[arg(long, value_enum, value_name = "KIND", value_delimiter = ',')]
    pub(crate) only: Vec<Kind>,

    /// Inject only kinds that take a few seconds, each at most once
    #[arg(long)]
    pub(crate) quick: bool,

    /// Messages per second, over all topics
    #[arg(long, default_value_t = 300, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub(crate) rate: u32,

    /// Start no new fault after this many minutes
    #[arg(long, default_value_t = 120, value_name = "MINUTES")]
    pub(crate) minutes: u64,

    /// Seed for the order, parts, targets and times of the faults; the same seed gives the same ones
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,

    /// Undisturbed time after which a replica without progress or a message without an outcome counts as
    /// stuck
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub(crate) stuck_after: u64,

    /// Start saltransform with --exactly-once and check that no record is in Kafka twice
    #[arg(long)]
    pub(crate) exactly_once: bool,

    /// Group protocol of both stages (their --group-protocol)
    #[arg(long, default_value = "classic", value_parser = ["classic", "consumer"])]
    pub(crate) group_protocol: String,

    /// Where both stages start without committed offsets (their --auto-offset-reset)
    #[arg(long, default_value = "earliest", value_parser = ["earliest", "latest"])]
    pub(crate) auto_offset_reset: String,

    /// Additional argument for each replica of saltransform; can be repeated
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub(crate) transform_arg: Vec<String>,

    /// Additional argument for each replica of influxsink; can be repeated
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub(crate) sink_arg: Vec<String>,

    /// Directory of saltransform and influxsink [default: that of this program]
    #[arg(long, value_name = "DIR")]
    pub(crate) binaries: Option<PathBuf>,

    /// Directory for the replicas' logs
    #[arg(long, default_value = "target/faults", value_name = "DIR")]
    pub(crate) logs: PathBuf,

    /// Write the table into this Markdown file, between its two markers
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// Write all measurements to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
