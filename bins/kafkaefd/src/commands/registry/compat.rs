//! `registry compat`: shows or sets the compatibility level of the registry or of one subject.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use stage::config::RegistryArgs;
use stage::sanitize::Printable;

use crate::exit::Done;
use crate::terminal::{AnswerArgs, Consent, strong};
use operator::failure::Failure;
use operator::subjects::{self, Level};

/// Show or set the compatibility level of the registry or of a subject
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "BACKWARD: the new schema can read data written with the previous one; FORWARD: the previous schema can \
                  read data written with the new one; FULL: both; …_TRANSITIVE: checked against all earlier versions \
                  instead of only the latest.\n\n\
                  Example: kafkaefd registry compat --subject lsst.sal.Test_scalars-value --set FORWARD"
)]
pub(super) struct CompatArgs {
    /// Use this subject's level instead of the registry's
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Set this level
    #[arg(long, value_name = "LEVEL", value_parser = level(), ignore_case = true)]
    set: Option<Level>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl CompatArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let registry = super::client(&self.registry)?;
        let mut answer = subjects::level(&registry, self.subject.as_deref()).await?;
        if let Some(wanted) = self.set {
            self.consent.ask(&self.question(&answer.level, wanted))?;
            answer = subjects::set_level(&registry, answer, wanted).await?;
        }
        self.answer.print(&answer, || {
            let before = match &answer.before {
                Some(before) => format!(" (was {before})"),
                None => String::new(),
            };
            format!(
                "{}: {}{}",
                Printable(self.scope()),
                strong(Printable(&answer.level)),
                Printable(before)
            )
        })?;
        Ok(Done::All)
    }

    fn scope(&self) -> String {
        self.subject
            .clone()
            .unwrap_or_else(|| self.registry.schema_registry.to_string())
    }

    fn question(&self, before: &str, wanted: Level) -> String {
        let scope = match &self.subject {
            Some(subject) => format!("subject {subject}"),
            None => format!(
                "all subjects without a level of their own at {}",
                self.registry.schema_registry
            ),
        };
        format!(
            "set the compatibility level of {scope} from {before} to {}",
            wanted.name()
        )
    }
}

/// Accepts the names of the levels in upper or lower case.
fn level() -> impl TypedValueParser<Value = Level> {
    PossibleValuesParser::new(Level::ALL.map(Level::name)).try_map(|name| name.parse::<Level>())
}
