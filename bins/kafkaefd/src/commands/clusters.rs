//! `kafkaefd clusters`: the named clusters of the configuration file.

use clap::Args;
use operator::failure::Failure;
use serde::Serialize;
use stage::config::{ClusterArgs, ClusterEntry, ClusterFile};

use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Table, faint, good, note};

/// A file to begin with.
const EXAMPLE: &str = r#"  [clusters.summit]
  broker = "kafka.summit:9093"
  schema-registry = "https://registry.summit"
  kafka-config-file = "summit.properties"
  set = { "security.protocol" = "sasl_ssl" }"#;

/// List the clusters that --cluster can name
#[derive(Args, Debug, Clone)]
#[command(
    visible_aliases = ["contexts", "profiles"],
    after_help = r#"The file is ~/.config/kafka-efd/config.toml (below XDG_CONFIG_HOME, if that is set), or what --config-file or KAFKA_EFD_CONFIG names:

  default = "base"                          # optional: where no cluster or address is given

  [clusters.summit]
  broker = "kafka.summit:9093"
  schema-registry = "https://registry.summit"
  kafka-config-file = "summit.properties"   # beside this file: passwords, one key=value a line
  set = { "security.protocol" = "sasl_ssl" }
  metrics = ["saltransform.summit:9464"]    # for top

  [clusters.base]
  broker = "localhost:9092"

Its keys are the names of flags: broker, kafka-config-file, kafka-token-file, set, schema-registry and kafka-connect with their -user, -password-file and -ca-file, and metrics. Flags and variables win over them. A secret in the file is refused.

Example: kafkaefd clusters"#
)]
pub struct ClustersArgs {
    #[command(flatten)]
    answer: AnswerArgs,
}

#[derive(Serialize)]
struct Answer {
    /// The file.
    file: Option<String>,
    clusters: Vec<ClusterRow>,
}

#[derive(Serialize)]
struct ClusterRow {
    name: String,
    broker: Option<String>,
    schema_registry: Option<String>,
    kafka_connect: Option<String>,
    is_default: bool,
}

impl ClustersArgs {
    pub(crate) fn run(&self, clusters: &ClusterArgs) -> Result<Done, Failure> {
        let path = ClusterFile::path(clusters.config_file.as_deref());
        let usage = |error: &dyn std::error::Error| Failure::Usage(stage::chain(error));
        let file = match &path {
            Some(path) => ClusterFile::read(path).map_err(|error| usage(&error))?,
            None => None,
        };
        if let (None, Some(given)) = (&file, &clusters.config_file) {
            return Err(Failure::Usage(format!(
                "--config-file {} does not exist",
                given.display()
            )));
        }
        let shown_path = path.map(|path| path.display().to_string());
        let rows = file.iter().flat_map(|file| {
            let is_default = move |entry: &ClusterEntry| file.default.as_ref() == Some(&entry.name);
            file.clusters
                .iter()
                .map(move |entry| row(entry, is_default(entry)))
        });
        let answer = Answer {
            clusters: rows.collect(),
            file: shown_path,
        };
        self.answer.print(&answer, || answer.shown())?;
        if let (Some(path), false) = (&answer.file, self.answer.json) {
            note(&faint(stage::Printable(path)));
        }
        Ok(Done::All)
    }
}

fn row(entry: &ClusterEntry, is_default: bool) -> ClusterRow {
    let value = |key: &str| entry.get(key).map(str::to_owned);
    ClusterRow {
        name: entry.name.clone(),
        broker: value("broker"),
        schema_registry: value("schema-registry"),
        kafka_connect: value("kafka-connect"),
        is_default,
    }
}

impl Answer {
    fn shown(&self) -> String {
        if self.clusters.is_empty() {
            return format!("there are no named clusters; this is how the file names one:\n\n{EXAMPLE}");
        }
        let mut table = Table::new(["CLUSTER", "BROKER", "SCHEMA REGISTRY", "KAFKA CONNECT", "DEFAULT"]);
        let cell = |text: &Option<String>| Cell::text(text.as_deref().unwrap_or("-"));
        for row in &self.clusters {
            table.row([
                Cell::text(&row.name),
                cell(&row.broker),
                cell(&row.schema_registry),
                cell(&row.kafka_connect),
                Cell::styled(if row.is_default {
                    good("yes")
                } else {
                    String::new()
                }),
            ]);
        }
        table.to_string()
    }
}
