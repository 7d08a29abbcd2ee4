//! Processes that run in turn, one at a time, as if each had its own cores. The row `scaling` needs this on a
//! machine whose cores are fully used by one replica and the broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::failure::{Doing, Failure, Outcome};
use crate::process::Process;

/// How long a turn lasts: much longer than a process needs to resume, much shorter than a session.
const TURN: Duration = Duration::from_millis(50);

/// Processes that take turns until this is dropped; then all of them run again.
#[derive(Debug)]
pub(crate) struct Turns {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Turns {
    /// Each of `processes` runs in one of `turns` and is stopped in all others. In a turn without a process,
    /// none runs.
    pub(crate) fn of(processes: &[Process], turns: usize) -> Outcome<Self> {
        let ids = processes.iter().map(|process| {
            let id = i32::try_from(process.pid()).ok().and_then(Pid::from_raw);
            id.ok_or_else(|| Failure::Unexpected(format!("{} has no process id", process.name())))
        });
        let ids: Vec<Pid> = ids.collect::<Outcome<_>>()?;
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let thread = std::thread::Builder::new().name("turns".to_owned());
        let thread = thread.spawn(move || take_turns(&ids, turns.max(ids.len()), &told));
        Ok(Self {
            over,
            thread: Some(thread.doing("start a thread")?),
        })
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn take_turns(ids: &[Pid], turns: usize, over: &AtomicBool) {
    // If a process has ended meanwhile, the code that watches its records notices.
    let tell = |id: &Pid, signal| {
        let _ = kill_process(*id, signal);
    };
    ids.iter().for_each(|id| tell(id, Signal::STOP));
    for turn in (0..turns).cycle() {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let whose = ids.get(turn);
        whose.inspect(|id| tell(id, Signal::CONT));
        std::thread::sleep(TURN);
        whose.inspect(|id| tell(id, Signal::STOP));
    }
    ids.iter().for_each(|id| tell(id, Signal::CONT));
}
