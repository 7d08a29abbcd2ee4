//! The stages under test, each replica as its own process: the binaries as they are built, started as an operator would.

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

/// One process of a stage, or its place while it is dead.
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
    /// How often it was started.
    starts: u32,
}

/// How a process ended that was told to.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// Whether that came before [`STOP_WITHIN`]; it was killed then.
    pub(crate) in_time: bool,
}

/// The stages' own `--drain-timeout`, 20 s, and what a busy machine needs for the rest of an end.
pub(crate) const STOP_WITHIN: Duration = Duration::from_secs(30);

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
            state: Mutex::new(State {
                port,
                child,
                starts: 1,
            }),
        })
    }

    /// SIGKILL, as the kernel's out-of-memory killer does it: nothing is flushed, no group is left.
    pub(crate) fn kill(&self) -> Outcome<()> {
        let doing = || format!("kill {}", self.name);
        let child = &mut lock(&self.state).child;
        child.kill().map_err(Failure::io(doing()))?;
        child.wait().map(drop).map_err(Failure::io(doing()))
    }

    /// Starts it again after its end.
    pub(crate) fn restart(&self) -> Outcome<()> {
        self.restart_as(&self.recipe)
    }

    /// Starts it again after its end, from another recipe this time.
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

    /// SIGTERM, as Kubernetes does it; waits for the end, and kills it if that does not come.
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

    /// Whether it ended by itself, and how.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        lock(&self.state).child.try_wait().ok().flatten()
    }

    /// How often it was started.
    pub(crate) fn starts(&self) -> u32 {
        lock(&self.state).starts
    }

    /// Its metrics.
    pub(crate) async fn counts(&self, http: &reqwest::Client) -> Outcome<Counts> {
        let port = lock(&self.state).port;
        Counts::of(http, port).await
    }

    /// What it answers on a path such as `/ready`: the status and the text.
    pub(crate) async fn says(&self, http: &reqwest::Client, path: &str) -> Result<(u16, String), String> {
        let url = format!("http://127.0.0.1:{}{path}", lock(&self.state).port);
        let answer = http.get(&url).timeout(Duration::from_secs(3)).send().await;
        let answer = answer.map_err(|error| stage::chain(&error))?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.unwrap_or_default()))
    }

    /// Waits until `/ready` says 200.
    pub(crate) async fn wait_ready(&self, http: &reqwest::Client, seconds: u64) -> Outcome<()> {
        until(&format!("{} is ready", self.name), seconds, || async {
            match self.says(http, "/ready").await? {
                (200, _) => Ok(()),
                (_, text) => Err(text),
            }
        })
        .await
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // A failed run may leave it stopped: SIGKILL ends a stopped process too.
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
        "start {} (`cargo build --workspace --bins` makes it)",
        recipe.binary.display()
    )))
}

/// A port that nobody has now.
fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    Ok(listener.map_err(Failure::io("find a free port"))?.port())
}
