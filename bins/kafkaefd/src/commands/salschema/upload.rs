//! Uploads schemas to the registry with a few concurrent requests, and a progress bar if stderr is a terminal.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use indicatif::{ProgressBar, ProgressStyle};
use sal::avro::TopicSchema;
use serde_json::Value;
use stage::config::RegistryArgs;
use stage::registry::{PublishRules, Published, Registry, RegistryError, RegistrySetupError};
use stage::retry::Verdict;
use tokio::task::{JoinError, JoinSet};

use operator::failure::Failure;

/// Enough to hide the latency of the registry, and few enough for any registry.
const MAX_CONCURRENT_REQUESTS: usize = 8;

/// Counts of the uploaded schemas.
#[derive(Debug, Default)]
pub(super) struct Uploaded {
    /// New subjects.
    pub(super) new: usize,
    /// Subjects with a new version.
    pub(super) changed: usize,
    /// Subjects whose latest version already was the schema.
    pub(super) unchanged: usize,
    /// The registry's refusals, sorted.
    pub(super) refused: Vec<String>,
}

/// The upload ended before all subjects were uploaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum UploadError {
    #[error(transparent)]
    Setup(#[from] RegistrySetupError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("the upload stopped because of an internal error; uploaded schemas remain")]
    Task(#[from] JoinError),
}

type Queue = Arc<Mutex<VecDeque<(String, Value)>>>;

/// Registers schemas that are not registered yet. The first failure that is worth a retry later ends the upload.
pub(super) async fn upload(
    args: &RegistryArgs,
    schemas: &[TopicSchema],
    rules: PublishRules,
) -> Result<Uploaded, UploadError> {
    let registry = Arc::new(Registry::new(args)?);
    let bar = ProgressBar::new(u64::try_from(schemas.len()).unwrap_or(u64::MAX));
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} subjects, {eta} left") {
        bar.set_style(style);
    }
    let queue = schemas
        .iter()
        .map(|schema| (schema.subject.clone(), schema.schema.clone()))
        .collect();
    let queue: Queue = Arc::new(Mutex::new(queue));
    let mut workers = JoinSet::new();
    for _ in 0..MAX_CONCURRENT_REQUESTS {
        workers.spawn(work(
            Arc::clone(&registry),
            Arc::clone(&queue),
            rules,
            bar.clone(),
        ));
    }
    let mut total = Uploaded::default();
    while let Some(worker) = workers.join_next().await {
        let part = worker??;
        total.new += part.new;
        total.changed += part.changed;
        total.unchanged += part.unchanged;
        total.refused.extend(part.refused);
    }
    total.refused.sort();
    bar.finish_and_clear();
    Ok(total)
}

async fn work(
    registry: Arc<Registry>,
    queue: Queue,
    rules: PublishRules,
    bar: ProgressBar,
) -> Result<Uploaded, RegistryError> {
    let next = || stage::lock(&queue).pop_front();
    let mut done = Uploaded::default();
    while let Some((subject, schema)) = next() {
        match registry.publish(&subject, &schema.to_string(), rules).await {
            Ok(Published::New) => done.new += 1,
            Ok(Published::Changed) => done.changed += 1,
            Ok(Published::Unchanged) => done.unchanged += 1,
            Err(error) if matches!(error.verdict(), Verdict::Retry(_)) => return Err(error),
            Err(error) => {
                let failure = Failure::from(error);
                let hint = failure.hint().map(|hint| format!("; try: {hint}"));
                done.refused
                    .push(format!("{}{}", stage::chain(&failure), hint.unwrap_or_default()));
            }
        }
        bar.inc(1);
    }
    Ok(done)
}
