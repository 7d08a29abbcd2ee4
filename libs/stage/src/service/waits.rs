//! A dependency that several threads wait for, each for its own reason. It is available again when none of them waits,
//! not when the first of them got its answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::Dependency;
use crate::lock;

/// A dependency, shared by all that wait for it.
#[derive(Debug, Clone)]
pub struct SharedDependency {
    dependency: Dependency,
    reasons: Arc<Mutex<Reasons>>,
}

#[derive(Debug, Default)]
struct Reasons {
    next: u64,
    /// In the order in which the waits began.
    waiting: BTreeMap<u64, String>,
}

/// One wait. It ends when it is dropped; the dependency keeps its state until it is [up](SharedDependency::up).
#[derive(Debug)]
pub struct Wait {
    shared: SharedDependency,
    number: u64,
}

impl SharedDependency {
    /// Nothing waits for it yet.
    pub fn new(dependency: Dependency) -> Self {
        Self {
            dependency,
            reasons: Arc::default(),
        }
    }

    /// The dependency itself.
    pub fn dependency(&self) -> &Dependency {
        &self.dependency
    }

    /// Begins a wait.
    pub fn wait(&self) -> Wait {
        let mut reasons = lock(&self.reasons);
        reasons.next += 1;
        Wait {
            shared: self.clone(),
            number: reasons.next,
        }
    }

    /// It answers: it is available, unless something else waits for it.
    pub fn up(&self) {
        self.show(&lock(&self.reasons));
    }

    /// Called under the lock, so that two threads publish their changes in the order in which they made them.
    fn show(&self, reasons: &Reasons) {
        match reasons.waiting.values().next() {
            None => self.dependency.up(),
            Some(first) if reasons.waiting.len() == 1 => self.dependency.down(first.as_str()),
            Some(first) => self
                .dependency
                .down(format!("{first} (and {} more)", reasons.waiting.len() - 1)),
        }
    }
}

impl Wait {
    /// Gives the reason of the wait.
    pub fn because(&self, why: impl Into<String>) {
        let mut reasons = lock(&self.shared.reasons);
        reasons.waiting.insert(self.number, why.into());
        self.shared.show(&reasons);
    }

    /// Ends the wait with an answer: the dependency is available, unless others wait.
    pub fn answered(self) {
        let shared = self.shared.clone();
        drop(self);
        shared.up();
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut reasons = lock(&self.shared.reasons);
        if reasons.waiting.remove(&self.number).is_some() && !reasons.waiting.is_empty() {
            self.shared.show(&reasons);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Readiness;

    #[test]
    fn one_answer_does_not_end_the_wait_of_another() {
        let readiness = Readiness::default();
        let dependency = SharedDependency::new(readiness.dependency("registry"));
        dependency.up();
        let (first, second) = (dependency.wait(), dependency.wait());
        first.because("id 1");
        second.because("id 2");
        assert_eq!(
            readiness.missing(),
            [("registry", "id 1 (and 1 more)".to_owned())]
        );
        dependency.up();
        assert!(!readiness.is_ready());
        first.answered();
        assert_eq!(readiness.missing(), [("registry", "id 2".to_owned())]);
        second.answered();
        assert!(readiness.is_ready());
    }

    #[test]
    fn giving_up_leaves_the_dependency_unavailable_until_it_answers() {
        let readiness = Readiness::default();
        let dependency = SharedDependency::new(readiness.dependency("registry"));
        let wait = dependency.wait();
        wait.because("away");
        drop(wait);
        assert!(!readiness.is_ready());
        dependency.up();
        assert!(readiness.is_ready());
    }
}
