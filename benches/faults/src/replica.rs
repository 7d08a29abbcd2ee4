//! The stages under test, each replica as its own process: the binaries as they are built, started as an operator would.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::failure::{Failure, Outcome, until};
use crate::ledger::Stage;
use crate::metrics::Counts;
use crate::signal::{Signal, send};

/// What all replicas of a stage are started with.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    pub(crate) stage: Stage,
    pub(crate) binary: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) logs: PathBuf,
}

/// One process of a stage, or its place while it is dead.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) stage: Stage,
    pub(crate) name: String,
    recipe: Recipe,
    port: u16,
    child: Child,
    /// How often it was started.
    pub(crate) starts: u32,
}

impl Replica {
    /// Starts the replica of that number.
    pub(crate) fn start(recipe: &Recipe, number: usize) -> Outcome<Self> {
        let binary = recipe.binary.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{binary}-{number}");
        let port = free_port()?;
        let child = spawn(recipe, &name, port)?;
        Ok(Self {
            stage: recipe.stage,
            name,
            recipe: recipe.clone(),
            port,
            child,
            starts: 1,
        })
    }

    /// SIGKILL, as the kernel's out-of-memory killer does it: nothing is flushed, no group is left.
    pub(crate) fn kill(&mut self) -> Outcome<()> {
        let doing = || format!("kill {}", self.name);
        self.child.kill().map_err(Failure::io(doing()))?;
        self.child.wait().map(drop).map_err(Failure::io(doing()))
    }

    /// Starts it again after its end.
    pub(crate) fn restart(&mut self) -> Outcome<()> {
        self.port = free_port()?;
        self.child = spawn(&self.recipe, &self.name, self.port)?;
        self.starts += 1;
        Ok(())
    }

    /// Stops or continues it.
    pub(crate) fn signal(&self, signal: Signal) -> Outcome<()> {
        send(self.child.id(), signal)
    }

    /// SIGTERM, as Kubernetes does it; waits for the end, and kills it if that does not come.
    pub(crate) async fn terminate(&mut self) -> Outcome<ExitStatus> {
        const PATIENCE: Duration = Duration::from_secs(30);
        self.signal(Signal::Terminate)?;
        let start = Instant::now();
        loop {
            let ended = self
                .child
                .try_wait()
                .map_err(Failure::io(format!("wait for {}", self.name)))?;
            if let Some(status) = ended {
                return Ok(status);
            }
            if start.elapsed() > PATIENCE {
                self.signal(Signal::Kill)?;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Whether it ended by itself, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Its metrics.
    pub(crate) async fn counts(&self, http: &reqwest::Client) -> Outcome<Counts> {
        Counts::of(http, self.port).await
    }

    /// Waits until `/ready` says 200.
    pub(crate) async fn wait_ready(&self, http: &reqwest::Client, seconds: u64) -> Outcome<()> {
        let url = format!("http://127.0.0.1:{}/ready", self.port);
        until(&format!("{} is ready", self.name), seconds, || async {
            let answer = http.get(&url).timeout(Duration::from_secs(3)).send().await;
            match answer {
                Ok(answer) if answer.status().is_success() => Ok(()),
                Ok(answer) => Err(answer.text().await.unwrap_or_default()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // A failed run may leave it stopped: SIGKILL ends a stopped process too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(recipe: &Recipe, name: &str, port: u16) -> Outcome<Child> {
    let path = recipe.logs.join(format!("{name}.log"));
    let doing = || format!("write {}", path.display());
    let log = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(Failure::io(doing()))?;
    let errors = log.try_clone().map_err(Failure::io(doing()))?;
    let mut command = Command::new(&recipe.binary);
    command
        .args(&recipe.arguments)
        .args(["--prometheus-port", &port.to_string()])
        .envs(recipe.environment.iter().map(|(key, value)| (key, value)))
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors);
    command.spawn().map_err(Failure::io(format!(
        "start {} (`cargo build --workspace --bins` makes it)",
        recipe.binary.display()
    )))
}

/// A port that nobody has now.
fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    Ok(listener.map_err(Failure::io("find a free port"))?.port())
}
