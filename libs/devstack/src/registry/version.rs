//! How requests refer to versions of a subject, and what answers say about them beside the text. For [`super::store`].

use super::problem::Problem;

/// How a request refers to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VersionId {
    /// `latest` or `-1`.
    Latest,
    /// A number, starting at 1.
    Number(u32),
}

impl std::str::FromStr for VersionId {
    type Err = Problem;

    fn from_str(text: &str) -> Result<VersionId, Problem> {
        match text {
            "latest" | "-1" => Ok(VersionId::Latest),
            _ => match text.parse() {
                Ok(number @ 1..=0x7fff_ffff) => Ok(VersionId::Number(number)),
                _ => Err(Problem::InvalidVersion(text.to_owned())),
            },
        }
    }
}

/// The versions that a schema is checked against.
#[derive(Debug, Clone, Copy)]
pub(crate) enum VersionSet {
    /// All of them, latest first.
    All,
    /// The latest live one, if any.
    Latest,
    /// A single one.
    One(u32),
}

/// What the answers about a held schema say beside its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Extras {
    /// Its type, unless it is Avro.
    pub(crate) kind: Option<String>,
    /// Name, subject and version of the schemas to which it refers.
    pub(crate) references: Vec<(String, String, u32)>,
}
