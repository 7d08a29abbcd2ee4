//! The command line of the run.

use std::path::PathBuf;

use clap::Parser;

use crate::faults::Kind;

/// Breaks a real cluster again and again while data flows, and accounts for every record.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "faults",
    after_help = "Start it through `make test-faults`, which starts the services that it breaks:

  make test-faults                                    300 faults, an hour on two cores
  make test-faults ARGS=\"--quick\"                     one of each quick kind, what .ci/run does
  make test-faults ARGS=\"--exactly-once --faults 100\"
  make test-faults ARGS=\"--group-protocol consumer --faults 60\"
  make test-faults ARGS=\"--only freeze-all,freeze-repeated --faults 6\" BROKERS=1

Exit codes: 0 all is well; 1 something was lost, is there twice, stood still, or another complaint; 2 the harness or a
service of its own failed."
)]
pub(crate) struct Args {
    /// The `env` file of the services: scripts/services run --brokers 3 sets it
    #[arg(long, env = "KAFKA_EFD_SERVICES", value_name = "FILE")]
    pub(crate) services: PathBuf,

    /// How many faults
    #[arg(long, default_value_t = 300, value_name = "N")]
    pub(crate) faults: usize,

    /// Only these kinds, each as often as the others
    #[arg(long, value_enum, value_name = "KIND", value_delimiter = ',')]
    pub(crate) only: Vec<Kind>,

    /// Only kinds that take a few seconds, each once at most
    #[arg(long)]
    pub(crate) quick: bool,

    /// Messages a second, of all topics together
    #[arg(long, default_value_t = 300, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub(crate) rate: u32,

    /// No new fault begins after so many minutes
    #[arg(long, default_value_t = 120, value_name = "MINUTES")]
    pub(crate) minutes: u64,

    /// The order, the parts, the victims and the times of the faults; the same seed makes the same ones
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,

    /// Undisturbed time after which a replica without progress, or a message without its fate, is stuck
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub(crate) stuck_after: u64,

    /// Start saltransform with --exactly-once, and let no record be in Kafka twice
    #[arg(long)]
    pub(crate) exactly_once: bool,

    /// How the stages' groups share their partitions out, as the stages' own flag
    #[arg(long, default_value = "classic", value_parser = ["classic", "consumer"])]
    pub(crate) group_protocol: String,

    /// Where the groups start that have committed nothing, as the stages' own flag
    #[arg(long, default_value = "earliest", value_parser = ["earliest", "latest"])]
    pub(crate) auto_offset_reset: String,

    /// One more argument for each replica of saltransform, as often as needed
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub(crate) transform_arg: Vec<String>,

    /// One more argument for each replica of influxsink, as often as needed
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub(crate) sink_arg: Vec<String>,

    /// Where saltransform and influxsink are; by default beside this program
    #[arg(long, value_name = "DIR")]
    pub(crate) binaries: Option<PathBuf>,

    /// Where the replicas' logs go
    #[arg(long, default_value = "target/faults", value_name = "DIR")]
    pub(crate) logs: PathBuf,

    /// Writes the table into this Markdown file, between its two marks
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// Writes everything that was measured into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
