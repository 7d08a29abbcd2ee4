//! The network between the stages and everything else: a loopback proxy for each upstream, slow or cut on request.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::failure::{Failure, Outcome};

/// What a link does with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// Passes them on.
    Open,
    /// Passes them on late: each piece of at most 16 KiB, in each direction, waits this long. This bounds the rate too.
    Slow(Duration),
    /// Passes nothing on and closes nothing: the other side is silent, as behind a cable that was pulled.
    Silent,
    /// Closes every connection, and each new one at once.
    Torn,
}

/// One proxy.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// Where clients connect.
    pub(crate) front: SocketAddr,
    link: Arc<watch::Sender<Link>>,
}

impl Proxy {
    /// Listens on `front`, or on any free port, and connects each client to `upstream`.
    pub(crate) async fn start(front: Option<SocketAddr>, upstream: SocketAddr) -> Outcome<Self> {
        let front = front.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let doing = || format!("listen on {front} for the proxy");
        let listener = TcpListener::bind(front).await.map_err(Failure::io(doing()))?;
        let front = listener.local_addr().map_err(Failure::io(doing()))?;
        let link = Arc::new(watch::Sender::new(Link::Open));
        let links = Arc::clone(&link);
        tokio::spawn(async move {
            loop {
                // An accept can fail for want of files; the next one may not.
                if let Ok((client, _)) = listener.accept().await
                    && *links.borrow() != Link::Torn
                {
                    tokio::spawn(serve(client, upstream, links.subscribe()));
                }
            }
        });
        Ok(Self { front, link })
    }

    /// From now on, connections that exist included.
    pub(crate) fn set(&self, link: Link) {
        self.link.send_replace(link);
    }
}

/// Connects one client. When either side ends, or the link is torn, both ends are dropped.
async fn serve(client: TcpStream, upstream: SocketAddr, link: watch::Receiver<Link>) {
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut torn = link.clone();
    tokio::select! {
        () = pass(from_client, to_server, link.clone()) => {}
        () = pass(from_server, to_client, link) => {}
        _ = torn.wait_for(|link| *link == Link::Torn) => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut link: watch::Receiver<Link>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let now = *link.borrow();
        match now {
            Link::Open | Link::Torn => {}
            Link::Slow(delay) => tokio::time::sleep(delay).await,
            Link::Silent => {
                let _ = link.wait_for(|link| *link != Link::Silent).await;
            }
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
