//! What is known of stages and brokers at one time: sampled once, or kept up to date.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Serialize;
use stage::config::Timestamp;
use stage::lock;
use tokio::task::JoinSet;

use super::brokers::{BrokersRow, BrokersWatcher};
use super::process::StageRow;
use super::source::StageSource;
use crate::ask::ask_blocking;
use crate::cancel::Cancel;

/// Stages and brokers at one time.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Snapshot {
    /// RFC 3339, in UTC.
    pub at: String,
    /// The address of the brokers.
    pub broker: String,
    /// The name of their cluster, if the configuration file gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// In the order in which they were named.
    pub stages: Vec<StageRow>,
    /// None before the brokers have answered for the first time.
    pub kafka: Option<BrokersRow>,
    /// When it was taken, and how often each source is asked; none for a single sample.
    #[serde(skip)]
    pub taken: Option<(Instant, Duration)>,
}

/// How much later than its turn the answer of a source that works may be.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

impl Snapshot {
    /// How long a source has not answered, neither with its state nor with an error; none while it answers in time.
    pub fn silence(&self, answered: Option<Instant>) -> Option<Duration> {
        let ((taken, interval), answered) = (self.taken?, answered?);
        let silence = taken.saturating_duration_since(answered);
        (silence > interval + ANSWER_TIMEOUT).then_some(silence)
    }

    /// Whether everything that was asked has answered.
    pub fn is_whole(&self) -> bool {
        self.stages.iter().all(|stage| stage.away.is_none())
            && self.kafka.as_ref().is_some_and(|kafka| kafka.away.is_none())
    }
}

/// Looks twice at each stage, so that rates and quantiles are of one interval, and once at the brokers.
pub async fn sample(
    mut stages: Vec<StageSource>,
    mut brokers: BrokersWatcher,
    interval: Duration,
) -> Snapshot {
    let broker = brokers.broker().to_owned();
    let cluster = brokers.cluster().map(str::to_owned);
    let mut asking = JoinSet::new();
    asking.spawn(ask_blocking(move |cancel| Ok(brokers.look(cancel))));
    for stage in &mut stages {
        stage.look().await;
    }
    tokio::time::sleep(interval).await;
    let mut rows = Vec::new();
    for stage in &mut stages {
        rows.extend(stage.look().await);
    }
    let answer = asking.join_next().await;
    Snapshot {
        kafka: answer.and_then(|answer| answer.ok()?.ok()),
        at: Timestamp::now().to_string(),
        broker,
        cluster,
        stages: rows,
        taken: None,
    }
}

/// Keeps a snapshot up to date until it is dropped.
pub struct Watch {
    latest: Arc<Mutex<Latest>>,
    interval: Duration,
    cancel: Cancel,
    _stages: JoinSet<()>,
}

struct Latest {
    /// Without the stages.
    snapshot: Snapshot,
    /// Of each source.
    stages: Vec<Vec<StageRow>>,
}

impl Watch {
    /// Looks at each stage and at the brokers once an interval. To be called within a runtime.
    pub fn start(stages: Vec<StageSource>, mut brokers: BrokersWatcher, interval: Duration) -> Self {
        let latest = Arc::new(Mutex::new(Latest {
            snapshot: Snapshot {
                broker: brokers.broker().to_owned(),
                cluster: brokers.cluster().map(str::to_owned),
                ..Snapshot::default()
            },
            stages: stages.iter().map(StageSource::unknown).collect(),
        }));
        let mut tasks = JoinSet::new();
        for (index, mut stage) in stages.into_iter().enumerate() {
            let latest = Arc::clone(&latest);
            tasks.spawn(async move {
                loop {
                    let mut rows = stage.look().await;
                    let now = Some(Instant::now());
                    rows.iter_mut().for_each(|row| row.answered = now);
                    if let Some(place) = lock(&latest).stages.get_mut(index) {
                        *place = rows;
                    }
                    tokio::time::sleep(interval).await;
                }
            });
        }
        let cancel = Cancel::default();
        let (of_brokers, wanted) = (Arc::clone(&latest), cancel.clone());
        std::thread::spawn(move || {
            while wanted.check().is_ok() {
                let mut row = brokers.look(&wanted);
                row.answered = Some(Instant::now());
                lock(&of_brokers).snapshot.kafka = Some(row);
                std::thread::sleep(interval);
            }
        });
        Self {
            latest,
            interval,
            cancel,
            _stages: tasks,
        }
    }

    /// The newest answers of all, with the time of this call.
    pub fn latest(&self) -> Snapshot {
        let latest = lock(&self.latest);
        let mut snapshot = latest.snapshot.clone();
        snapshot.stages = latest.stages.concat();
        drop(latest);
        snapshot.at = Timestamp::now().to_string();
        snapshot.taken = Some((Instant::now(), self.interval));
        snapshot
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
