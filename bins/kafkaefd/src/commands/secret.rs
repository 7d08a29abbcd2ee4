//! Secrets of other services: from the file that a flag names, or else from the environment.

use std::path::Path;

use operator::failure::Failure;
use stage::config::Secret;

/// The secret in the file or, without one, in the variable, if either is there.
pub(crate) fn secret(file: Option<&Path>, variable: &str) -> Result<Option<Secret>, Failure> {
    match file {
        Some(path) => {
            let secret = Secret::from_file(path);
            secret
                .map(Some)
                .map_err(|error| Failure::Usage(stage::chain(&error)))
        }
        None => Ok(std::env::var(variable).ok().map(Secret::new)),
    }
}
