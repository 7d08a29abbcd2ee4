//! The resources that a process has used, according to the kernel: CPU time of all its threads, and resident
//! memory.

use std::time::Duration;

use crate::failure::{Doing, Failure, Outcome};

/// The kernel's unit in `/proc/PID/stat`: 100 ticks per second on every Linux that these services run on.
const TICK: Duration = Duration::from_millis(10);

/// Memory of a process, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// The current value.
    pub(crate) resident: u64,
    /// The peak.
    pub(crate) peak: u64,
}

/// CPU time, user and system, since the process started.
pub(crate) fn cpu(pid: u32) -> Outcome<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).doing(format!("read {path}"))?;
    // The command's name, in parentheses, can contain spaces; utime and stime are the 12th and 13th field
    // after it.
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: Vec<u32> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse().ok())
        .collect();
    match ticks.as_slice() {
        [user, system] => Ok(TICK * *user + TICK * *system),
        _ => Err(Failure::Unexpected(format!("{path} has an unknown form"))),
    }
}

/// Resident memory.
pub(crate) fn memory(pid: u32) -> Outcome<Memory> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).doing(format!("read {path}"))?;
    let bytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1024)
    };
    match (bytes("VmRSS:"), bytes("VmHWM:")) {
        (Some(resident), Some(peak)) => Ok(Memory { resident, peak }),
        _ => Err(Failure::Unexpected(format!("{path} does not list the memory"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_memory() {
        let pid = std::process::id();
        assert!(cpu(pid).is_ok());
        let memory = memory(pid).unwrap();
        assert!(memory.resident > 0 && memory.peak >= memory.resident);
    }
}
