//! The Kafka connection: `--broker`, `--set key=value`, and a file of such pairs for secrets.

use std::path::{Path, PathBuf};

use clap::Args;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use super::clusters::ChosenCluster;
use super::setting::{Setting, pair};

/// What precedes the path of a token's file in librdkafka's setting `sasl.oauthbearer.config`.
pub(crate) const TOKEN_FILE_PREFIX: &str = "token-file=";

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
        value_name = "HOST:PORT",
        hide_env_values = true
    )]
    pub broker: String,

    /// A librdkafka setting, as often as needed (`--set security.protocol=ssl`). Secrets belong in --kafka-config-file
    #[arg(
        long = "set",
        short = 'X',
        env = "KAFKA_CONFIG",
        value_name = "KEY=VALUE",
        value_delimiter = ';',
        hide_env_values = true
    )]
    pub settings: Vec<Setting>,

    /// File of librdkafka settings, one `key=value` a line: for passwords and keys, which no process list then shows
    #[arg(
        long,
        env = "KAFKA_CONFIG_FILE",
        value_name = "FILE",
        alias = "command-config"
    )]
    pub kafka_config_file: Option<PathBuf>,

    /// File that holds an OAUTHBEARER token, read again before it expires and each minute; turns on sasl_ssl with that
    /// mechanism unless a setting says otherwise
    #[arg(long, env = "KAFKA_TOKEN_FILE", value_name = "FILE")]
    pub kafka_token_file: Option<PathBuf>,

    /// What `--cluster` names.
    #[command(flatten)]
    pub cluster: ChosenCluster,
}

/// The Kafka settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KafkaConfigError {
    /// The settings file cannot be read.
    #[error("cannot read the Kafka settings in {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line of the file is not a pair. Its text is omitted because it may hold a secret.
    #[error("line {line} of {path} is not of the form key=value")]
    NotAPair {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The argument of `--set` is not a pair. Its text is omitted as well.
    #[error("--set (-X) number {0} is not of the form key=value, for example --set linger.ms=5")]
    NotASetting(usize),
    /// The address of something else.
    #[error(
        "--broker (BROKER) begins with {scheme}, which is not the address of a Kafka broker: expected HOST:PORT, such as localhost:9092"
    )]
    NotABroker {
        /// `http://` or `https://`; the rest of the address may hold a password.
        scheme: &'static str,
    },
    /// librdkafka rejects the key or the value; the value is omitted unless its key is known not to be secret.
    #[error("{reason}; see --help for where settings come from")]
    Refused {
        /// librdkafka's message.
        reason: String,
    },
    /// A file that a setting names cannot be read.
    #[error("cannot read the file of {key}, {path}")]
    File {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl KafkaArgs {
    /// For embedded use: only a broker's address.
    pub fn at(broker: impl Into<String>) -> Self {
        Self {
            broker: broker.into(),
            settings: Vec::new(),
            kafka_config_file: None,
            kafka_token_file: None,
            cluster: ChosenCluster::default(),
        }
    }

    /// The brokers as messages name them: with the name of their cluster, unless a flag or variable gave other brokers.
    pub fn shown(&self) -> String {
        match self.cluster_name() {
            Some(name) => format!("{name} ({})", self.broker),
            None => self.broker.clone(),
        }
    }

    /// The name of the brokers' cluster, unless a flag or variable gave other brokers.
    pub fn cluster_name(&self) -> Option<&str> {
        let cluster = self.cluster.0.as_ref()?;
        (cluster.broker.as_ref() == Some(&self.broker)).then_some(cluster.name.as_str())
    }

    /// The basic configuration of all clients of a process: `base` (the defaults), overridden by the named cluster's
    /// settings, overridden by the file, overridden by `--set`.
    pub fn client_config(&self, base: &[(&str, &str)]) -> Result<ClientConfig, KafkaConfigError> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.broker);
        // librdkafka limits its log of connections too coarsely to rely on it; the clients' context logs them instead.
        // The waits between connection attempts grow only until a connection is made: a handshake that fails starts
        // again with the first wait, which with librdkafka's default of 100 ms meant ten connections a second per client.
        config
            .set("socket.keepalive.enable", "true")
            .set("reconnect.backoff.ms", "1200")
            .set("reconnect.backoff.max.ms", "2000");
        for (key, value) in base {
            config.set(*key, *value);
        }
        let of_cluster = self.cluster.0.iter().flat_map(|cluster| &cluster.settings);
        let of_cluster: Vec<_> = of_cluster.filter_map(Setting::pair).collect();
        let of_flags = self.file_settings()?.into_iter().chain(self.pairs()?);
        for (key, value) in of_cluster.into_iter().chain(of_flags) {
            config.set(key, value);
        }
        if let Some(path) = &self.kafka_token_file {
            config.set(
                "sasl.oauthbearer.config",
                format!("{TOKEN_FILE_PREFIX}{}", path.display()),
            );
            if config.get("sasl.mechanism").is_none() && config.get("sasl.mechanisms").is_none() {
                config.set("sasl.mechanisms", "OAUTHBEARER");
            }
            if config.get("security.protocol").is_none() {
                config.set("security.protocol", "sasl_ssl");
            }
        }
        check_brokers(&config)?;
        check(&config)?;
        Ok(config)
    }

    /// The pairs of `--set`. Empty ones are ignored, so that KAFKA_CONFIG may be empty or end with a semicolon.
    fn pairs(&self) -> Result<Vec<(String, String)>, KafkaConfigError> {
        let numbered = self.settings.iter().enumerate();
        numbered
            .filter(|(_, setting)| !setting.is_empty())
            .map(|(index, setting)| setting.pair().ok_or(KafkaConfigError::NotASetting(index + 1)))
            .collect()
    }

    /// The keys of secrets among `arguments`, the process's own, which every user of the machine can read.
    pub(super) fn exposed_secrets<'a>(arguments: impl Iterator<Item = &'a str>) -> Vec<String> {
        arguments
            .flat_map(|argument| {
                let joined = argument
                    .strip_prefix("--set")
                    .or_else(|| argument.strip_prefix("-X"));
                joined.unwrap_or(argument).trim_start_matches('=').split(';')
            })
            .filter_map(|text| Setting::from(text).secret())
            .collect()
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
                pair(line).ok_or_else(|| KafkaConfigError::NotAPair {
                    path: path.clone(),
                    line: index + 1,
                })
            })
            .collect()
    }
}

/// librdkafka takes a web address for the name of a host, and looks for it without end.
fn check_brokers(config: &ClientConfig) -> Result<(), KafkaConfigError> {
    let lists = ["bootstrap.servers", "metadata.broker.list"];
    let mut addresses = lists
        .iter()
        .filter_map(|key| config.get(key))
        .flat_map(|list| list.split(','));
    let scheme = addresses.find_map(|address| {
        let address = address.trim().to_ascii_lowercase();
        ["http://", "https://"]
            .into_iter()
            .find(|scheme| address.starts_with(scheme))
    });
    match scheme {
        Some(scheme) => Err(KafkaConfigError::NotABroker { scheme }),
        None => Ok(()),
    }
}

/// Errors that are reported better here than by librdkafka, which prints values in its errors and does not name the
/// file.
fn check(config: &ClientConfig) -> Result<(), KafkaConfigError> {
    if let Err(KafkaError::ClientConfig(_, reason, _, _)) = config.create_native_config() {
        return Err(KafkaConfigError::Refused { reason });
    }
    for key in [
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.key.location",
        "ssl.keystore.location",
    ] {
        let Some(path) = config
            .get(key)
            .filter(|path| !path.is_empty() && *path != "probe")
        else {
            continue;
        };
        if let Err(source) = std::fs::metadata(path).and_then(|found| {
            // A folder of authorities is also accepted.
            if found.is_dir() {
                Ok(())
            } else {
                std::fs::File::open(path).map(drop)
            }
        }) {
            return Err(KafkaConfigError::File {
                key,
                path: Path::new(path).to_owned(),
                source,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_overrides_the_default() {
        let mut args = KafkaArgs::at("here:1");
        args.settings.push("linger.ms = 7".into());
        let config = args
            .client_config(&[("linger.ms", "5"), ("acks", "all")])
            .unwrap();
        assert_eq!(config.get("linger.ms"), Some("7"));
        assert_eq!(config.get("acks"), Some("all"));
        assert_eq!(config.get("bootstrap.servers"), Some("here:1"));
    }

    #[test]
    fn a_web_address_is_not_a_broker() {
        for (wrong, scheme) in [
            ("http://here:9464/metrics", "http://"),
            ("here:1, HTTPS://user:s3cr3t@here", "https://"),
        ] {
            let error = KafkaArgs::at(wrong).client_config(&[]).unwrap_err().to_string();
            assert!(error.contains(scheme) && !error.contains("s3cr3t"), "{error}");
        }
        assert!(error(&["bootstrap.servers=http://here"]).contains("http://"));
        assert!(
            KafkaArgs::at("PLAINTEXT://here:1,there:2")
                .client_config(&[])
                .is_ok()
        );
    }

    fn error(settings: &[&str]) -> String {
        let mut args = KafkaArgs::at("here:1");
        args.settings = settings.iter().map(|text| Setting::from(*text)).collect();
        crate::chain(&args.client_config(&[]).unwrap_err())
    }

    #[test]
    fn an_empty_setting_is_none() {
        let mut args = KafkaArgs::at("here:1");
        args.settings = ["", "acks=1", " "].map(Setting::from).into();
        assert_eq!(args.client_config(&[]).unwrap().get("acks"), Some("1"));
    }

    #[test]
    fn an_invalid_setting_says_what_was_expected() {
        assert_eq!(
            error(&["acks=all", "linger.ms"]),
            "--set (-X) number 2 is not of the form key=value, for example --set linger.ms=5"
        );
        assert!(error(&["lingr.ms=5"]).contains("lingr.ms"));
        let file = error(&["ssl.ca.location=/nowhere/ca.pem"]);
        assert!(
            file.starts_with("cannot read the file of ssl.ca.location, /nowhere/ca.pem: "),
            "{file}"
        );
    }

    #[test]
    fn no_error_shows_a_secret() {
        for wrong in ["sasl.pasword=s3cr3t", "s3cr3t", "=s3cr3t", "sasl.password:s3cr3t"] {
            assert!(!error(&[wrong]).contains("s3cr3t"), "{}", error(&[wrong]));
        }
        let mut args = KafkaArgs::at("here:1");
        args.settings = vec!["sasl.password=s3cr3t".into(), "s3cr3t".into(), "acks=all".into()];
        let shown = format!("{args:?}");
        assert!(!shown.contains("s3cr3t") && shown.contains("acks=all"), "{shown}");
    }

    #[test]
    fn secrets_among_the_arguments_are_found() {
        let exposed = |arguments: &[&str]| KafkaArgs::exposed_secrets(arguments.iter().copied());
        assert_eq!(
            exposed(&["run", "-X", "sasl.password=x", "-Xacks=all"]),
            ["sasl.password"]
        );
        assert_eq!(exposed(&["-Xacks=all;ssl.key.password=x"]), ["ssl.key.password"]);
        assert_eq!(exposed(&["--set=sasl.password=x"]), ["sasl.password"]);
        assert_eq!(exposed(&["--set", "sasl.password=x"]), ["sasl.password"]);
        assert!(exposed(&["--kafka-config-file", "sasl.password"]).is_empty());
    }

    #[test]
    fn a_token_file_turns_its_mechanism_on() {
        let mut args = KafkaArgs::at("here:1");
        args.kafka_token_file = Some("/run/token".into());
        let config = args.client_config(&[]).unwrap();
        assert_eq!(config.get("sasl.mechanisms"), Some("OAUTHBEARER"));
        assert_eq!(config.get("security.protocol"), Some("sasl_ssl"));
        args.settings.push("security.protocol=sasl_plaintext".into());
        let config = args.client_config(&[]).unwrap();
        assert_eq!(config.get("security.protocol"), Some("sasl_plaintext"));
    }
}
