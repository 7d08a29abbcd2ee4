//! Standard output, for a command's output. A failed write is an error, because the caller lacks the output; but a
//! reader that has closed the pipe (`| head`) needs no more.

use std::fmt::Display;
use std::io::{self, Write};

/// The output cannot be written: a full disk, a closed descriptor.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub struct StdoutError(#[source] io::Error);

/// Writes a line.
pub fn line(text: impl Display) -> Result<(), StdoutError> {
    written(writeln!(io::stdout(), "{text}"))
}

/// Flushes the buffer: at the end of a command, because errors at the end of a process are not reported.
pub fn flush() -> Result<(), StdoutError> {
    written(io::stdout().flush())
}

/// The result of a write to standard output.
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
