//! Plans that people were shown. What is carried out is what was shown, and not what would be planned by then.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use stage::lock;

use crate::access::random;

/// Plans that are kept at a time: that of a large replay has a megabyte for each ten thousand dead letters.
const MAX_PLANS: usize = 8;
/// How long somebody may look at a plan.
const MAX_AGE: Duration = Duration::from_secs(900);

/// The newest plans of one kind, each for one person and one time.
pub(crate) struct Plans<P>(Mutex<VecDeque<Shown<P>>>);

struct Shown<P> {
    id: String,
    user: String,
    since: Instant,
    plan: P,
}

impl<P> Default for Plans<P> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<P> Plans<P> {
    /// Keeps a plan; its id goes into the form that carries it out.
    pub(crate) fn keep(&self, user: &str, plan: P) -> String {
        let id = random();
        let mut shown = lock(&self.0);
        shown.retain(|shown| shown.since.elapsed() < MAX_AGE);
        if shown.len() >= MAX_PLANS {
            shown.pop_front();
        }
        shown.push_back(Shown {
            id: id.clone(),
            user: user.to_owned(),
            since: Instant::now(),
            plan,
        });
        id
    }

    /// The plan that a form names, if this person was shown it a short while ago. It can be had once.
    pub(crate) fn take(&self, user: &str, id: Option<&str>) -> Option<P> {
        let mut shown = lock(&self.0);
        let is_it =
            |shown: &Shown<P>| id == Some(&shown.id) && shown.user == user && shown.since.elapsed() < MAX_AGE;
        let index = shown.iter().position(is_it)?;
        Some(shown.remove(index)?.plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_of_one_person_and_carried_out_once() {
        let plans = Plans::default();
        let (first, other) = (plans.keep("anna", 1), plans.keep("anna", 2));
        assert_eq!(plans.take("bert", Some(&first)), None);
        assert_eq!(plans.take("anna", None), None);
        assert_eq!(plans.take("anna", Some(&first)), Some(1));
        assert_eq!(plans.take("anna", Some(&first)), None);
        for number in 0..MAX_PLANS {
            plans.keep("bert", number);
        }
        assert_eq!(plans.take("anna", Some(&other)), None, "it was the oldest");
    }
}
