//! The exit code of a command, and what is printed if it fails.
//!
//! | exit code | |
//! |--:|---|
//! | 0 | everything was done |
//! | 1 | something was refused, was not found or was left out, or the answer could not be written; the last lines of stderr name it |
//! | 2 | nothing was done: the confirmation was not given |
//! | 64 | the flags, or a file or password that they name, cannot be used |
//! | 69 | Kafka, the registry or another service is unreachable or refuses access |

use std::process::ExitCode;

use operator::failure::Failure;
use stage::config::{EXIT_UNAVAILABLE, EXIT_USAGE};
use stage::sanitize::Printable;
use stage::stdout;

const EXIT_DECLINED: u8 = 2;

/// How much of its task a command without a [`Failure`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Everything.
    All,
    /// A part; the rest was reported.
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

/// Flushes the output, prints a failure and returns the exit code.
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
        Failure::Usage(_)
        | Failure::File { .. }
        | Failure::KafkaSettings(_)
        | Failure::RegistrySettings(_) => EXIT_USAGE.into(),
        Failure::Unreachable { .. } | Failure::Away { .. } | Failure::Denied { .. } => {
            EXIT_UNAVAILABLE.into()
        }
        Failure::Registry(error) if error.is_unavailable() => EXIT_UNAVAILABLE.into(),
        Failure::Declined { .. } => EXIT_DECLINED.into(),
        _ => ExitCode::FAILURE,
    }
}

/// Prints a failure on stderr, with its causes and a hint on what to try next.
pub fn print(failure: &Failure) {
    stage::stderr_line!("kafkaefd: {}", Printable(stage::chain(failure)));
    if let Some(hint) = failure.hint() {
        stage::stderr_line!("  try: {}", Printable(hint));
    }
}
