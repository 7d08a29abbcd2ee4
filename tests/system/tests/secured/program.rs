//! A binary as its own process: its output, the answers of its port, and its exit.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use system_tests::binary;
use testkit::prometheus::sum;

use super::stack::Secured;
use crate::real::{unique, until};

/// A running binary; killed when dropped.
pub(crate) struct Program {
    name: &'static str,
    child: Child,
    output: PathBuf,
    ended: Option<ExitStatus>,
}

impl Program {
    /// Starts a binary with its port on a free one. Its output goes to a file in the test's folder.
    pub(crate) fn start(secured: &Secured, name: &'static str, arguments: &[Vec<String>]) -> Self {
        let mut arguments = arguments.concat();
        arguments.extend(["--prometheus-port".to_owned(), "0".to_owned()]);
        Self::start_bare(secured, name, &arguments, &[])
    }

    /// Starts a binary with these arguments and variables; of the test's own environment it inherits only
    /// PATH.
    pub(crate) fn start_bare(
        secured: &Secured,
        name: &'static str,
        arguments: &[String],
        environment: &[(&str, &str)],
    ) -> Self {
        let output = secured.folder.path().join(unique(name));
        let file = File::create(&output).unwrap();
        let mut command = Command::new(binary(name));
        command
            .args(arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.envs(environment.iter().copied()).stdin(Stdio::null());
        let child = command
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{name} does not start ({error}): the binaries are built by cargo test --workspace")
            });
        Self {
            name,
            child,
            output,
            ended: None,
        }
    }

    /// Everything that it has printed.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap()).into_owned()
    }

    /// Its arguments, as every process of the machine can see them; `None` if the system does not show them.
    pub(crate) fn arguments(&self) -> Option<String> {
        let bytes = std::fs::read(format!("/proc/{}/cmdline", self.child.id())).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The answer of its port, if it is open.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        self.ask("metrics and readiness are served", path)
    }

    /// A page of the console, if it is served.
    pub(crate) fn page(&self, path: &str) -> Option<String> {
        self.ask("the console is served", path)
    }

    /// The answer of the port whose address it has logged with these words.
    fn ask(&self, words: &str, path: &str) -> Option<String> {
        let output = self.output();
        let line = output.lines().find(|line| line.contains(words))?;
        let address = line.split("address=").nth(1)?.split_whitespace().next()?;
        let address = address.trim_start_matches("http://").trim_end_matches('/');
        let mut link = TcpStream::connect(address).ok()?;
        link.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        write!(
            link,
            "GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )
        .ok()?;
        let mut answer = String::new();
        link.read_to_string(&mut answer).ok()?;
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
    }

    /// The sum of a counter or gauge over its labels.
    pub(crate) fn count(&self, name: &str) -> u64 {
        let metrics = self.get("metrics").unwrap_or_default();
        sum(&metrics, name).unwrap_or_default() as u64
    }

    /// Waits until `/ready` contains a text.
    pub(crate) fn wait_ready(&self, text: &str) -> String {
        until(&format!("{} says {text:?} in /ready", self.name), 90, || {
            let ready = self.get("ready").unwrap_or_default();
            if ready.contains(text) {
                Ok(ready)
            } else {
                Err(format!("it says {ready:?}; {}", self.output()))
            }
        })
    }

    /// Waits until a counter reaches a value.
    pub(crate) fn wait_count(&self, name: &str, wanted: u64) {
        until(&format!("{name} is {wanted}"), 90, || {
            let count = self.count(name);
            if count >= wanted {
                return Ok(());
            }
            Err(format!(
                "it is {count}; {} {}",
                self.get("ready").unwrap_or_default(),
                self.output()
            ))
        });
    }

    /// Waits until it ends by itself; returns whether it succeeded.
    pub(crate) fn wait_end(&mut self) -> bool {
        until(&format!("{} ends", self.name), 90, || {
            self.ended = self.child.try_wait().unwrap();
            self.ended
                .map(|status| status.success())
                .ok_or_else(|| self.output())
        })
    }

    /// Stops it like Kubernetes; returns whether it succeeded.
    pub(crate) fn stop(mut self) -> bool {
        let sent = Command::new("kill")
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(sent.success());
        self.wait_end()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.ended.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
