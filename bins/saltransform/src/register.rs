//! The first half of `init`: schemas become their subjects' latest versions. All are checked before one is registered,
//! so that a refusal changes nothing.

use std::fmt;
use std::io::IsTerminal;

use futures::stream::{self, StreamExt, TryStreamExt};
use indicatif::{ProgressBar, ProgressStyle};
use sal::name::TopicName;
use stage::registry::{PublishRules, Published, Registry, RegistryError};
use stage::text::plural;

/// Concurrent requests to the registry.
const AT_ONCE: usize = 8;
/// Subjects that an error names; the others are counted.
const MAX_NAMED: usize = 10;

/// A subject's schema, and the Kafka topic of its records.
pub(crate) struct Wanted {
    pub(crate) topic: TopicName,
    pub(crate) kafka_topic: String,
    pub(crate) subject: String,
    pub(crate) schema: Option<String>,
}

/// The results for the schemas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Registered {
    /// Subjects that are new.
    pub new: usize,
    /// Subjects that have a new latest version.
    pub changed: usize,
    /// Subjects whose latest version was that schema already.
    pub unchanged: usize,
}

/// The schemas cannot be registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The registry does not answer, or refuses a schema.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The running pipeline would no longer understand its messages.
    #[error(
        "nothing was changed: {} would lose wire extras, as the registry's latest schemas have them and these do \
         not ({first}): say --wire-extras, as when they were registered, or --drop-wire-extras if you mean it",
        plural(*count, "subject")
    )]
    LosesWireExtras {
        /// How many.
        count: usize,
        /// Of the first, what would be lost.
        first: String,
    },
    /// Registering would change nothing: the schemas are older versions.
    #[error(
        "nothing was changed: the registry has newer versions of {}, and those stay the latest; say \
         --make-latest, which deletes them softly, or delete them one by one: {commands}",
        plural(*count, "subject")
    )]
    NotLatest {
        /// How many.
        count: usize,
        /// One for each of the first.
        commands: String,
    },
}

impl fmt::Display for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            new,
            changed,
            unchanged,
        } = self;
        write!(f, "{new} new, {changed} changed, {unchanged} unchanged")
    }
}

/// Registers the schemas.
pub(crate) async fn register(
    registry: &Registry,
    wanted: &[Wanted],
    rules: PublishRules,
) -> Result<Registered, RegisterError> {
    let schemas: Vec<(&str, &str)> = wanted
        .iter()
        .filter_map(|wanted| Some((wanted.subject.as_str(), wanted.schema.as_deref()?)))
        .collect();
    look_ahead(registry, &schemas, rules).await?;
    let bar = progress("registering schemas", schemas.len());
    let registered = stream::iter(&schemas)
        .map(|(subject, schema)| registry.publish(subject, schema, rules))
        .buffer_unordered(AT_ONCE)
        .try_fold(Registered::default(), |mut sum, published| {
            bar.inc(1);
            match published {
                Published::New => sum.new += 1,
                Published::Changed => sum.changed += 1,
                Published::Unchanged => sum.unchanged += 1,
            }
            futures::future::ready(Ok(sum))
        })
        .await?;
    bar.finish_and_clear();
    Ok(registered)
}

async fn look_ahead(
    registry: &Registry,
    schemas: &[(&str, &str)],
    rules: PublishRules,
) -> Result<(), RegisterError> {
    let bar = progress("looking at subjects", schemas.len());
    let outcomes: Vec<_> = stream::iter(schemas)
        .map(|(subject, schema)| registry.look_ahead(subject, schema, rules))
        .buffered(AT_ONCE)
        .inspect(|_| bar.inc(1))
        .collect()
        .await;
    bar.finish_and_clear();
    let (mut losers, mut older) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(_) => {}
            Err(error @ RegistryError::Objection { .. }) => losers.push(error),
            Err(RegistryError::NotLatest { subject, newer }) => older.push((subject, newer)),
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(first) = losers.first() {
        return Err(RegisterError::LosesWireExtras {
            count: losers.len(),
            first: first.to_string(),
        });
    }
    if older.is_empty() {
        return Ok(());
    }
    let command = |(subject, newer): &(String, Vec<u32>)| {
        let versions: Vec<String> = newer
            .iter()
            .map(|version| format!(" --version {version}"))
            .collect();
        format!("`kafkaefd registry delete {subject}{}`", versions.concat())
    };
    let mut commands: Vec<String> = older.iter().take(MAX_NAMED).map(command).collect();
    if older.len() > MAX_NAMED {
        commands.push(format!("and {} more", older.len() - MAX_NAMED));
    }
    let commands = commands.join(", ");
    Err(RegisterError::NotLatest {
        count: older.len(),
        commands,
    })
}

/// A bar on a terminal, nothing elsewhere.
pub(crate) fn progress(what: &'static str, count: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg:20} {bar:40} {pos}/{len} {eta}");
    ProgressBar::new(count as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(what)
}
