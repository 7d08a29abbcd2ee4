//! An HTTP listener with limits, for `/metrics`, `/ready` and `/live` and for the servers of the embedded
//! stack.
//!
//! Anyone who can reach a port may send an endless head, a body at a byte per minute, or open a thousand idle
//! connections. So everything is limited: the head in size and time, each piece of a body in time (its size
//! is for the handler to limit: `axum::extract::DefaultBodyLimit`, `axum::body::to_bytes`), and the number of
//! connections. A connection beyond the limit closes the oldest one without a request, so that a new one is
//! always served: a scrape succeeds while others are idle, and beside tens of thousands of new connections
//! per second.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::body::{Body, Frame, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tower_http::timeout::RequestBodyTimeoutLayer;

/// The limits on a request's head and on the part of a body that is read ahead, in bytes.
const HEAD_BYTES: usize = 32 * 1024;
/// The limit on a request's header lines.
const HEADERS: usize = 64;
/// The pause after a failed accept: it fails if the process has no file descriptor left, which passes.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Connections accepted in a row. Their data is processed before more are accepted; otherwise a burst of
/// connections would close, as the oldest ones, those that have already sent a request.
const BURST: usize = 16;

/// The limits of one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Concurrent connections; one more closes the oldest that waits for its request, or else the oldest.
    pub connections: usize,
    /// The time for a request's head to arrive, and for the next request on a kept-alive connection.
    pub head: Duration,
    /// The time between two pieces of a body.
    pub body: Duration,
    /// The time for a whole connection, which then serves one request; `None` keeps connections alive for
    /// more.
    pub life: Option<Duration>,
}

impl Limits {
    /// For the port that monitors a process: one short response per connection.
    pub const WATCHED: Limits = Limits {
        connections: 256,
        head: Duration::from_secs(5),
        body: Duration::from_secs(5),
        life: Some(Duration::from_secs(10)),
    };
    /// For pages that people read, whose event streams stay open.
    pub const PAGES: Limits = Limits {
        connections: 512,
        head: Duration::from_secs(30),
        body: Duration::from_secs(10),
        life: None,
    };
    /// For an embedded service, whose clients keep their connections alive.
    pub const EMBEDDED: Limits = Limits {
        connections: 256,
        head: Duration::from_secs(30),
        body: Duration::from_secs(10),
        life: None,
    };
}

/// Serves until `stop` resolves; then finishes open requests and closes every connection.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: impl Future<Output = ()>) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .keep_alive(limits.life.is_none());
    let router = router.layer(RequestBodyTimeoutLayer::new(limits.body));
    let (stopping, stopped) = watch::channel(());
    let mut open = Open::default();
    let mut burst = 0;
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, _)) => {
                open.make_room(limits.connections);
                let asked = Arc::default();
                let connection = connection(
                    builder.clone(),
                    stream,
                    router.clone(),
                    Arc::clone(&asked),
                    limits.life,
                    stopped.clone(),
                );
                open.add(connection, asked);
                burst += 1;
                if burst == BURST {
                    burst = 0;
                    tokio::task::yield_now().await;
                }
            }
            Err(error) => refused(&error).await,
        }
    }
    drop(listener);
    drop(stopping);
    while open.tasks.join_next().await.is_some() {}
}

/// Serves one connection.
async fn connection(
    builder: http1::Builder,
    stream: TcpStream,
    router: Router,
    asked: Arc<AtomicBool>,
    life: Option<Duration>,
    mut stopped: watch::Receiver<()>,
) {
    // Responses are small and complete; with Nagle's algorithm, each would wait for the client's delayed
    // acknowledgement.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        asked.store(true, Ordering::Relaxed);
        let answer = router.call(request);
        let answering = Answering(Arc::clone(&asked));
        async {
            answer.await.map(|response| {
                response.map(|body| Sending {
                    body,
                    _answering: answering,
                })
            })
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let served = async {
        tokio::select! {
            result = connection.as_mut() => return result,
            // An error means that the sender was dropped, which is the signal to stop.
            _ = stopped.changed() => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    let result = match life {
        Some(life) => tokio::time::timeout(life, served).await.unwrap_or(Ok(())),
        None => served.await,
    };
    if let Err(error) = result {
        tracing::debug!(%error, "http connection ended early");
    }
}

/// A request that is being answered, until the last piece of its response is sent.
struct Answering(Arc<AtomicBool>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// The body of a response. An event stream's is never complete: it must not count as a connection that waits.
struct Sending {
    body: axum::body::Body,
    _answering: Answering,
}

impl Body for Sending {
    type Data = <axum::body::Body as Body>::Data;
    type Error = <axum::body::Body as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

async fn refused(error: &io::Error) {
    tracing::debug!(%error, "http connection not accepted");
    tokio::time::sleep(ACCEPT_RETRY_INTERVAL).await;
}

/// The connections, oldest first. Dropping it closes them.
#[derive(Default)]
struct Open {
    tasks: JoinSet<()>,
    connections: VecDeque<Connection>,
}

struct Connection {
    task: AbortHandle,
    /// Whether it has sent a request that is being answered.
    asked: Arc<AtomicBool>,
}

impl Open {
    fn add(&mut self, connection: impl Future<Output = ()> + Send + 'static, asked: Arc<AtomicBool>) {
        let task = self.tasks.spawn(connection);
        self.connections.push_back(Connection { task, asked });
    }

    /// Closes the oldest waiting connection, or else the oldest, until one more can be added.
    fn make_room(&mut self, most: usize) {
        while self.tasks.try_join_next().is_some() {}
        if self.connections.len() < most.max(1) {
            return;
        }
        self.connections
            .retain(|connection| !connection.task.is_finished());
        while self.connections.len() >= most.max(1) {
            let waits = |connection: &Connection| !connection.asked.load(Ordering::Relaxed);
            let oldest = self.connections.iter().position(waits).unwrap_or_default();
            if let Some(closed) = self.connections.remove(oldest) {
                closed.task.abort();
            }
        }
    }
}
