//! The event stream of a page: its parts, rendered again when they changed. One stream a page, which ends with the process.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::poll_fn;
use maud::Markup;
use tokio::sync::mpsc;

use crate::state::State;

/// After which a browser connects again by itself.
const STREAM_DURATION: Duration = Duration::from_secs(3_600);
/// Events that wait for a slow reader.
const QUEUE: usize = 4;

/// The part after which a browser does not connect again.
pub(crate) const END: &str = "end";

/// The parts of a page by their ids. An id that ends in `+` adds to the part.
pub(crate) type Parts = Vec<(&'static str, Markup)>;

/// Sends the parts that `next` yields, until it yields none, the reader goes or the process ends.
pub(crate) fn stream<N, F>(state: &Arc<State>, mut next: N) -> Response
where
    N: FnMut(Arc<State>) -> F + Send + 'static,
    F: Future<Output = Option<Parts>> + Send + 'static,
{
    let Ok(permit) = Arc::clone(&state.streams).try_acquire_owned() else {
        let text = "Too many pages are open. This one can be loaded again by hand.\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    let (sender, mut receiver) = mpsc::channel::<Event>(QUEUE);
    let state = Arc::clone(state);
    tokio::spawn(async move {
        let _permit = permit;
        let shutdown = state.shutdown.clone();
        let closed = sender.clone();
        let sending = async {
            let mut sent: HashMap<&'static str, String> = HashMap::new();
            while let Some(parts) = next(Arc::clone(&state)).await {
                for (id, part) in parts {
                    // A carriage return would end the line of an event.
                    let part = part.into_string().replace('\r', "");
                    if sent.get(id) == Some(&part) {
                        continue;
                    }
                    let event = Event::default().data(format!("{id}\n{part}"));
                    if sender.send(event).await.is_err() {
                        return;
                    }
                    sent.insert(id, part);
                }
            }
        };
        tokio::select! {
            () = sending => {}
            () = closed.closed() => {}
            () = shutdown.wait() => {}
            () = tokio::time::sleep(STREAM_DURATION) => {}
        }
    });
    let events = poll_fn(move |context| {
        let received = receiver.poll_recv(context);
        received.map(|event| event.map(Ok::<Event, Infallible>))
    });
    // Some proxies collect a response before they pass it on.
    let unbuffered = [("x-accel-buffering", "no")];
    (unbuffered, Sse::new(events).keep_alive(KeepAlive::default())).into_response()
}
