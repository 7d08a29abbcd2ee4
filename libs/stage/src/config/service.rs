//! Logging, monitoring and stopping of a process.

use std::net::IpAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// The flags of a service.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Service")]
pub struct ServiceArgs {
    /// Port of /metrics, /ready and /live; 0 takes a free one and logs it
    #[arg(long, env = "PROMETHEUS_PORT", default_value_t = 9464, value_name = "PORT")]
    pub prometheus_port: u16,

    /// Address that the port is bound to; in a container, 0.0.0.0
    #[arg(long, env = "PROMETHEUS_HOST", default_value = "127.0.0.1", value_name = "IP")]
    pub prometheus_host: IpAddr,

    /// How long a stopping process may take to finish what it has read, in seconds
    #[arg(long, env = "DRAIN_TIMEOUT", default_value = "20", value_name = "S", value_parser = seconds)]
    pub drain_timeout: Duration,

    /// How long a Kafka client may get no answer from a cluster that answers other clients, in seconds, before the
    /// process recreates its clients; if that does not help, it ends with an error. An unavailable cluster is waited
    /// for without limit
    #[arg(long, env = "STUCK_TIMEOUT", default_value = "60", value_name = "S", value_parser = seconds)]
    pub stuck_timeout: Duration,

    /// error, warn, info, debug, trace, or a filter such as info,librdkafka=debug
    #[arg(long, env = "LOG_LEVEL", default_value = "info", value_name = "FILTER")]
    pub log_level: String,

    /// Format of log lines
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object per line, for log collectors.
    Json,
}

impl Default for ServiceArgs {
    /// Embedded use and tests: any free loopback port.
    fn default() -> Self {
        Self {
            prometheus_port: 0,
            prometheus_host: IpAddr::from([127, 0, 0, 1]),
            drain_timeout: Duration::from_secs(20),
            stuck_timeout: Duration::from_secs(60),
            log_level: "info".to_owned(),
            log_format: LogFormat::Text,
        }
    }
}

/// Parses a duration in seconds from 1 ms to 1 day; every flag that takes one uses this parser.
pub fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.001..=86_400.0).contains(&value) => Ok(Duration::from_secs_f64(value)),
        _ => Err("expected seconds between 0.001 and 86400, for example 0.5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_checked() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        for wrong in ["0", "-1", "nan", "1e9", "5s"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
