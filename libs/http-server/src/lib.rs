//! One HTTP port with limits: what `/metrics`, `/ready` and `/live` and the embedded stack's servers listen with.
//!
//! Whoever reaches a port may send a head without an end, a body a byte a minute, or a thousand connections and nothing
//! on them. So everything has a limit: the head in bytes and in time, each piece of a body in time (its length is for the
//! handler to limit: `axum::extract::DefaultBodyLimit`, `axum::body::to_bytes`), and the number of connections. A
//! connection too many closes the oldest that has not asked for anything, so that a new one is always served: a scrape
//! comes through while others wait for nothing, and beside tens of thousands of new connections a second.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tower_http::timeout::RequestBodyTimeoutLayer;

/// The longest head of a request, and the most of a body that is read ahead, in bytes.
const HEAD_BYTES: usize = 32 * 1024;
/// The most header lines of a request.
const HEADERS: usize = 64;
/// How long to wait after a failed accept: it fails when the process has no file handle left, which time heals.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// Connections accepted in one go. What they have sent is looked at before more are accepted, or a burst of connections would
/// close, as the oldest, those that have already asked.
const BURST: usize = 16;

/// What one port grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time; one more closes the oldest that waits for its request, else the oldest.
    pub connections: usize,
    /// For a request's head to arrive, and for the next request on a connection that is kept.
    pub head: Duration,
    /// Between two pieces of a body.
    pub body: Duration,
    /// For a connection as a whole, which then serves one request; `None` keeps connections for more.
    pub life: Option<Duration>,
}

impl Limits {
    /// The port that a process is watched by: one short answer a connection.
    pub const WATCHED: Limits = Limits {
        connections: 256,
        head: Duration::from_secs(5),
        body: Duration::from_secs(5),
        life: Some(Duration::from_secs(10)),
    };
    /// An embedded service, whose clients keep their connections.
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

/// One connection's life.
async fn connection(
    builder: http1::Builder,
    stream: TcpStream,
    router: Router,
    asked: Arc<AtomicBool>,
    life: Option<Duration>,
    mut stopped: watch::Receiver<()>,
) {
    // Answers are small and whole; without this each waits for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        asked.store(true, Ordering::Relaxed);
        let answer = router.call(request);
        async {
            let answer = answer.await;
            asked.store(false, Ordering::Relaxed);
            answer
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let served = async {
        tokio::select! {
            result = connection.as_mut() => return result,
            // An error is a sender that was dropped, which is how a stop is asked for.
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

async fn refused(error: &io::Error) {
    tracing::debug!(%error, "http connection not accepted");
    tokio::time::sleep(AFTER_FAILED_ACCEPT).await;
}

/// The connections, the oldest first. Dropping it closes them.
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

    /// Closes the oldest that waits, or else the oldest, until one more may be added.
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
