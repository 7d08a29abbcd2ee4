//! The schemas to which a schema refers, by subject and version: asked for one after another, each once, and put in an
//! order in which each comes after those to which it refers itself. A registry can hold any of them, so their number,
//! depth and size are limited.

use std::sync::Arc;

use super::{Referenced, Registry, RegistryError, SchemaReference};

/// The limit on schemas to which one refers, directly and through others.
const MAX_REFERENCES: usize = 200;
/// The limit on references one behind another.
const MAX_REFERENCE_DEPTH: usize = 32;
/// The limit on the total length of their texts.
const MAX_REFERENCED_BYTES: usize = 4 << 20;

/// Why references cannot be followed. Permanent: versions of a subject do not change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceProblem {
    /// A schema refers to itself through others.
    #[error("refers to version {version} of subject {subject}, which refers to itself")]
    Circle {
        /// The subject.
        subject: String,
        /// The version.
        version: u32,
    },
    /// Too many.
    #[error("refers to more than {MAX_REFERENCES} schemas")]
    TooMany,
    /// Too many, one behind another.
    #[error("refers to schemas more than {MAX_REFERENCE_DEPTH} references away")]
    TooDeep,
    /// Together too long.
    #[error("refers to schemas of more than {MAX_REFERENCED_BYTES} bytes")]
    TooLong,
}

/// A schema some of whose references are not followed yet.
struct Open {
    /// The schema itself, unless it is the outermost one.
    schema: Option<Referenced>,
    left: std::vec::IntoIter<SchemaReference>,
}

impl Registry {
    /// The schemas behind the references of `what`.
    pub(super) async fn referenced(
        &self,
        what: &str,
        references: Vec<SchemaReference>,
    ) -> Result<Arc<[Referenced]>, RegistryError> {
        let mut found: Vec<Referenced> = Vec::new();
        let mut bytes = 0;
        let mut open = vec![Open {
            schema: None,
            left: references.into_iter(),
        }];
        while let Some(innermost) = open.last_mut() {
            let Some(reference) = innermost.left.next() else {
                found.extend(open.pop().and_then(|open| open.schema));
                continue;
            };
            if found.iter().any(|known| known.is_at(&reference)) {
                continue;
            }
            let mut opened = open.iter().filter_map(|open| open.schema.as_ref());
            let problem = if opened.any(|open| open.is_at(&reference)) {
                Some(ReferenceProblem::Circle {
                    subject: reference.subject.clone(),
                    version: reference.version,
                })
            } else if open.len() > MAX_REFERENCE_DEPTH {
                Some(ReferenceProblem::TooDeep)
            } else if found.len() + open.len() > MAX_REFERENCES {
                Some(ReferenceProblem::TooMany)
            } else {
                None
            };
            if let Some(problem) = problem {
                return Err(refused(what, problem));
            }
            let asked = self.referenced_version(&reference).await;
            let answer = asked.map_err(|error| match error {
                RegistryError::Missing { what: lacking } => RegistryError::Missing {
                    what: format!("{lacking}, to which {what} refers"),
                },
                error => error,
            })?;
            bytes += answer.schema.len();
            if bytes > MAX_REFERENCED_BYTES {
                return Err(refused(what, ReferenceProblem::TooLong));
            }
            open.push(Open {
                schema: Some(Referenced {
                    reference,
                    raw: answer.schema.into(),
                }),
                left: answer.references.into_iter(),
            });
        }
        Ok(found.into())
    }
}

impl Referenced {
    fn is_at(&self, other: &SchemaReference) -> bool {
        (&self.reference.subject, self.reference.version) == (&other.subject, other.version)
    }
}

fn refused(what: &str, problem: ReferenceProblem) -> RegistryError {
    RegistryError::References {
        what: what.to_owned(),
        problem,
    }
}
