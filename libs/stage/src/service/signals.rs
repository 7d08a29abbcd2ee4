//! What asks a process to end: SIGTERM, SIGINT, SIGHUP, and a terminal that is closed, which becomes a SIGHUP.
//!
//! ```text
//!  kernel, shell, kill ──▶ SIGTERM SIGINT SIGHUP ──▶ StopSignals ──▶ Shutdown::ask
//!  closed terminal ──▶ hang_up_with_terminal ──▶ SIGHUP ─┘   (without a listener, the default action ends the process)
//! ```

use std::io::{self, IsTerminal};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal as Raised, getpid, kill_process};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Some hang-ups do not wake whoever polls a terminal.
const TERMINAL_CHECK_INTERVAL: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// SIGTERM, SIGINT and SIGHUP. None is lost between two waits, as would happen with a listener for each wait.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    /// None under `nohup`, which wants the process to survive its terminal.
    hang_up: Option<Signal>,
}

impl StopSignals {
    /// From this call on, these signals no longer end the process by themselves.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: match is_ignored(SignalKind::hangup()) {
                true => None,
                false => Some(signal(SignalKind::hangup())?),
            },
        })
    }

    pub(super) async fn next(&mut self) {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hang_up => {}
        }
    }
}

/// Waits for SIGTERM, SIGINT or SIGHUP.
pub async fn wait_for_signal() {
    match StopSignals::listen() {
        Ok(mut signals) => signals.next().await,
        // Then the signals end the process by default.
        Err(_) => std::future::pending().await,
    }
}

/// From this call on, the process gets a SIGHUP when the terminal that stdout writes to is closed.
///
/// The kernel sends one to the terminal's session leader and foreground processes only: a command that a closed window
/// or an ended tmux leaves behind gets none, and would run on for nobody. For commands that show something; a stage is
/// not ended by the terminal that it was started on.
pub fn hang_up_with_terminal() {
    if !io::stdout().is_terminal() {
        return;
    }
    let watch = || {
        let stdout = io::stdout();
        loop {
            // Hang-ups are reported whatever is asked for.
            let mut terminal = [PollFd::new(&stdout, PollFlags::empty())];
            let is_closed = poll(&mut terminal, Some(&TERMINAL_CHECK_INTERVAL)).is_ok_and(|ready| ready > 0);
            if is_closed {
                let _ = kill_process(getpid(), Raised::HUP);
                return;
            }
        }
    };
    // Without a thread, a closed terminal ends the command at its next output.
    drop(thread::Builder::new().name("terminal".to_owned()).spawn(watch));
}

/// Whether the process was started with this signal ignored. A listener would undo that.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status).is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}

/// The mask of ignored signals in Linux's `/proc/self/status`; signal 1 is the lowest bit.
fn ignored(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_lists_ignored_signals_as_a_mask() {
        assert_eq!(ignored("Name:\tx\nSigIgn:\t0000000000001001\n"), Some(0x1001));
        assert_eq!(ignored("Name:\tx\n"), None);
    }
}
