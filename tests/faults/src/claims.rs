//! Which processes are being hit: two concurrent faults never take the same process.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stage::lock;

/// The names of all processes that faults have claimed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claims(Arc<Mutex<HashSet<String>>>);

/// A process that belongs to one fault until this is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    claims: Claims,
    pub(crate) name: String,
}

impl Claims {
    /// Claims a process if it is free.
    pub(crate) fn take(&self, name: &str) -> Option<Claim> {
        let is_free = lock(&self.0).insert(name.to_owned());
        is_free.then(|| Claim {
            claims: self.clone(),
            name: name.to_owned(),
        })
    }

    /// Claims the first of these that is free; waits while none is.
    pub(crate) async fn take_one_of(&self, names: &[String]) -> Claim {
        loop {
            if let Some(claim) = names.iter().find_map(|name| self.take(name)) {
                return claim;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether a fault has claimed it.
    pub(crate) fn has(&self, name: &str) -> bool {
        lock(&self.0).contains(name)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.claims.0).remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_claimed_process_is_not_claimed_again() {
        let claims = Claims::default();
        let names = ["a".to_owned(), "b".to_owned()];
        let first = claims.take_one_of(&names).await;
        let second = claims.take_one_of(&names).await;
        assert_eq!((first.name.as_str(), second.name.as_str()), ("a", "b"));
        assert!(claims.take("a").is_none() && claims.has("a"));
        drop(first);
        assert_eq!(claims.take_one_of(&names).await.name, "a");
    }
}
