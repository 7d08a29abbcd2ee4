//! The command lines of a run and of the yardsticks, which are separate processes.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::yardstick::{CarryArgs, PostArgs};

const EXAMPLE: &str = "\
Example: is the transform as fast as a bare loop of librdkafka? A quick try, then the real run:

  make bench-pipeline ARGS=\"--rows transform --quick\"
  make bench-pipeline ARGS=\"--rows transform --report docs/performance.md\"

Each row ends as one line, its value beside its target; what counts are ratios within one run:

  RATIO transform-throughput 1.02 >=0.9 ok

Start it through `make bench-pipeline` or `make bench-peers`, which start the services that it loads.";

/// Measures the pipeline on real services, against yardsticks and peers of the same run
#[derive(Debug, Parser)]
#[command(name = "bench-pipeline", after_help = EXAMPLE, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) yardstick: Option<Yardstick>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// The yardsticks for the stages.
#[derive(Debug, Subcommand)]
pub(crate) enum Yardstick {
    /// librdkafka only: consumes each message of a topic and produces a prepared frame for it
    #[command(hide = true)]
    Carry(CarryArgs),
    /// HTTP only: posts prepared lines in batches
    #[command(hide = true)]
    Post(PostArgs),
}

/// Flags of a run.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    /// What to measure
    #[arg(
        long, value_enum, value_name = "ROW", value_delimiter = ',',
        default_values = ["transform", "age", "topics", "console", "flat", "idle", "scaling", "rolls", "sustained"]
    )]
    pub(crate) rows: Vec<Row>,

    /// Short runs for a quick try; their ratios are rough
    #[arg(long)]
    pub(crate) quick: bool,

    /// Rate of SAL text in the row `sustained`, in MB/s, for finding the highest sustainable rate
    #[arg(long, default_value_t = 10.0, value_name = "MB")]
    pub(crate) megabytes: f64,

    /// Additional argument for salmock in the second run of the row `age`; can be repeated
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub(crate) salmock_arg: Vec<String>,

    /// Additional argument for saltransform in that run; can be repeated
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub(crate) transform_arg: Vec<String>,

    /// Additional argument for influxsink in that run; can be repeated
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub(crate) sink_arg: Vec<String>,

    /// The env file of the services, as set by scripts/services run
    #[arg(
        long,
        env = "KAFKA_EFD_SERVICES",
        value_name = "FILE",
        default_value = "target/services/run/default/env"
    )]
    pub(crate) services: PathBuf,

    /// Directory with the SAL interfaces of the topics that salmock sends
    #[arg(long, default_value = "schemas", value_name = "DIR")]
    pub(crate) schemas: PathBuf,

    /// Directory for the processes' logs
    #[arg(long, default_value = "target/bench-pipeline", value_name = "DIR")]
    pub(crate) logs: PathBuf,

    /// Write the tables into this Markdown file, each between its two markers, with the date, the commit and
    /// the machine
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// Write all measurements to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Row {
    /// saltransform against a bare loop of librdkafka: throughput and CPU
    Transform,
    /// Age of points at the database, at 1,330 messages/s over 100 topics
    Age,
    /// 3,348 topics: init, memory, start
    Topics,
    /// The pages of kafkaefd console with 3,348 topics, and its memory
    Console,
    /// CPU per message of both stages with 3,348 topics in use against one topic
    Flat,
    /// CPU of both stages and the broker while nothing is sent to 300 topics
    Idle,
    /// Two replicas against one, 64 partitions against one
    Scaling,
    /// How topics are distributed over replicas, and how long a rolling update stops a topic
    Rolls,
    /// 10 MB/s of SAL text through the whole pipeline for five minutes
    Sustained,
    /// influxsink against Telegraf and against a bare loop of HTTP
    Peers,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
