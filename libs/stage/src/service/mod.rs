//! The life of a process: logging, signals, the monitoring port, and the drain at the end. `process.rs` goes through it:
//!
//! ```text
//! allocator → logging → Service::embedded → configuration checked → open binds the port → the stage runs
//!   → SIGTERM, SIGINT or SIGHUP sets Shutdown → workers drain → after the deadline Shutdown gives up → exit code
//!   → what still hangs a few seconds later is killed (`watchdog.rs`)
//! ```

mod allocator;
mod logging;
mod part;
mod process;
mod readiness;
mod server;
mod shutdown;
mod signals;
mod waits;
mod watchdog;

pub use allocator::keep_little_memory;
#[cfg(test)]
pub(crate) use logging::tests::logged_by;
pub use logging::{LogError, Logging, init_logging};
pub use process::{Ending, StageProcess, failed, invalid, run_command};
pub use readiness::{Dependency, Readiness};
pub use server::ServerError;
pub use shutdown::Shutdown;
pub use signals::{hang_up_with_terminal, wait_for_signal};
pub use waits::{SharedDependency, Wait};

use std::net::SocketAddr;

use crate::config::ServiceArgs;
use crate::metrics::{log_lines_dropped, register_process};

/// The interface of a running stage to its process.
#[derive(Debug, Clone)]
pub struct Service {
    /// Set when the process has to end.
    pub shutdown: Shutdown,
    /// The state shown by `/ready`.
    pub readiness: Readiness,
    /// The metrics shown by `/metrics`.
    pub metrics: prometheus::Registry,
    /// The address of the three paths; `None` when embedded.
    pub address: Option<SocketAddr>,
}

impl Service {
    /// The sum of a counter over its labels, for programs that embed a stage. Zero if there is none of that name.
    pub fn count(&self, name: &str) -> u64 {
        let families = self.metrics.gather();
        let family = families.iter().find(|family| family.name() == name);
        let metrics = family.map(|family| family.get_metric()).unwrap_or_default();
        metrics
            .iter()
            .map(|metric| metric.get_counter().get_value() as u64)
            .sum()
    }

    /// Binds the port, serves the three paths, turns SIGTERM, SIGINT and SIGHUP into a drain, and makes sure that the process
    /// ends soon after the drain's deadline.
    ///
    /// Call it on a tokio runtime, after the whole configuration has been checked.
    pub async fn open(&mut self, args: &ServiceArgs) -> Result<(), ServerError> {
        let address = self.serve(args).await?;
        self.shutdown.ask_on_signals();
        self.shutdown.end_process_after_deadline();
        tracing::info!(%address, paths = "/metrics /ready /live", "metrics and readiness are served");
        Ok(())
    }

    /// Only binds the port and serves the three paths: for a stage within another program, which handles the signals.
    pub async fn serve(&mut self, args: &ServiceArgs) -> Result<SocketAddr, ServerError> {
        let address = server::serve(args, self).await?;
        self.address = Some(address);
        Ok(address)
    }

    /// An embedded service, opened at once: for stages that have checked their whole configuration.
    pub async fn start(args: &ServiceArgs) -> Result<Self, ServerError> {
        let mut service = Self::embedded(args);
        service.open(args).await?;
        Ok(service)
    }

    /// A service without a port or signals, as the demo and tests use it.
    pub fn embedded(args: &ServiceArgs) -> Self {
        let metrics = prometheus::Registry::new();
        let readiness = Readiness::default();
        // The registry is new, so that no name is taken.
        if let Some(dropped) = log_lines_dropped() {
            let _ = metrics.register(Box::new(dropped.clone()));
        }
        let states = readiness.clone();
        let _ = register_process(&metrics, move || states.states());
        Self {
            shutdown: Shutdown::new(args.drain_timeout),
            readiness,
            metrics,
            address: None,
        }
    }
}
