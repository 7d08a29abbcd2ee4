//! The command line of a run, and those of the yardsticks, which are processes of their own.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::yardstick::{CarryArgs, PostArgs};

const EXAMPLE: &str = "\
Example: is the transform as quick as a bare loop of librdkafka? With short runs first, to try:

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

/// What the stages are held against.
#[derive(Debug, Subcommand)]
pub(crate) enum Yardstick {
    /// librdkafka alone: takes each message of a topic, and sends a ready frame for it
    #[command(hide = true)]
    Carry(CarryArgs),
    /// HTTP alone: posts ready lines in batches
    #[command(hide = true)]
    Post(PostArgs),
}

/// Flags of a run.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    /// What to measure
    #[arg(
        long, value_enum, value_name = "ROW", value_delimiter = ',',
        default_values = ["transform", "age", "topics", "scaling", "sustained"]
    )]
    pub(crate) rows: Vec<Row>,

    /// Short runs, for trying: their ratios are rough
    #[arg(long)]
    pub(crate) quick: bool,

    /// SAL text of the row `sustained`, in MB/s: to find the highest rate that lasts
    #[arg(long, default_value_t = 10.0, value_name = "MB")]
    pub(crate) megabytes: f64,

    /// One more argument for salmock in the second run of the row `age`, as often as needed
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub(crate) salmock_arg: Vec<String>,

    /// One more argument for saltransform there
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub(crate) transform_arg: Vec<String>,

    /// One more argument for influxsink there
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub(crate) sink_arg: Vec<String>,

    /// The `env` file of the services: `scripts/services run` sets it
    #[arg(
        long,
        env = "KAFKA_EFD_SERVICES",
        value_name = "FILE",
        default_value = "target/services/run/default/env"
    )]
    pub(crate) services: PathBuf,

    /// SAL interfaces of the topics that salmock sends
    #[arg(long, default_value = "schemas", value_name = "DIR")]
    pub(crate) schemas: PathBuf,

    /// Where the processes' logs go
    #[arg(long, default_value = "target/bench-pipeline", value_name = "DIR")]
    pub(crate) logs: PathBuf,

    /// Writes the tables into this Markdown file, each between its two marks, with the day, the commit and the machine
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// Writes everything that was measured into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Row {
    /// saltransform against a bare loop of librdkafka: throughput and CPU
    Transform,
    /// Age of points at the database, at 1,330 messages/s of 100 topics
    Age,
    /// 3,348 topics: init, memory, start
    Topics,
    /// Two replicas against one, 64 partitions against one
    Scaling,
    /// 10 MB/s of SAL text all the way for five minutes
    Sustained,
    /// influxsink against Telegraf and against a bare loop of HTTP
    Peers,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
