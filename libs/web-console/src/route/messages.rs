//! The messages of a topic. A page searches for a moment and shows what it has found. A search that takes longer goes on as
//! events, until it ends or somebody stops it; without scripts, a link loads a page that may search for longer.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::Response;
use maud::{Markup, html};
use operator::failure::Failure;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{Instant, timeout_at};

use super::{failed, framed};
use crate::events::{END, Parts, stream};
use crate::page::layout::Frame;
use crate::page::messages as content;
use crate::page::problem::problem;
use crate::params::Params;
use crate::search::{FoundMessage, Limits, Progress, Query};
use crate::state::State;

/// What a page may take.
const OF_PAGE: Limits = Limits {
    messages: 100_000,
    duration: Duration::from_millis(150),
};
/// What a page may take that was asked to search on.
const OF_LONG_PAGE: Limits = Limits {
    messages: 1_000_000,
    duration: Duration::from_secs(10),
};
/// What a search may take whose results come as events.
const OF_EVENTS: Limits = Limits {
    messages: u64::MAX,
    duration: Duration::from_secs(1_800),
};
/// How often a search says how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);
/// Found messages that wait to be sent: a search is not ahead of its reader.
const QUEUE: usize = 4;

pub(super) async fn page(Shared(state): Shared<Arc<State>>, headers: HeaderMap, params: Params) -> Response {
    let limits = if params.get("long").is_some() {
        OF_LONG_PAGE
    } else {
        OF_PAGE
    };
    let result = match Query::read(&params) {
        Ok(query) => match search(&state, query, limits).await {
            Ok((found, progress)) => content::found(&found, progress, &params),
            Err(failure @ Failure::Unknown { .. }) => return failed(&state, &headers, "topics", &failure),
            Err(failure) => problem(&failure),
        },
        Err(why) => content::unusable(&why),
    };
    let frame = Frame::of("Messages", "topics");
    framed(&state, &headers, frame, &content::page(&params, &result))
}

/// All that is found within limits, the newest first.
async fn search(
    state: &Arc<State>,
    query: Query,
    limits: Limits,
) -> Result<(Vec<FoundMessage>, Progress), Failure> {
    let asking = Arc::clone(state);
    let (mut found, progress) = state
        .ask(move |cluster| {
            let mut found = Vec::new();
            let each = |message| {
                found.push(message);
                true
            };
            let progress = query.run(cluster, &asking, limits, each, |_| true)?;
            Ok((found, progress))
        })
        .await?;
    found.sort_by_key(|(message, _)| std::cmp::Reverse(message.timestamp));
    Ok((found, progress))
}

/// A search that goes on, as its stream sees it.
struct Running {
    found: mpsc::Receiver<FoundMessage>,
    progress: watch::Receiver<Progress>,
    failed: mpsc::Receiver<Failure>,
    has_begun: bool,
    is_over: bool,
}

pub(super) async fn events(Shared(state): Shared<Arc<State>>, params: Params) -> Response {
    let running = match Query::read(&params) {
        Ok(query) => {
            begin(&state, query).ok_or_else(|| "Too many searches are running. Try again later.".to_owned())
        }
        Err(why) => Err(why),
    };
    let running = Arc::new(Mutex::new(running));
    stream(&state, move |_| {
        let running = Arc::clone(&running);
        async move {
            let mut running = running.lock().await;
            match &mut *running {
                Ok(running) => running.next().await,
                // Once, and then the stream has ended.
                Err(why) if why.is_empty() => None,
                Err(why) => Some(vec![
                    ("searched", content::unusable(&std::mem::take(why))),
                    (END, html! {}),
                ]),
            }
        }
    })
}

/// Begins a search, unless too many are running. It ends soon after nobody receives what it finds.
fn begin(state: &Arc<State>, query: Query) -> Option<Running> {
    let permit = Arc::clone(&state.searches).try_acquire_owned().ok()?;
    let (sender, found) = mpsc::channel(QUEUE);
    let (progress_sender, progress) = watch::channel(Progress::default());
    let (failure_sender, failed) = mpsc::channel(1);
    let (state, asking) = (Arc::clone(state), Arc::clone(state));
    tokio::spawn(async move {
        let _permit = permit;
        let searching = state.ask_at_length(move |cluster| {
            let each = |message| sender.blocking_send(message).is_ok();
            let look = |progress| {
                progress_sender.send_replace(progress);
                !sender.is_closed()
            };
            query.run(cluster, &asking, OF_EVENTS, each, look)
        });
        if let Err(failure) = searching.await {
            // Nobody may be there any longer.
            let _ = failure_sender.send(failure).await;
        }
    });
    Some(Running {
        found,
        progress,
        failed,
        has_begun: false,
        is_over: false,
    })
}

impl Running {
    /// What has happened since the last time; none once it is over.
    async fn next(&mut self) -> Option<Parts> {
        if self.is_over {
            return None;
        }
        if !std::mem::replace(&mut self.has_begun, true) {
            // In place of what the page has found.
            return Some(vec![("results", html! {})]);
        }
        let until = Instant::now() + PROGRESS_INTERVAL;
        let mut batch = Vec::new();
        loop {
            match timeout_at(until, self.found.recv()).await {
                Ok(Some(message)) => batch.push(message),
                Ok(None) => {
                    self.is_over = true;
                    break;
                }
                Err(_) => break,
            }
        }
        let mut parts: Parts = Vec::new();
        if !batch.is_empty() {
            parts.push(("results+", content::messages(&batch)));
        }
        let failure = if self.is_over {
            self.failed.recv().await
        } else {
            None
        };
        let searched: Markup = match failure {
            Some(failure) => problem(&failure),
            None => content::searched(*self.progress.borrow(), None),
        };
        parts.push(("searched", searched));
        if self.is_over {
            parts.push((END, html! {}));
        }
        Some(parts)
    }
}
