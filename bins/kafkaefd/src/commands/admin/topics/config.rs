//! `admin topics config`: shows a topic's settings and changes some of them; the others keep their values.

use clap::Args;
use stage::config::KafkaArgs;

use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Consent, Table, faint, strong};
use operator::cluster::Cluster;
use operator::failure::Failure;
use operator::topics::{self, Setting};

// Here `--set` is the topic's; `-X` is the Kafka client's, as everywhere.
/// Show a topic's settings, or change some of them
#[derive(Args, Debug, Clone)]
#[command(
    mut_arg("settings", |arg| arg.long(None::<&'static str>).help(
        "A librdkafka setting, as often as needed (`-X security.protocol=ssl`). Secrets belong in --kafka-config-file"
    )),
    after_help = "Examples:\n\n  kafkaefd admin topics config mytopic --detail\n  \
                  kafkaefd admin topics config mytopic --set retention.ms 86400000 --set compression.type lz4"
)]
pub(super) struct ConfigArgs {
    /// Name of the topic
    #[arg(value_name = "TOPIC")]
    name: String,
    /// Include settings that have their default value
    #[arg(long)]
    detail: bool,
    /// Change a setting; all others keep their values
    #[arg(long, num_args = 2, value_names = ["KEY", "VALUE"])]
    set: Vec<String>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

impl ConfigArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let args = self.clone();
        ask(&self.kafka, move |cluster| args.show(cluster)).await
    }

    fn show(&self, cluster: &Cluster) -> Result<Done, Failure> {
        if !self.set.is_empty() {
            self.change(cluster)?;
        }
        let rows = topics::settings(cluster, &self.name, self.detail)?;
        self.answer.print(&rows, || {
            if rows.is_empty() {
                format!(
                    "{} has no settings of its own; --detail shows the defaults",
                    self.name
                )
            } else {
                table(&rows).to_string()
            }
        })?;
        Ok(Done::All)
    }

    fn change(&self, cluster: &Cluster) -> Result<(), Failure> {
        let pairs = self
            .set
            .chunks_exact(2)
            .filter_map(|pair| Some((pair.first()?.clone(), pair.get(1)?.clone())))
            .collect();
        let change = topics::plan_settings(cluster, &self.name, pairs)?;
        self.consent
            .ask(&format!("set {} at {}", change.summary(), self.kafka.shown()))?;
        topics::change_settings(cluster, &change)
    }
}

fn table(rows: &[Setting]) -> Table {
    let mut table = Table::new(["SETTING", "VALUE", "FROM"]);
    for row in rows {
        let from = if row.source == "topic" {
            strong(row.source)
        } else {
            faint(row.source)
        };
        table.row([
            Cell::text(&row.key),
            Cell::text(row.value.as_deref().unwrap_or("(hidden)")),
            Cell::styled(from),
        ]);
    }
    table
}
