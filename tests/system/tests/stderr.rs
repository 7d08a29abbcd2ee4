//! Whatever stderr is (a full disk, closed, a pipe without a reader, a pipe that nobody reads), every binary
//! does its work and ends as it should.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

#[allow(dead_code, reason = "other tests use it to make messages")]
mod mocked;
mod processes;

use std::io::Read;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use devstack::{Broker, RegistryServer};
use processes::Process;
use stage::config::RegistryArgs;
use stage::registry::Registry;
use testkit::influx::InfluxServer;
use testkit::until;

const INPUT: &str = "Mock_telemetry";
const OUTPUT: &str = "lsst.sal.Mock_state";
/// Enough log lines to fill a pipe (64 KiB) long before the last message is carried.
const MESSAGES: usize = 2_400;
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stderr {
    Full,
    Closed,
    NoReader,
    NobodyReads,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stages_work_with_a_full_disk_as_stderr() {
    stages_work_with(Stderr::Full).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stages_work_with_a_closed_stderr() {
    stages_work_with(Stderr::Closed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stages_work_with_a_pipe_that_has_lost_its_reader() {
    stages_work_with(Stderr::NoReader).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stages_work_with_a_pipe_that_nobody_reads() {
    stages_work_with(Stderr::NobodyReads).await;
}

async fn stages_work_with(stderr: Stderr) {
    let broker = Broker::start().unwrap();
    let registry = RegistryServer::start().await.unwrap();
    let database = InfluxServer::start().await.unwrap();
    for topic in [INPUT, OUTPUT] {
        broker.create_topic(topic, 1).unwrap();
    }
    let client = Registry::new(&RegistryArgs::at(registry.url())).unwrap();
    client
        .register(&format!("{OUTPUT}-value"), &mocked::schema().to_string())
        .await
        .unwrap();

    let common = |name: &str, own: &[&str]| {
        let mut command = match stderr {
            Stderr::Closed => {
                let mut shell = Command::new("sh");
                shell
                    .args(["-c", "exec \"$@\" 2>&-", "sh"])
                    .arg(system_tests::binary(name));
                shell
            }
            _ => Command::new(system_tests::binary(name)),
        };
        command.args(own);
        command.args(["--broker", broker.bootstrap_servers(), "--schema-registry"]);
        command.args([registry.url().as_str(), "--prometheus-port", "0"]);
        // The most verbose logging.
        command.args(["--log-level", "trace", "--drain-timeout", "10"]);
        command
    };
    let (mut pipes, mut processes) = (Vec::new(), Vec::new());
    let period = format!("{}", 3.0 / MESSAGES as f64);
    let count = MESSAGES.to_string();
    let source = [
        "produce",
        "--topic",
        "Mock_state",
        "--period",
        &period,
        "--count",
        &count,
    ];
    for (name, own) in [
        (
            "saltransform",
            &["run", "--topic", INPUT, "--auto-offset-reset", "earliest"][..],
        ),
        ("influxsink", &["run", OUTPUT, "--into", &database.url()]),
        ("salmock", &source),
    ] {
        let mut command = common(name, own);
        pipes.push(redirect(&mut command, stderr));
        processes.push(Process::start(command));
    }
    let [transform, sink, mock] = processes.as_mut_slice() else {
        unreachable!("there are three")
    };
    assert_eq!(ended(mock).code(), Some(0), "salmock");
    until("all points are written", TIMEOUT.as_secs(), || {
        let found = database.counts().created as usize;
        (found == MESSAGES).then_some(()).ok_or(format!("{found} points"))
    });
    for (name, stage) in [("saltransform", transform), ("influxsink", sink)] {
        let told = Command::new("kill").arg(stage.id().to_string()).status().unwrap();
        assert!(told.success());
        assert_eq!(ended(stage).code(), Some(0), "{name}");
    }
    drop(processes);
    for pipe in pipes.into_iter().flatten() {
        let mut text = String::new();
        { pipe }.read_to_string(&mut text).unwrap();
        // A full pipe of 16 pages holds less than 64 KiB: a line that does not fit into the rest of a page begins another,
        // and lines have up to 2 KiB.
        assert!(
            text.len() >= 16 * 2_048,
            "the pipe was not full: {} bytes",
            text.len()
        );
    }
}

/// Commands without a service report their errors there.
#[test]
fn commands_end_with_their_own_exit_code() {
    let lines: [(&str, &[&str], i32); 6] = [
        (
            "kafkaefd",
            &["admin", "topics", "list", "--broker", "127.0.0.1:1"],
            69,
        ),
        (
            "kafkaefd",
            &["groups", "describe", "g", "-X", "no.such=setting"],
            64,
        ),
        ("saltransform", &["run", "--topic", "t", "--log-level", "=="], 64),
        (
            "saltransform",
            &["check", "--schemas", "/nowhere", "/nowhere"],
            64,
        ),
        ("influxsink", &["run", "t", "--into", "nowhere"], 64),
        ("salmock", &["produce", "--log-level", "=="], 64),
    ];
    for stderr in [Stderr::Full, Stderr::NoReader] {
        for (name, line, code) in lines {
            let mut command = Command::new(system_tests::binary(name));
            command.args(line).stdout(Stdio::null());
            let pipe = redirect(&mut command, stderr);
            let mut process = Process::start(command);
            assert_eq!(ended(&mut process).code(), Some(code), "{name} {line:?}");
            drop(pipe);
        }
    }
}

/// Connects a process's stderr; returns the reader's end if it must stay open.
fn redirect(command: &mut Command, stderr: Stderr) -> Option<std::io::PipeReader> {
    let (reader, writer) = std::io::pipe().unwrap();
    match stderr {
        Stderr::Full => {
            let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
            command.stderr(full.unwrap());
            None
        }
        Stderr::Closed => None,
        Stderr::NoReader => {
            command.stderr(writer);
            None
        }
        Stderr::NobodyReads => {
            command.stderr(writer);
            Some(reader)
        }
    }
}

fn ended(process: &mut Process) -> ExitStatus {
    let since = Instant::now();
    loop {
        if let Some(status) = process.status() {
            return status;
        }
        assert!(since.elapsed() < TIMEOUT, "a process does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}
