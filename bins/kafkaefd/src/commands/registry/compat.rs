//! `registry compat`: by which level schemas are judged, of the registry or of one subject.

use clap::{Args, ValueEnum};
use serde::Serialize;
use stage::config::RegistryArgs;
use stage::registry::{Registry, RegistryError};
use stage::sanitize::Printable;

use crate::exit::Done;
use crate::terminal::{AnswerArgs, Consent, strong};
use operator::failure::Failure;

/// Show or set the compatibility level, of the registry or of a subject
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "BACKWARD: the new schema reads what was written with the one before; FORWARD: the one before reads what \
                  is written with the new; FULL: both; …_TRANSITIVE: with all versions before, not the newest alone.\n\n\
                  Example: kafkaefd registry compat --subject lsst.sal.Test_scalars-value --set FORWARD"
)]
pub(super) struct CompatArgs {
    /// Of this subject instead of the registry
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Set it
    #[arg(long, value_name = "LEVEL", value_enum, ignore_case = true)]
    set: Option<Level>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
enum Level {
    None,
    Backward,
    BackwardTransitive,
    Forward,
    ForwardTransitive,
    Full,
    FullTransitive,
}

#[derive(Serialize)]
struct Answer<'a> {
    /// null: of the registry
    subject: Option<&'a str>,
    level: String,
    /// What it was before it was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
}

impl Level {
    fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }
}

impl CompatArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let registry = super::client(&self.registry)?;
        let level = match &self.subject {
            Some(subject) => {
                super::known(&registry, subject, registry.versions(subject, false)).await?;
                effective(&registry, subject).await?
            }
            None => of_registry(&registry).await?,
        };
        let answer = match self.set {
            Some(wanted) => Answer {
                subject: self.subject.as_deref(),
                level: self.change(&registry, &level, wanted).await?,
                before: Some(level),
            },
            None => Answer {
                subject: self.subject.as_deref(),
                level,
                before: None,
            },
        };
        self.answer.print(&answer, || {
            let before = match &answer.before {
                Some(before) => format!(" (it was {before})"),
                None => String::new(),
            };
            format!(
                "{}: {}{}",
                Printable(self.of()),
                strong(Printable(&answer.level)),
                Printable(before)
            )
        })?;
        Ok(Done::All)
    }

    fn of(&self) -> &str {
        self.subject.as_deref().unwrap_or(&self.registry.schema_registry)
    }

    async fn change(&self, registry: &Registry, before: &str, wanted: Level) -> Result<String, Failure> {
        let wanted = wanted.name();
        let whose = match &self.subject {
            Some(subject) => format!("subject {subject}"),
            None => format!(
                "all subjects without a level of their own at {}",
                self.registry.schema_registry
            ),
        };
        self.consent.ask(&format!(
            "set the compatibility level of {whose} from {before} to {wanted}"
        ))?;
        Ok(registry.set_level(self.subject.as_deref(), &wanted).await?)
    }
}

/// The level by which a subject's next version is judged.
pub(super) async fn effective(registry: &Registry, subject: &str) -> Result<String, RegistryError> {
    match registry.level(Some(subject)).await? {
        Some(level) => Ok(level),
        None => of_registry(registry).await,
    }
}

async fn of_registry(registry: &Registry) -> Result<String, RegistryError> {
    // Answered as none for subjects alone.
    Ok(registry.level(None).await?.unwrap_or_else(|| "NONE".to_owned()))
}
