//! Every subcommand, with arguments that make it print to standard output, and what happens if that output
//! cannot be written. Says which of them run against embedded services and which need real ones, for the
//! tests of both.

use std::fs::File;
use std::process::{Command, Output, Stdio};

/// The test fills in each `{…}`, with something new each time.
pub(crate) const EMBEDDED: [&str; 33] = [
    "--help",
    "--version",
    "tail --help",
    "clusters",
    "completions bash",
    "man",
    "salschema convert --xml-dir {xml}",
    "salschema convert --xml-dir {xml} --json",
    "salschema diff {xml} {xml} --json",
    "k8s new Test --xml-dir {xml} --into {overlays} --name {overlay}",
    "registry list",
    "registry show {subject}",
    "registry test {subject} {schema}",
    "registry upload {subject} {schema}",
    "registry delete {subject} --yes",
    "registry compat",
    "tail {topic} -e -o beginning",
    "tail {topic} -e -o beginning --format json",
    "produce {topic} --json",
    "inject --file {schema} {topic} --count 1 --json",
    "helloworld produce --topic {topic}",
    "helloworld consume -e --topic {topic}",
    "helloavro produce --topic {topic}",
    "helloavro consume -e --topic {records}",
    "connectors list",
    "admin connectors create influxdb-sink a-topic --dry-run",
    "admin connectors create from-file {connector}",
    "connectors status c",
    "admin connectors config c",
    "admin connectors restart c",
    "admin connectors pause c",
    "admin connectors resume c",
    "admin connectors delete c --yes",
];

/// Those that need something from the cluster that the embedded broker does not support.
pub(crate) const REAL: [&str; 18] = [
    "topics list",
    "topics describe {topic}",
    "admin topics create {name}",
    "admin topics delete {topic} --yes",
    "admin topics partition {topic} 5 --dry-run",
    "admin topics config {topic}",
    "admin topics offsets {topic}",
    "brokers",
    "groups list",
    "groups list --json",
    "groups describe {group}",
    "groups reset {group} --to earliest",
    "groups delete {group} --yes",
    "dead-letters list --in {topic}",
    "dead-letters show --in {topic} --json",
    "dead-letters replay --in {topic} --dry-run",
    "latency --filter {topic} --json",
    "load --topics 1 --seconds 1 --rate 10",
];

/// Too slow to be run more than once.
pub(crate) const SLOW: [&str; 2] = ["demo --topics 1 --seconds 1 --json", "top --once --interval 0.1"];

/// With a full disk: exit code 1 and the reason.
pub(crate) fn is_reported(command: Command, line: &str) {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let ran = run(command, full.into());
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{line}: {stderr}");
    assert!(stderr.contains("No space left on device"), "{line}: {stderr}");
}

/// With a reader that has closed the pipe: not an error.
pub(crate) fn is_quiet(command: Command, line: &str) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ran = run(command, writer.into());
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{line}: {stderr}");
    assert!(!stderr.contains("roken pipe"), "{line}: {stderr}");
}

fn run(mut command: Command, stdout: Stdio) -> Output {
    let lines = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(lines.path(), "a line\n").unwrap();
    command.stdin(File::open(lines.path()).unwrap());
    command.stdout(stdout).stderr(Stdio::piped());
    // `Command::output` would capture stdout.
    command.spawn().unwrap().wait_with_output().unwrap()
}
