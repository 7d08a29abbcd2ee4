//! Standard output, where a command's answer goes. What cannot be written is an error, as whoever asked has no answer then;
//! but a reader that has closed the pipe (`| head`) has seen enough.

use std::fmt::Display;
use std::io::{self, Write};

/// The answer is not written: a full disk, a closed descriptor.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub struct StdoutError(#[source] io::Error);

/// Writes a line.
pub fn line(text: impl Display) -> Result<(), StdoutError> {
    written(writeln!(io::stdout(), "{text}"))
}

/// Writes what is held back: at the end of a command, as nobody hears of what fails when the process ends.
pub fn flush() -> Result<(), StdoutError> {
    written(io::stdout().flush())
}

/// What a write to standard output means.
pub fn written(result: io::Result<()>) -> Result<(), StdoutError> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(StdoutError(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_enough_and_a_full_disk_is_not() {
        assert!(written(Ok(())).is_ok());
        assert!(written(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        let error = written(Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        assert!(
            crate::chain(&error).starts_with("cannot write to standard output: "),
            "{error}"
        );
    }
}
