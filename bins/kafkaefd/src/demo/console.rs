//! The web page of the demo: that of `kafkaefd console`, over the embedded services. It changes nothing.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use console::{Access, Console, Settings};
use operator::failure::Failure;
use operator::telemetry::Database;
use stage::service::Shutdown;
use tokio::net::TcpListener;

use super::services::Services;

/// The port that is tried first, so that the address is the same each time.
const PORT: u16 = 8088;
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Opens the port; without one that was asked for, the usual one or, if that is taken, a free one.
pub(super) async fn listen(port: Option<u16>) -> io::Result<TcpListener> {
    let at = |port: u16| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    match port {
        Some(port) => at(port).await,
        None => match at(PORT).await {
            Ok(listener) => Ok(listener),
            Err(_) => at(0).await,
        },
    }
}

/// Serves the page until the demo ends.
pub(super) fn serve(
    services: &Services,
    metrics: &[String],
    listener: TcpListener,
    stop: &Shutdown,
) -> Result<(), Failure> {
    let settings = Settings {
        kafka: services.kafka.clone(),
        registry: services.registry.clone(),
        metrics: metrics.to_vec(),
        database: Some(Database::new(services.written.clone(), None)?),
        connect: None,
        access: Access::ReadOnly,
        interval: LOOK_INTERVAL,
        is_demo: true,
    };
    let console = Console::new(settings, stop.clone())?;
    tokio::spawn(console.serve(listener));
    Ok(())
}
