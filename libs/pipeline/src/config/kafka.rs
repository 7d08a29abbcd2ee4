//! How to reach Kafka: `--broker`, `-X key=value` and a file of the same pairs for what must not be seen.

use std::path::PathBuf;

use clap::Args;
use rdkafka::ClientConfig;

/// The Kafka connection's flags.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Kafka")]
pub struct KafkaArgs {
    /// Kafka brokers to start from: host:port, several separated by commas
    #[arg(
        long,
        short = 'b',
        env = "BROKER",
        default_value = "localhost:9092",
        value_name = "HOST:PORT"
    )]
    pub broker: String,

    /// A librdkafka setting, as often as needed (`-X security.protocol=ssl`). Secrets belong in --kafka-config-file
    #[arg(short = 'X', env = "KAFKA_CONFIG", value_name = "KEY=VALUE", value_delimiter = ';', value_parser = pair)]
    pub settings: Vec<(String, String)>,

    /// File of librdkafka settings, one `key=value` a line: for passwords and keys, which no process list then shows
    #[arg(long, env = "KAFKA_CONFIG_FILE", value_name = "FILE")]
    pub kafka_config_file: Option<PathBuf>,
}

/// The Kafka settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KafkaConfigError {
    /// The settings' file cannot be read.
    #[error("cannot read the Kafka settings in {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line of it is not a pair. The line's text is left out: it may hold a secret.
    #[error("line {line} of {path} is not of the form key=value")]
    NotAPair {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

impl KafkaArgs {
    /// For embedded use: a broker's address and nothing else.
    pub fn at(broker: impl Into<String>) -> Self {
        Self {
            broker: broker.into(),
            settings: Vec::new(),
            kafka_config_file: None,
        }
    }

    /// The client configuration that all clients of a process start from: `base` (our defaults), overridden by the
    /// file, overridden by `-X`.
    pub fn client_config(&self, base: &[(&str, &str)]) -> Result<ClientConfig, KafkaConfigError> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.broker);
        // Named brokers and refused connections are ours to log; librdkafka's own clock of it is too coarse to steer.
        config
            .set("socket.keepalive.enable", "true")
            .set("reconnect.backoff.max.ms", "2000");
        for (key, value) in base {
            config.set(*key, *value);
        }
        for (key, value) in self
            .file_settings()?
            .into_iter()
            .chain(self.settings.iter().cloned())
        {
            config.set(key, value);
        }
        Ok(config)
    }

    fn file_settings(&self) -> Result<Vec<(String, String)>, KafkaConfigError> {
        let Some(path) = &self.kafka_config_file else {
            return Ok(Vec::new());
        };
        let text = std::fs::read_to_string(path).map_err(|source| KafkaConfigError::Unreadable {
            path: path.clone(),
            source,
        })?;
        text.lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
            .map(|(index, line)| {
                pair(line).map_err(|_| KafkaConfigError::NotAPair {
                    path: path.clone(),
                    line: index + 1,
                })
            })
            .collect()
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("expected key=value, for example linger.ms=5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_overrides_our_default() {
        let mut args = KafkaArgs::at("here:1");
        args.settings.push(pair("linger.ms = 7").unwrap());
        let config = args
            .client_config(&[("linger.ms", "5"), ("acks", "all")])
            .unwrap();
        assert_eq!(config.get("linger.ms"), Some("7"));
        assert_eq!(config.get("acks"), Some("all"));
        assert_eq!(config.get("bootstrap.servers"), Some("here:1"));
    }

    #[test]
    fn what_is_no_pair_says_what_was_expected() {
        assert_eq!(
            pair("linger.ms").unwrap_err(),
            "expected key=value, for example linger.ms=5"
        );
    }
}
