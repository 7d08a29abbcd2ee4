//! The compatibility level by which new versions are judged, of the registry or of one subject.

use std::str::FromStr;

use serde::Serialize;
use stage::registry::{Registry, RegistryError};

use super::known;
use crate::failure::Failure;

/// What may follow what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Anything may follow anything.
    None,
    /// The new schema reads what was written with the one before.
    Backward,
    /// The same for all versions before.
    BackwardTransitive,
    /// The one before reads what is written with the new schema.
    Forward,
    /// The same for all versions before.
    ForwardTransitive,
    /// Both.
    Full,
    /// Both, for all versions before.
    FullTransitive,
}

/// A level, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CurrentLevel {
    /// The subject; none for the registry.
    pub subject: Option<String>,
    /// The level.
    pub level: String,
    /// What it was before it was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Backward,
        Self::BackwardTransitive,
        Self::Forward,
        Self::ForwardTransitive,
        Self::Full,
        Self::FullTransitive,
    ];

    /// As registries spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Backward => "BACKWARD",
            Self::BackwardTransitive => "BACKWARD_TRANSITIVE",
            Self::Forward => "FORWARD",
            Self::ForwardTransitive => "FORWARD_TRANSITIVE",
            Self::Full => "FULL",
            Self::FullTransitive => "FULL_TRANSITIVE",
        }
    }
}

impl FromStr for Level {
    type Err = String;

    /// In capitals or not.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|level| level.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("expected one of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// The level of the registry, or the one that counts for a subject.
pub async fn level(registry: &Registry, subject: Option<&str>) -> Result<CurrentLevel, Failure> {
    let level = match subject {
        Some(subject) => {
            known(registry, subject, registry.versions(subject, false)).await?;
            effective(registry, subject).await?
        }
        None => of_registry(registry).await?,
    };
    Ok(CurrentLevel {
        subject: subject.map(str::to_owned),
        level,
        before: None,
    })
}

/// Sets what [`level`] answered to another level.
pub async fn set_level(
    registry: &Registry,
    current: CurrentLevel,
    level: Level,
) -> Result<CurrentLevel, Failure> {
    let set = registry
        .set_level(current.subject.as_deref(), level.name())
        .await?;
    Ok(CurrentLevel {
        level: set,
        before: Some(current.level),
        subject: current.subject,
    })
}

/// The level by which a subject's next version is judged.
pub(super) async fn effective(registry: &Registry, subject: &str) -> Result<String, RegistryError> {
    match registry.level(Some(subject)).await? {
        Some(level) => Ok(level),
        None => of_registry(registry).await,
    }
}

async fn of_registry(registry: &Registry) -> Result<String, RegistryError> {
    // Only subjects can be without a level.
    Ok(registry.level(None).await?.unwrap_or_else(|| "NONE".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_in_capitals_or_not() {
        for level in Level::ALL {
            assert_eq!(level.name().parse(), Ok(level));
            assert_eq!(level.name().to_lowercase().parse(), Ok(level));
        }
        assert!(
            "FORWARDS"
                .parse::<Level>()
                .unwrap_err()
                .contains("FORWARD_TRANSITIVE")
        );
    }
}
