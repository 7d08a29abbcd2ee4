//! The real binaries as processes that tests kill and restart after pauses that are arbitrary but the same in
//! each run.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A stage as its own process; killed when dropped.
pub(crate) struct Process {
    command: Command,
    child: Child,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let child = command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| {
            panic!("{command:?} does not start ({error}): the binaries are built by cargo test --workspace")
        });
        Self { command, child }
    }

    #[allow(dead_code, reason = "not every test kills its processes")]
    /// `SIGKILL`, like the kernel's out-of-memory killer: nothing is flushed and no group is left.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    #[allow(dead_code, reason = "not every test uses it")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    #[allow(dead_code, reason = "not every test uses it")]
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its exit status, if it has ended.
    #[allow(dead_code, reason = "not every test uses it")]
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    #[allow(dead_code, reason = "not every test restarts its processes")]
    pub(crate) fn restart(&mut self) {
        self.child = self.command.spawn().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[allow(dead_code, reason = "not every test needs pauses")]
/// Arbitrary pauses, the same ones in each run: a linear congruential generator (Knuth's MMIX constants).
pub(crate) struct Pauses(pub(crate) u64);

impl Pauses {
    #[allow(dead_code, reason = "not every test needs pauses")]
    pub(crate) fn next(&mut self, milliseconds: std::ops::Range<u64>) -> Duration {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let span = milliseconds.end - milliseconds.start;
        Duration::from_millis(milliseconds.start + (self.0 >> 33) % span)
    }
}
