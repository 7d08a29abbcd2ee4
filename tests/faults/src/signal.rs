//! Signals, sent by the system's `kill`: a process id is all that is known of services that another process started.

use std::process::{Command, Stdio};

use crate::failure::{Failure, Outcome};

/// What a process is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGKILL: gone at once, nothing is flushed.
    Kill,
    /// SIGTERM: end in order.
    Terminate,
    /// SIGSTOP: stand still, connections stay open.
    Stop,
    /// SIGCONT: go on.
    Continue,
}

/// Sends a signal to one process that this run, or `scripts/services` for it, has started.
pub(crate) fn send(pid: u32, signal: Signal) -> Outcome<()> {
    let name = match signal {
        Signal::Kill => "-KILL",
        Signal::Terminate => "-TERM",
        Signal::Stop => "-STOP",
        Signal::Continue => "-CONT",
    };
    let status = Command::new("kill")
        .args([name, &pid.to_string()])
        .stdin(Stdio::null())
        .status()
        .map_err(Failure::io("run kill"))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::Unexpected(format!(
            "process {pid} is not there for {name}"
        )))
    }
}
