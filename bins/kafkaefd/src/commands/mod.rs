//! One module a sub-command: its flags, the question that it asks of the library [`operator`], and how the answer is shown.

pub mod admin;
pub mod completions;
pub mod dead_letters;
pub mod groups;
pub mod hello;
pub mod inject;
pub mod latency;
pub mod load;
pub mod produce;
pub mod registry;
pub mod salschema;
pub mod tail;
pub mod top;

use operator::cluster::Cluster;
use operator::failure::Failure;
use stage::config::KafkaArgs;

use crate::terminal::note;

/// The cluster that the flags name; what keeps an answer waiting is noted on stderr.
fn reach(kafka: &KafkaArgs) -> Result<Cluster, Failure> {
    Ok(Cluster::reach(kafka)?.with_trouble_to(trouble))
}

/// Asks the cluster that the flags name, beside the runtime.
async fn ask<T: Send + 'static>(
    kafka: &KafkaArgs,
    question: impl FnOnce(&Cluster) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    operator::ask::ask(kafka, trouble, question).await
}

fn trouble(problem: &str) {
    note(&format!("kafkaefd: {problem}"));
}
