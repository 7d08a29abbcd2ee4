//! What Linux knows of this process, for the metrics that every Prometheus client has (`process_…`). The crate prometheus
//! has them as well, with CPU time in whole seconds and a second version of a crate that is already here.

use std::fs;

/// A sample of `/proc/self/stat`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stat {
    pub(super) cpu_seconds: f64,
    pub(super) threads: f64,
    pub(super) virtual_bytes: f64,
    pub(super) resident_bytes: f64,
    /// Since the machine started.
    started_seconds: f64,
}

/// The present state. None where the system does not report it.
pub(super) fn stat() -> Option<Stat> {
    parse(&fs::read_to_string("/proc/self/stat").ok()?)
}

fn parse(text: &str) -> Option<Stat> {
    // The second field is the command in parentheses and may contain anything; the third one is `fields[0]`.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    Some(Stat {
        cpu_seconds: (field(14)? + field(15)?) / ticks,
        threads: field(20)?,
        started_seconds: field(22)? / ticks,
        virtual_bytes: field(23)?,
        resident_bytes: field(24)? * rustix::param::page_size() as f64,
    })
}

/// The Unix time at which this process started.
pub(super) fn start_time_seconds() -> Option<f64> {
    let machine = fs::read_to_string("/proc/stat").ok()?;
    let booted = machine.lines().find_map(|line| line.strip_prefix("btime "))?;
    Some(booted.trim().parse::<f64>().ok()? + stat()?.started_seconds)
}

/// Open file descriptors.
pub(super) fn open_fds() -> Option<f64> {
    // The one that lists them is not counted.
    Some((fs::read_dir("/proc/self/fd").ok()?.count() as f64 - 1.0).max(0.0))
}

/// How many file descriptors may be open.
pub(super) fn max_fds() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let limit = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    limit.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::unix_millis;

    #[test]
    fn a_command_may_contain_anything() {
        let text =
            "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 300 200 0 0 20 0 9 0 5000 4096000 250 18446744073709551615";
        let stat = parse(text).unwrap();
        assert_eq!((stat.threads, stat.virtual_bytes), (9.0, 4_096_000.0));
        assert_eq!(stat.resident_bytes, 250.0 * rustix::param::page_size() as f64);
        assert!(stat.cpu_seconds > 0.0 && parse("7 (a").is_none() && parse("7 (a) S 1").is_none());
    }

    #[test]
    fn this_process_is_known() {
        let (stat, age) = (
            stat().unwrap(),
            unix_millis() as f64 / 1e3 - start_time_seconds().unwrap(),
        );
        assert!(stat.resident_bytes > 100_000.0 && stat.virtual_bytes > stat.resident_bytes);
        assert!(stat.threads >= 1.0);
        assert!((-2.0..3_600.0).contains(&age), "started {age} s ago");
        let open = open_fds().unwrap();
        let file = fs::File::open("/proc/self/stat").unwrap();
        assert!(open >= 1.0 && max_fds().unwrap() > open);
        drop(file);
    }
}
