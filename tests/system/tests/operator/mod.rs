//! The operator's commands, run as processes against real services.

mod connectors;
mod dead_letters;
mod groups;
mod hello;
mod inject;
mod latency;
mod load;
mod output;
mod produce;
mod registry;
mod tail;
mod top;
mod topics;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::Value as Json;

use super::real::{Services, kafka, unique};
use super::runtime;

/// The limit for one command; the slowest takes a sixth of it.
const TIMEOUT: Duration = Duration::from_secs(180);

/// The result of a command.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs kafkaefd to its end, with the services in its environment and without a terminal.
pub(crate) fn kafkaefd(services: &Services, arguments: &[&str]) -> Ran {
    kafkaefd_with(services, arguments, b"")
}

/// The same, with text on standard input.
pub(crate) fn kafkaefd_with(services: &Services, arguments: &[&str], input: &[u8]) -> Ran {
    let mut running = Running::spawn(services, arguments);
    let mut stdin = running.child().stdin.take().unwrap();
    // A command that rejects its arguments reads nothing.
    let _ = stdin.write_all(input);
    drop(stdin);
    running.end()
}

/// A command that runs until it is interrupted; killed at the end of its test in any case.
pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn spawn(services: &Services, arguments: &[&str]) -> Self {
        let mut command = Command::new(system_tests::binary("kafkaefd"));
        Self::start(services, command.args(arguments))
    }

    /// Runs with a terminal for standard input and output, through `script`.
    fn on_a_terminal(services: &Services, arguments: &[&str]) -> Self {
        let line = format!(
            "{} {}",
            system_tests::binary("kafkaefd").display(),
            arguments.join(" ")
        );
        let mut command = Command::new("script");
        Self::start(
            services,
            command.args(["--quiet", "--return", "--command", &line, "/dev/null"]),
        )
    }

    fn start(services: &Services, command: &mut Command) -> Self {
        let child = command
            .env("BROKER", services.get("BROKER"))
            .env("SCHEMAREGISTRY", services.get("SCHEMAREGISTRY"))
            .env_remove("NO_COLOR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(Some(child.unwrap()))
    }

    /// Its standard output, to be read while it runs.
    pub(crate) fn stdout(&mut self) -> ChildStdout {
        self.child().stdout.take().unwrap()
    }

    /// Its standard error, to be read while it runs.
    pub(crate) fn stderr(&mut self) -> ChildStderr {
        self.child().stderr.take().unwrap()
    }

    pub(crate) fn id(&mut self) -> u32 {
        self.child().id()
    }

    /// The address at which a console serves its pages, with a slash at its end. Its log is read on until it ends, so that
    /// it never waits for a reader.
    pub(crate) fn console_address(&mut self) -> String {
        let mut log = BufReader::new(self.stderr()).lines().map_while(Result::ok);
        let served = log
            .find(|line| line.contains("the console is served"))
            .expect("the console is served");
        std::thread::spawn(move || log.for_each(drop));
        let address = served.split_once("address=").expect("with its address").1;
        let address = address.split_whitespace().next().unwrap_or_default();
        address.trim_matches('"').to_owned()
    }

    /// Types into its terminal.
    fn type_line(&mut self, text: &str) {
        writeln!(self.child().stdin.as_mut().unwrap(), "{text}").unwrap();
    }

    /// Sends Ctrl-C and returns the result.
    pub(crate) fn interrupt(mut self) -> Ran {
        self.signal();
        self.end()
    }

    pub(crate) fn signal(&mut self) {
        kill(self.child().id(), "-INT");
    }

    /// Waits for the result; a command that does not end is killed and then has no exit code 0.
    pub(crate) fn end(mut self) -> Ran {
        let child = self.0.take().unwrap();
        let (pid, (over, ended)) = (child.id(), channel::<()>());
        let watchdog = std::thread::spawn(move || {
            if ended.recv_timeout(TIMEOUT) == Err(RecvTimeoutError::Timeout) {
                kill(pid, "-KILL");
            }
        });
        let output = child.wait_with_output().unwrap();
        drop(over);
        watchdog.join().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    fn child(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }
}

fn kill(pid: u32, signal: &str) {
    let sent = Command::new("kill").args([signal, &pid.to_string()]).status();
    assert!(sent.unwrap().success());
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Creates a topic for one test.
fn topic(services: &Services, prefix: &str, partitions: i32) -> String {
    let name = unique(prefix);
    runtime().block_on(kafka::create_topics(
        services,
        std::slice::from_ref(&name),
        partitions,
    ));
    name
}

fn json_lines(text: &str) -> Vec<Json> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// Produces messages `0`, `1`, … in one transaction each, followed by an aborted transaction of `aborted`
/// messages.
fn transactions(services: &Services, topic: &str, partition: i32, committed: usize, aborted: usize) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", services.get("BROKER"))
        .set("transactional.id", unique("transactions"))
        .create()
        .unwrap();
    let send = |number: usize| {
        let text = number.to_string();
        let record = BaseRecord::<(), str>::to(topic)
            .partition(partition)
            .payload(&text);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    };
    producer.init_transactions(TIMEOUT).unwrap();
    for number in 0..committed {
        producer.begin_transaction().unwrap();
        send(number);
        producer.commit_transaction(TIMEOUT).unwrap();
    }
    if aborted > 0 {
        producer.begin_transaction().unwrap();
        (0..aborted).for_each(|_| send(usize::MAX));
        producer.flush(TIMEOUT).unwrap();
        producer.abort_transaction(TIMEOUT).unwrap();
    }
}
