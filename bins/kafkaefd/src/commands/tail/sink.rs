//! Where an output's bytes go: stdout, a file, or a command's standard input.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use operator::failure::Failure;

use super::format::Medium;

pub(super) enum Sink {
    Stdout(BufWriter<io::Stdout>),
    File(BufWriter<File>),
    Pipe(Box<Child>, BufWriter<ChildStdin>),
}

impl Sink {
    /// Opens `-`, `|command` or a file to append to.
    pub(super) fn open(to: &str) -> Result<Self, Failure> {
        if to == "-" {
            return Ok(Self::Stdout(BufWriter::new(io::stdout())));
        }
        let Some(command) = to.strip_prefix('|') else {
            return OpenOptions::new()
                .create(true)
                .append(true)
                .open(to)
                .map(|file| Self::File(BufWriter::new(file)))
                .map_err(Failure::file(format!("opening {to}")));
        };
        // In a separate process group, Ctrl-C ends only this process, and the command ends after it has read
        // everything.
        let mut child = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(Failure::io(format!("starting {command}")))?;
        match child.stdin.take() {
            Some(stdin) => Ok(Self::Pipe(Box::new(child), BufWriter::new(stdin))),
            None => Err(Failure::io(format!("starting {command}"))(
                io::ErrorKind::BrokenPipe.into(),
            )),
        }
    }

    /// Whether control characters have to be escaped.
    pub(super) fn medium(&self) -> Medium {
        match self {
            Self::Stdout(_) if io::stdout().is_terminal() => Medium::Terminal,
            _ => Medium::Plain,
        }
    }

    /// Whether the command has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        match self {
            Self::Pipe(child, _) => matches!(child.try_wait(), Ok(Some(_))),
            _ => false,
        }
    }

    /// Flushes the sink and waits until the command has ended.
    pub(super) fn close(self) -> io::Result<Option<ExitStatus>> {
        match self {
            Self::Stdout(mut out) => out.flush().map(|()| None),
            Self::File(mut file) => file.flush().map(|()| None),
            Self::Pipe(mut child, mut stdin) => {
                let flushed = stdin.flush();
                drop(stdin);
                let status = child.wait()?;
                match flushed {
                    Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
                    _ => Ok(Some(status)),
                }
            }
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::File(file) => file.write(bytes),
            Self::Pipe(_, stdin) => stdin.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File(file) => file.flush(),
            Self::Pipe(_, stdin) => stdin.flush(),
        }
    }
}
