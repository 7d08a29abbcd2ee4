//! Signals, sent with the system's `kill`: only the process id is known of services that another process
//! started.

use std::process::{Command, Stdio};

use crate::failure::{Failure, Outcome};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGKILL: the process ends immediately, nothing is flushed.
    Kill,
    /// SIGTERM: shut down cleanly.
    Terminate,
    /// SIGSTOP: stop, connections stay open.
    Stop,
    /// SIGCONT: continue.
    Continue,
}

/// Sends a signal to one process that this run, or `scripts/services` on its behalf, has started.
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
            "process {pid} does not exist for {name}"
        )))
    }
}
