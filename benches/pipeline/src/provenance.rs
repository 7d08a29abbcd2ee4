//! Where and when a table was measured: a line under each table in the report, because a figure means little
//! without its machine.

use std::fs;
use std::process::Command;

/// The date, the commit and the machine of this run.
pub(crate) fn line(quick: bool) -> String {
    let day = jiff::Timestamp::now().strftime("%Y-%m-%d");
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let machine = machine(&read("/proc/cpuinfo"), &read("/proc/meminfo"));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let rough = if quick {
        " Short and rough (`--quick`)."
    } else {
        ""
    };
    format!("{day}, {}, {cores} cores of {machine}.{rough}", commit())
}

/// The checked-out commit, and whether its code has been changed since.
fn commit() -> String {
    let git = |arguments: &[&str]| Command::new("git").args(arguments).output();
    let Ok(head) = git(&["rev-parse", "--short", "HEAD"]) else {
        return "no commit".to_owned();
    };
    let changed = git(&[
        "status",
        "--porcelain",
        "--",
        "bins",
        "libs",
        "benches",
        "tests",
        "scripts",
        "Cargo.lock",
    ]);
    let changed = changed.is_ok_and(|status| !status.stdout.is_empty());
    let head = String::from_utf8_lossy(&head.stdout);
    format!(
        "commit {}{}",
        head.trim(),
        if changed { " with changes" } else { "" }
    )
}

/// A summary of Linux's `/proc/cpuinfo` and `/proc/meminfo`.
fn machine(cpuinfo: &str, meminfo: &str) -> String {
    let value = |text: &str, name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(key, _)| key.trim() == name);
        found.map(|(_, value)| value.trim().to_owned())
    };
    let model = value(cpuinfo, "model name").unwrap_or_else(|| "an unknown processor".to_owned());
    let memory = value(meminfo, "MemTotal");
    let kib = memory.and_then(|text| text.strip_suffix(" kB")?.parse::<f64>().ok());
    match kib {
        Some(kib) => format!("{model}, {:.0} GiB of memory", kib / f64::from(1 << 20)),
        None => model,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_named_by_its_processor_and_memory() {
        let cpuinfo =
            "processor\t: 0\nmodel name\t: A Processor @ 2 GHz\nmodel name\t: A Processor @ 2 GHz\n";
        let meminfo = "MemTotal:       25165824 kB\nMemFree: 1 kB\n";
        assert_eq!(machine(cpuinfo, meminfo), "A Processor @ 2 GHz, 24 GiB of memory");
        assert_eq!(machine("", ""), "an unknown processor");
    }
}
