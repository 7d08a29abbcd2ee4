//! The stages under test, each replica as its own process, started as an operator would.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use stage::lock;

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

/// One process of a stage, or its slot while it is down.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) stage: Stage,
    pub(crate) name: String,
    recipe: Recipe,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    port: u16,
    child: Child,
    /// The number of starts.
    starts: u32,
}

/// How a process ended that was asked to.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// Whether it ended before [`STOP_WITHIN`]; otherwise it was killed.
    pub(crate) in_time: bool,
}

/// The stages' own `--drain-timeout`, 20 s, plus what a busy machine needs for the rest of the shutdown.
pub(crate) const STOP_WITHIN: Duration = Duration::from_secs(30);

impl Replica {
    /// Starts the replica with this number.
    pub(crate) fn start(recipe: &Recipe, number: usize) -> Outcome<Self> {
        let binary = recipe.binary.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{binary}-{number}");
        let port = free_port()?;
        let child = spawn(recipe, &name, port)?;
        Ok(Self {
            stage: recipe.stage,
            name,
            recipe: recipe.clone(),
            state: Mutex::new(State {
                port,
                child,
                starts: 1,
            }),
        })
    }

    /// SIGKILL, like the kernel's out-of-memory killer: nothing is flushed and no group is left.
    pub(crate) fn kill(&self) -> Outcome<()> {
        let doing = || format!("kill {}", self.name);
        let child = &mut lock(&self.state).child;
        child.kill().map_err(Failure::io(doing()))?;
        child.wait().map(drop).map_err(Failure::io(doing()))
    }

    /// Restarts it after its end.
    pub(crate) fn restart(&self) -> Outcome<()> {
        self.restart_as(&self.recipe)
    }

    /// Restarts it after its end with another recipe.
    pub(crate) fn restart_as(&self, recipe: &Recipe) -> Outcome<()> {
        let port = free_port()?;
        let child = spawn(recipe, &self.name, port)?;
        let mut state = lock(&self.state);
        state.port = port;
        state.child = child;
        state.starts += 1;
        Ok(())
    }

    /// Stops or continues it.
    pub(crate) fn signal(&self, signal: Signal) -> Outcome<()> {
        send(lock(&self.state).child.id(), signal)
    }

    /// SIGTERM, as sent by Kubernetes; waits for the end and kills the process if it takes too long.
    pub(crate) async fn terminate(&self) -> Outcome<Ended> {
        self.signal(Signal::Terminate)?;
        let start = Instant::now();
        let mut in_time = true;
        loop {
            let ended = lock(&self.state)
                .child
                .try_wait()
                .map_err(Failure::io(format!("wait for {}", self.name)))?;
            if let Some(status) = ended {
                return Ok(Ended { status, in_time });
            }
            if start.elapsed() > STOP_WITHIN {
                in_time = false;
                self.signal(Signal::Kill)?;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Its exit status, if it exited by itself.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        lock(&self.state).child.try_wait().ok().flatten()
    }

    /// The number of starts.
    pub(crate) fn starts(&self) -> u32 {
        lock(&self.state).starts
    }

    pub(crate) async fn counts(&self, http: &reqwest::Client) -> Outcome<Counts> {
        let port = lock(&self.state).port;
        Counts::of(http, port).await
    }

    /// Its answer on a path such as `/ready`: status and text.
    pub(crate) async fn answer(&self, http: &reqwest::Client, path: &str) -> Result<(u16, String), String> {
        let url = format!("http://127.0.0.1:{}{path}", lock(&self.state).port);
        let answer = http.get(&url).timeout(Duration::from_secs(3)).send().await;
        let answer = answer.map_err(|error| stage::chain(&error))?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.unwrap_or_default()))
    }

    /// Waits until `/ready` answers 200.
    pub(crate) async fn wait_ready(&self, http: &reqwest::Client, seconds: u64) -> Outcome<()> {
        until(&format!("{} is ready", self.name), seconds, || async {
            match self.answer(http, "/ready").await? {
                (200, _) => Ok(()),
                (_, text) => Err(text),
            }
        })
        .await
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // A failed run may leave it stopped: SIGKILL also ends a stopped process.
        let child = &mut lock(&self.state).child;
        let _ = child.kill();
        let _ = child.wait();
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
        "start {} (built by `cargo build --workspace --bins`)",
        recipe.binary.display()
    )))
}

/// A port that is free at the moment.
fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    Ok(listener.map_err(Failure::io("find a free port"))?.port())
}
