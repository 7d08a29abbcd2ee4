//! The clients of a cluster that are used again. A new one connects, finds its group's coordinator and, at its end, closes
//! what it has opened: that takes longer than most questions.

use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use stage::kafka::OneShotContext;
use stage::lock;

/// Clients that wait for their next question: each has threads and connections.
const MAX_IDLE: usize = 12;
/// How old a client may become: its token expires, and it knows brokers that are gone.
const MAX_AGE: Duration = Duration::from_secs(300);

/// Idle clients, the one that was used last at the end.
#[derive(Default)]
pub(super) struct Clients(Mutex<Vec<Known>>);

#[derive(Clone)]
struct Known {
    /// What it was created with.
    settings: Vec<(String, String)>,
    since: Instant,
    consumer: Arc<BaseConsumer<OneShotContext>>,
}

/// A client that answers one question at a time. It is idle once it is dropped.
pub struct Client {
    known: Known,
    clients: Arc<Clients>,
}

impl Clients {
    /// An idle client with these settings.
    pub(super) fn take(self: &Arc<Self>, settings: &[(&str, &str)]) -> Option<Client> {
        let mut idle = lock(&self.0);
        let is_young = |known: &Known| known.since.elapsed() < MAX_AGE;
        let (young, old): (Vec<_>, Vec<_>) = std::mem::take(&mut *idle).into_iter().partition(is_young);
        *idle = young;
        let at = idle.iter().rposition(|known| known.has(settings));
        let known = at.map(|at| idle.remove(at));
        drop(idle);
        close(old);
        let known = known?;
        // What came meanwhile, such as the request for a token.
        while known.consumer.poll(Duration::ZERO).is_some() {}
        Some(Client {
            known,
            clients: Arc::clone(self),
        })
    }

    /// A new client, which was created with these settings.
    pub(super) fn adopt(
        self: &Arc<Self>,
        settings: &[(&str, &str)],
        consumer: BaseConsumer<OneShotContext>,
    ) -> Client {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Client {
            known: Known {
                settings: settings.iter().map(owned).collect(),
                since: Instant::now(),
                consumer: Arc::new(consumer),
            },
            clients: Arc::clone(self),
        }
    }
}

impl Known {
    fn has(&self, settings: &[(&str, &str)]) -> bool {
        let own = self.settings.iter();
        own.map(|(key, value)| (key.as_str(), value.as_str()))
            .eq(settings.iter().copied())
    }
}

impl Deref for Client {
    type Target = BaseConsumer<OneShotContext>;

    fn deref(&self) -> &Self::Target {
        &self.known.consumer
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A partition that is read again would still be paused.
        let assigned = self.assignment();
        let is_free = assigned.is_ok_and(|assigned| {
            assigned.count() == 0 || (self.resume(&assigned).is_ok() && self.unassign().is_ok())
        });
        if !is_free {
            return;
        }
        let mut idle = lock(&self.clients.0);
        idle.push(self.known.clone());
        let excess = idle.len().saturating_sub(MAX_IDLE);
        let oldest = idle.drain(..excess).collect();
        drop(idle);
        close(oldest);
    }
}

/// Closes clients, which takes a while that nobody has to wait for.
fn close(clients: Vec<Known>) {
    if !clients.is_empty() {
        std::thread::spawn(move || drop(clients));
    }
}
