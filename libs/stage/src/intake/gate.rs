//! The gate of transactions: workers pass it with each message that they send; the commit thread shuts it while a
//! transaction ends.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Between workers and producer: shut while a transaction ends.
#[derive(Debug)]
pub struct Gate(RwLock<State>);

/// The right to send; the gate stays open as long as it exists.
#[derive(Debug)]
pub struct Pass<'a>(#[allow(dead_code, reason = "held, not read")] RwLockReadGuard<'a, State>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Shut,
    Open,
    /// No transaction will follow.
    Ended,
}

impl Default for Gate {
    /// Shut, until the first transaction has begun.
    fn default() -> Self {
        Self(RwLock::new(State::Shut))
    }
}

impl Gate {
    /// Passes when the gate is open, and calls `wait` while it is shut. `None` if it will not open again: the message
    /// is dropped unfinished.
    pub fn pass(&self, wait: impl Fn()) -> Option<Pass<'_>> {
        loop {
            // Not `read`: a waiting worker has delivery reports to serve, without which the gate never opens.
            if let Ok(state) = self.0.try_read() {
                match *state {
                    State::Open => return Some(Pass(state)),
                    State::Ended => return None,
                    State::Shut => {}
                }
            }
            wait();
        }
    }

    pub(super) fn set(&self, state: State) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_shut_gate_makes_workers_wait_and_an_ended_one_rejects_them() {
        let gate = Gate::default();
        let waits = AtomicUsize::new(0);
        let pass = gate.pass(|| match waits.fetch_add(1, Ordering::Relaxed) {
            2 => gate.set(State::Open),
            waits => assert!(waits < 2, "an open gate is not waited for"),
        });
        assert!(pass.is_some());
        drop(pass);
        gate.set(State::Ended);
        assert!(gate.pass(|| panic!("it will not open")).is_none());
    }

    #[test]
    fn the_gate_shuts_between_messages() {
        let gate = Gate::default();
        gate.set(State::Open);
        let pass = gate.pass(|| ());
        std::thread::scope(|scope| {
            let shutting = scope.spawn(|| gate.set(State::Shut));
            assert!(!shutting.is_finished(), "a message is in between");
            drop(pass);
            shutting.join().unwrap();
        });
        assert_eq!(*gate.0.read().unwrap(), State::Shut);
    }
}
