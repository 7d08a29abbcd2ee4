//! One module per sub-command: its flags, its request to the library [`operator`], and how the answer is shown.

pub mod admin;
pub mod clusters;
mod connect;
pub mod console;
pub mod dead_letters;
pub mod groups;
pub mod hello;
pub mod inject;
pub mod k8s;
pub mod latency;
pub mod load;
pub mod produce;
pub mod registry;
pub mod salschema;
pub(crate) mod secret;
pub mod tail;
pub mod top;

use operator::cluster::Cluster;
use operator::failure::Failure;
use stage::config::KafkaArgs;

use crate::terminal::note;

/// Seconds between two looks at the stages and the brokers, of `top` and of the console.
const DEFAULT_INTERVAL: &str = "2";

/// Connects to the cluster that the flags name; problems that delay an answer are reported on stderr.
fn reach(kafka: &KafkaArgs) -> Result<Cluster, Failure> {
    Ok(Cluster::reach(kafka)?.with_trouble_to(report_problem))
}

/// Runs a blocking request to the cluster that the flags name on a thread outside the async runtime.
async fn ask<T: Send + 'static>(
    kafka: &KafkaArgs,
    question: impl FnOnce(&Cluster) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    operator::ask::ask(kafka, report_problem, question).await
}

fn report_problem(problem: &str) {
    note(&format!("kafkaefd: {problem}"));
}
