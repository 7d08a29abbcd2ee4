//! The web page of an operator: the pipeline live, the telemetry plotted, and what else `kafkaefd` can ask.
//!
//! ```text
//!  browser ─▶ guard (limits, headers) ─▶ route ─▶ operator's question ─▶ typed answer ─▶ page (maud) ─▶ HTML
//!     ▲                                                                                    │
//!     └───────────── events: the parts of the page that changed, once an interval ◀────────┘
//! ```
//! It is a second face of the library [`operator`], beside the command line: no question is answered here. Pages are
//! rendered by the server and complete without scripts. By default nothing can be changed.

mod access;
mod assets;
mod catalogue;
mod diff;
mod events;
mod format;
mod guard;
mod live;
mod page;
mod params;
mod plans;
mod plot;
mod route;
mod search;
mod selection;
mod settings;
mod state;
mod values;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use http_server::Limits;
use operator::failure::Failure;
use stage::service::Shutdown;
use tokio::net::TcpListener;

pub use access::Access;
pub use settings::Settings;

/// The console, watching; it serves once it has a listener.
pub struct Console {
    router: Router,
    shutdown: Shutdown,
}

impl Console {
    /// Checks the settings and begins to watch. To be called within a runtime.
    pub fn new(settings: Settings, shutdown: Shutdown) -> Result<Self, Failure> {
        let state = Arc::new(state::State::new(settings, shutdown.clone())?);
        let router = route::routes(state)
            .layer(DefaultBodyLimit::max(guard::MAX_FORM_BYTES))
            .layer(middleware::from_fn(guard::guard));
        Ok(Self { router, shutdown })
    }

    /// Serves until the process is asked to end.
    pub async fn serve(self, listener: TcpListener) {
        let shutdown = self.shutdown.clone();
        http_server::serve(listener, self.router, Limits::PAGES, async move {
            shutdown.wait().await
        })
        .await;
    }
}
