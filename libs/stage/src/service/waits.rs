//! A part of `/ready` that several threads wait for, each for a reason of its own: it is there again when none of them
//! waits any more, and not when one of them got its answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::Part;
use crate::lock;

/// The part, shared by all who wait for it.
#[derive(Debug, Clone)]
pub struct SharedPart {
    part: Part,
    reasons: Arc<Mutex<Reasons>>,
}

#[derive(Debug, Default)]
struct Reasons {
    next: u64,
    /// In the order in which the waits began.
    waiting: BTreeMap<u64, String>,
}

/// One that waits. Dropped, it waits no more; the part stays as it is until somebody says that it is
/// [up](SharedPart::up).
#[derive(Debug)]
pub struct Wait {
    shared: SharedPart,
    number: u64,
}

impl SharedPart {
    /// Nobody waits for the part yet.
    pub fn new(part: Part) -> Self {
        Self {
            part,
            reasons: Arc::default(),
        }
    }

    /// The part itself.
    pub fn part(&self) -> &Part {
        &self.part
    }

    /// Somebody begins to wait.
    pub fn wait(&self) -> Wait {
        let mut reasons = lock(&self.reasons);
        reasons.next += 1;
        Wait {
            shared: self.clone(),
            number: reasons.next,
        }
    }

    /// The part answers. It is there, unless somebody waits for something else of it.
    pub fn up(&self) {
        self.show(&lock(&self.reasons));
    }

    /// Under the lock, so that two threads show their states in the order in which they changed them.
    fn show(&self, reasons: &Reasons) {
        match reasons.waiting.values().next() {
            None => self.part.up(),
            Some(first) if reasons.waiting.len() == 1 => self.part.down(first.as_str()),
            Some(first) => self
                .part
                .down(format!("{first} (and {} more)", reasons.waiting.len() - 1)),
        }
    }
}

impl Wait {
    /// It waits because of this.
    pub fn because(&self, why: impl Into<String>) {
        let mut reasons = lock(&self.shared.reasons);
        reasons.waiting.insert(self.number, why.into());
        self.shared.show(&reasons);
    }

    /// It has its answer: the part is there, unless others wait.
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
        let part = SharedPart::new(readiness.part("registry"));
        part.up();
        let (first, second) = (part.wait(), part.wait());
        first.because("id 1");
        second.because("id 2");
        assert_eq!(
            readiness.missing(),
            [("registry", "id 1 (and 1 more)".to_owned())]
        );
        part.up();
        assert!(!readiness.is_ready());
        first.answered();
        assert_eq!(readiness.missing(), [("registry", "id 2".to_owned())]);
        second.answered();
        assert!(readiness.is_ready());
    }

    #[test]
    fn who_gives_up_leaves_the_part_as_it_is_until_it_answers() {
        let readiness = Readiness::default();
        let part = SharedPart::new(readiness.part("registry"));
        let wait = part.wait();
        wait.because("away");
        drop(wait);
        assert!(!readiness.is_ready());
        part.up();
        assert!(readiness.is_ready());
    }
}
