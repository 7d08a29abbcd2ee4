//! How a command ends: its exit code, and what is printed if it failed.
//!
//! | exit code | |
//! |--:|---|
//! | 0 | all was done |
//! | 1 | something was refused, was not found or was left out; the last lines of stderr say what |
//! | 2 | nothing was done, as the question was not answered with yes |
//! | 64 | the flags, or a file or password that they name, cannot be used |
//! | 69 | Kafka, the registry or another service cannot be reached, or refuses access |

use std::process::ExitCode;

use operator::failure::Failure;
use stage::config::EXIT_USAGE;
use stage::registry::RegistryError;
use stage::sanitize::Printable;
use stage::stdout;

/// The exit code of a service that is away (`EX_UNAVAILABLE` of BSD's sysexits).
const EXIT_UNAVAILABLE: u8 = 69;
const EXIT_DECLINED: u8 = 2;

/// How far a command came that met no [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// All of it.
    All,
    /// Some of it; what is missing was said.
    Partly,
}

impl From<Done> for ExitCode {
    fn from(done: Done) -> Self {
        match done {
            Done::All => Self::SUCCESS,
            Done::Partly => Self::FAILURE,
        }
    }
}

/// The exit code of a command, after its output is written and its failure printed.
pub fn end(result: Result<Done, Failure>) -> ExitCode {
    let flushed = stdout::flush();
    match result.and_then(|done| Ok(flushed.map(|()| done)?)) {
        Ok(done) => done.into(),
        Err(failure) => {
            print(&failure);
            exit_code(&failure)
        }
    }
}

fn exit_code(failure: &Failure) -> ExitCode {
    match failure {
        Failure::Usage(_) | Failure::KafkaSettings(_) | Failure::RegistrySettings(_) => EXIT_USAGE.into(),
        Failure::Unreachable { .. } | Failure::Away { .. } | Failure::Denied { .. } => {
            EXIT_UNAVAILABLE.into()
        }
        Failure::Registry(RegistryError::Away { .. } | RegistryError::Denied { .. }) => {
            EXIT_UNAVAILABLE.into()
        }
        Failure::Declined { .. } => EXIT_DECLINED.into(),
        _ => ExitCode::FAILURE,
    }
}

/// Prints it on stderr, with its causes and what to try next.
pub fn print(failure: &Failure) {
    stage::stderr_line!("kafkaefd: {}", Printable(stage::chain(failure)));
    if let Some(hint) = failure.hint() {
        stage::stderr_line!("  try: {}", Printable(hint));
    }
}
