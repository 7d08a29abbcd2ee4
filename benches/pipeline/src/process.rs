//! The measured programs, each as its own process: release binaries with an operator's flags. None of them
//! outlives the run.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::failure::{Doing, Failure, Outcome};

/// How long a process may take to shut down.
const TIMEOUT: Duration = Duration::from_secs(40);

/// A running process.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    log: PathBuf,
    child: Child,
    /// The port of its `/metrics`, if it has one.
    pub(crate) port: u16,
    /// When it was started.
    pub(crate) started: Instant,
}

impl Process {
    /// Starts a program; its output goes to `logs`.
    pub(crate) fn start<'e>(
        name: &str,
        program: &Path,
        arguments: &[String],
        environment: impl Iterator<Item = (&'e String, &'e String)>,
        logs: &Path,
        port: u16,
    ) -> Outcome<Self> {
        let path = logs.join(format!("{name}.log"));
        let log = File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&path);
        let log = log.doing(format!("write {}", path.display()))?;
        let errors = log.try_clone().doing(format!("write {}", path.display()))?;
        let started = Instant::now();
        let child = Command::new(program)
            .args(arguments)
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .doing(format!("start {}", program.display()))?;
        Ok(Self {
            name: name.to_owned(),
            log: path,
            child,
            port,
            started,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Fails if it has exited by itself.
    pub(crate) fn check(&mut self) -> Outcome<()> {
        match self.child.try_wait() {
            Ok(Some(status)) => Err(Failure::Unexpected(format!(
                "{} exited by itself ({status}); see {}",
                self.name,
                self.log.display()
            ))),
            _ => Ok(()),
        }
    }

    /// Waits until it exits by itself.
    pub(crate) async fn wait(&mut self, timeout: Duration) -> Outcome<ExitStatus> {
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            let ended = self.child.try_wait().doing(format!("wait for {}", self.name))?;
            if let Some(status) = ended {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (name, log) = (&self.name, self.log.display());
        Err(Failure::Unexpected(format!(
            "{name} does not end within {timeout:?}; see {log}"
        )))
    }

    /// Sends SIGTERM, like Kubernetes, and waits for the exit.
    pub(crate) async fn stop(mut self) -> Outcome<()> {
        let asked = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        asked.doing("run kill")?;
        self.wait(TIMEOUT).await.map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free at the moment.
pub(crate) fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    Ok(listener.doing("find a free port")?.port())
}
