//! A loopback HTTP listener, shared by the embedded schema registry and the test kit's InfluxDB
//! stand-in.
//!
//! It binds port 0 first, so that tests can run in parallel, and can then go down and come up again on the
//! same port: clients see "connection refused" in between, and the state behind the router is kept.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use http_server::Limits;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A router that is served on a loopback port until it is dropped.
#[derive(Debug)]
pub struct HttpServer {
    router: Router,
    address: SocketAddr,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    /// Dropping it makes the server finish its open requests and end.
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl HttpServer {
    /// Serves `router` on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(router: Router) -> io::Result<HttpServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let running = Some(serve(listener, router.clone()));
        Ok(HttpServer {
            router,
            address,
            running,
        })
    }

    /// `http://127.0.0.1:<port>`, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Finishes open requests, closes every connection and refuses new ones.
    pub async fn down(&mut self) {
        if let Some(Running { stop, task }) = self.running.take() {
            drop(stop);
            if let Err(error) = task.await {
                tracing::warn!(%error, address = %self.address, "embedded http server ended with an error");
            }
        }
    }

    /// Listens again on the same port.
    ///
    /// # Errors
    /// When another process has taken the port meanwhile.
    pub async fn up(&mut self) -> io::Result<()> {
        if self.running.is_none() {
            let listener = TcpListener::bind(self.address).await?;
            self.running = Some(serve(listener, self.router.clone()));
        }
        Ok(())
    }
}

fn serve(listener: TcpListener, router: Router) -> Running {
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async {
        // An error means that the sender was dropped, which is the signal to stop.
        let _ = stopped.await;
    };
    Running {
        stop,
        task: tokio::spawn(http_server::serve(listener, router, Limits::EMBEDDED, stopped)),
    }
}
