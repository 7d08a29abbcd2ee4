//! An HTTP server of the harness in front of a service; it answers some requests itself and forwards the
//! others.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use tokio::net::TcpListener;

use crate::failure::{Failure, Outcome};

/// The client that forwards requests.
pub(crate) fn http_client() -> Outcome<reqwest::Client> {
    let client = reqwest::Client::builder().no_proxy().build();
    client.map_err(Failure::http("make an HTTP client"))
}

/// Serves on a free loopback port until the harness ends; returns the address. `clients` names the clients,
/// for errors.
pub(crate) async fn serve(app: Router, clients: &str) -> Outcome<SocketAddr> {
    let doing = || format!("listen for {clients}");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(Failure::io(doing()))?;
    let address = listener.local_addr().map_err(Failure::io(doing()))?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}
