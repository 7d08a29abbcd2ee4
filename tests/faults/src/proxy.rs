//! The network between the stages and everything else: a loopback proxy for each upstream, slowed down or cut
//! on request.

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
    /// Forwards them.
    Open,
    /// Forwards them with a delay: each piece of at most 16 KiB, in each direction, waits this long. This
    /// also limits the rate.
    Slow(Duration),
    /// Forwards nothing and closes nothing: the other side is silent, as with an unplugged cable.
    Silent,
    /// Closes every connection, and each new one immediately.
    Torn,
}

#[derive(Debug)]
pub(crate) struct Proxy {
    /// The address for clients.
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
                // Accepting can fail for lack of file descriptors; the next attempt may succeed.
                if let Ok((client, _)) = listener.accept().await
                    && *links.borrow() != Link::Torn
                {
                    tokio::spawn(serve(client, upstream, links.subscribe()));
                }
            }
        });
        Ok(Self { front, link })
    }

    /// Applies from now on, also to existing connections.
    pub(crate) fn set(&self, link: Link) {
        self.link.send_replace(link);
    }
}

/// Connects one client. When either side ends or the link is cut, both are dropped.
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
