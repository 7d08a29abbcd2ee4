//! A port under attack by every kind of malicious client, with a normal client beside them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use http_server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

struct Port {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// Short limits, because the tests wait for them.
const LIMITS: Limits = Limits {
    connections: 8,
    head: Duration::from_millis(300),
    body: Duration::from_millis(300),
    life: None,
};

async fn port(limits: Limits) -> Port {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/metrics", get(async || "lines_total 3\n"))
        .route("/events", get(async || Body::from_stream(events())))
        .route("/write", post(async |body: Bytes| body.len().to_string()));
    let (stop, stopped) = oneshot::channel();
    let stopped = async {
        let _ = stopped.await;
    };
    Port {
        address,
        stop: Some(stop),
        task: tokio::spawn(http_server::serve(listener, router, limits, stopped)),
    }
}

/// A piece now, and the next never.
fn events() -> impl futures::Stream<Item = Result<&'static str, std::convert::Infallible>> {
    use futures::StreamExt as _;
    futures::stream::iter([Ok("data: first\n\n")]).chain(futures::stream::pending())
}

impl Port {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A normal client's request, which must be answered within a second.
    async fn scrape(&self) {
        let since = Instant::now();
        let mut stream = self.connect().await;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let answer = read_to_end(&mut stream).await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("lines_total 3\n"),
            "{answer:?}"
        );
        assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    }
}

/// One scrape, like Prometheus: a connection, a request, the complete response.
async fn try_scrape(address: SocketAddr) -> Result<(), String> {
    let scrape = async {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    match timeout(Duration::from_secs(5), scrape).await {
        Ok(Ok(answer)) if answer.ends_with("lines_total 3\n") => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// Everything received until the server closes the connection, which it must do.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer));
    let _ = read.await.expect("the server closes the connection");
    String::from_utf8(answer).unwrap()
}

/// Sends pieces until the server closes the connection; returns the number of accepted bytes and the
/// response.
async fn flood(stream: &mut TcpStream, piece: &[u8]) -> (usize, String) {
    let mut sent = 0;
    while sent < 1 << 30 {
        match timeout(Duration::from_secs(10), stream.write_all(piece)).await {
            Ok(Ok(())) => sent += piece.len(),
            Ok(Err(_)) => break,
            Err(_) => panic!("the server neither reads nor closes after {sent} bytes"),
        }
    }
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    (sent, String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn an_endless_head_is_refused() {
    let port = port(LIMITS).await;
    for piece in ["x-y: z\r\n".repeat(512), "a".repeat(4096)] {
        let mut stream = port.connect().await;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nx-a: ")
            .await
            .unwrap();
        let (sent, _) = flood(&mut stream, piece.as_bytes()).await;
        // This includes what the sockets' buffers hold.
        assert!(sent < 16 << 20, "{sent} bytes of head were accepted");
        port.scrape().await;
    }
}

#[tokio::test]
async fn an_endless_body_is_refused() {
    let port = port(LIMITS).await;
    let mut stream = port.connect().await;
    stream
        .write_all(b"POST /write HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n")
        .await
        .unwrap();
    let (sent, _) = flood(&mut stream, &[b'x'; 65_536]).await;
    assert!(sent < 32 << 20, "{sent} bytes of body were accepted");
    port.scrape().await;
}

#[tokio::test]
async fn slow_clients_are_not_waited_for() {
    let port = port(LIMITS).await;
    let starts: [&[u8]; 3] = [
        b"",
        b"GET /metrics HTTP/1.1\r\nhost: x\r\n",
        b"POST /write HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nx",
    ];
    for start in starts {
        let mut stream = port.connect().await;
        stream.write_all(start).await.unwrap();
        port.scrape().await;
        let answer = read_to_end(&mut stream).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_slow_connection_ends_after_its_maximum_age() {
    let life = Some(Duration::from_millis(600));
    let port = port(Limits {
        life,
        head: Duration::from_secs(60),
        ..LIMITS
    })
    .await;
    let mut stream = port.connect().await;
    let since = Instant::now();
    while stream.write_all(b"G").await.is_ok() {
        assert!(since.elapsed() < Duration::from_secs(10), "it is still read");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // With a maximum age, a connection gets one response.
    let mut stream = port.connect().await;
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert!(read_to_end(&mut stream).await.ends_with("lines_total 3\n"));
}

#[tokio::test]
async fn a_thousand_connections_leave_room_for_one_more() {
    let port = port(Limits {
        head: Duration::from_secs(60),
        ..LIMITS
    })
    .await;
    // At most 500 are open: both ends are in this process, which can have a thousand file descriptors on most
    // machines.
    let mut held = VecDeque::new();
    for count in 1..=1_000 {
        held.push_back(port.connect().await);
        if held.len() > 500 {
            held.pop_front();
        }
        if count % 100 == 0 {
            port.scrape().await;
        }
    }
    held.truncate(500 - LIMITS.connections);
    for mut oldest in held {
        assert_eq!(read_to_end(&mut oldest).await, "");
    }
}

/// The limits on time and connections are those of clients that wait or send, not of an event stream that is read.
#[tokio::test]
async fn an_event_stream_outlives_idle_connections_and_the_limits_on_time() {
    let port = port(LIMITS).await;
    let mut stream = port.connect().await;
    stream
        .write_all(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 512];
    let read = stream.read(&mut first).await.unwrap();
    assert!(String::from_utf8_lossy(&first[..read]).starts_with("HTTP/1.1 200"));
    // It is the oldest connection of more than there may be, and has been open for longer than any limit.
    let mut idle = VecDeque::new();
    for _ in 0..3 * LIMITS.connections {
        idle.push_back(port.connect().await);
        port.scrape().await;
    }
    tokio::time::sleep(2 * LIMITS.head).await;
    port.scrape().await;
    // The rest of the first piece.
    while let Ok(read) = timeout(Duration::from_millis(50), stream.read(&mut first)).await {
        assert_ne!(read.unwrap(), 0, "the stream was cut");
    }
}

#[tokio::test]
async fn a_stop_finishes_open_requests_and_closes_idle_connections() {
    let mut port = port(Limits {
        head: Duration::from_secs(60),
        body: Duration::from_secs(60),
        ..LIMITS
    })
    .await;
    let mut idle = port.connect().await;
    let mut busy = port.connect().await;
    busy.write_all(b"POST /write HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n")
        .await
        .unwrap();
    let mut go_on = [0; 25];
    busy.read_exact(&mut go_on).await.unwrap();
    drop(port.stop.take());
    assert_eq!(read_to_end(&mut idle).await, "");
    busy.write_all(b"abc").await.unwrap();
    let answer = read_to_end(&mut busy).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n3"),
        "{answer:?}"
    );
    timeout(Duration::from_secs(10), port.task)
        .await
        .unwrap()
        .unwrap();
    assert!(
        TcpStream::connect(port.address).await.is_err(),
        "the port is closed"
    );
}

/// The behaviour of a flood's connections.
#[derive(Debug, Clone, Copy)]
enum Flood {
    /// Send nothing and close.
    Silent,
    /// Send nothing and stay open, the last eight of each client.
    Held,
    /// Send a request and close without waiting for the response.
    Asking,
}

/// Opens connections as fast as the machine allows until told to stop, or up to a number that no test needs.
async fn flood_port(
    address: SocketAddr,
    kind: Flood,
    stop: Arc<AtomicBool>,
    opened: Arc<AtomicUsize>,
    source: u8,
) {
    let mut held = VecDeque::new();
    for count in 0..20_000 {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let socket = TcpSocket::new_v4().unwrap();
        // Each address has its own ports; without linger, none of them waits after a close.
        socket.set_zero_linger().unwrap();
        let from = Ipv4Addr::new(127, 0, source, 1 + (count % 200) as u8);
        socket.bind((from, 0).into()).unwrap();
        let Ok(mut stream) = socket.connect(address).await else {
            continue;
        };
        opened.fetch_add(1, Ordering::Relaxed);
        match kind {
            Flood::Silent => {}
            Flood::Held => {
                held.push_back(stream);
                if held.len() > 8 {
                    held.pop_front();
                }
            }
            Flood::Asking => {
                let _ = stream
                    .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
                    .await;
            }
        }
    }
}

async fn every_scrape_is_answered_beside(kind: Flood) {
    let port = port(Limits::WATCHED).await;
    let (stop, opened): (Arc<AtomicBool>, Arc<AtomicUsize>) = Default::default();
    let floods: Vec<_> = (1..=2)
        .map(|source| {
            let flood = flood_port(port.address, kind, Arc::clone(&stop), Arc::clone(&opened), source);
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(flood);
            })
        })
        .collect();
    let since = Instant::now();
    let mut unanswered = Vec::new();
    for scrape in 0..100 {
        if let Err(error) = try_scrape(port.address).await {
            unanswered.push((scrape, error));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let rate = opened.load(Ordering::Relaxed) as f64 / since.elapsed().as_secs_f64();
    for flood in floods {
        flood.join().unwrap();
    }
    eprintln!("{kind:?}: {rate:.0} connections a second beside the scrapes");
    assert!(
        unanswered.is_empty(),
        "{kind:?}, {rate:.0}/s, {} of 100: {unanswered:?}",
        unanswered.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scrapes_are_answered_beside_a_flood_of_connections() {
    for kind in [Flood::Silent, Flood::Held, Flood::Asking] {
        every_scrape_is_answered_beside(kind).await;
    }
}
