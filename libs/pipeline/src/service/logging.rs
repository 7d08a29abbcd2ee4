//! Log lines: lower case, fields instead of interpolation, to stderr, so that stdout stays a program's output.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, ServiceArgs};

/// The log filter cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "--log-level {filter:?} is no filter; expected one of error, warn, info, debug, trace or target=level pairs"
)]
pub struct LogError {
    filter: String,
    #[source]
    source: tracing_subscriber::filter::ParseError,
}

/// Starts logging for the process. A second call leaves the first in place.
pub fn init_logging(args: &ServiceArgs) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&args.log_level).map_err(|source| LogError {
        filter: args.log_level.clone(),
        source,
    })?;
    let colours =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let _ = match args.log_format {
        LogFormat::Text => builder.with_ansi(colours).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}
