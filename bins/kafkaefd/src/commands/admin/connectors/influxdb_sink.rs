//! The configuration of the InfluxDB sink of 2019 (Landoop's stream reactor): what influxsink replaces, and what people
//! who still run Kafka Connect want to make as they did.

use std::path::PathBuf;

use clap::Args;
use stage::config::Secret;

use super::client::Config;
use operator::failure::Failure;

/// The connector's class.
const CLASS: &str = "com.datamountaineer.streamreactor.connect.influx.InfluxSinkConnector";

/// Settings of the sink.
#[derive(Args, Debug, Clone)]
pub(super) struct SinkArgs {
    /// Topics that go to InfluxDB, each to the measurement of its name
    #[arg(value_name = "TOPIC")]
    pub(super) topics: Vec<String>,
    /// Name of the connector
    #[arg(long, default_value = "influxdb-sink", value_name = "NAME")]
    pub(super) name: String,
    /// InfluxDB's address, as Kafka Connect's workers reach it
    #[arg(
        long,
        env = "INFLUXDB",
        default_value = "http://localhost:8086",
        value_name = "URL"
    )]
    influxdb: String,
    /// Database in InfluxDB, which has to be there
    #[arg(long, short, default_value = "efd", value_name = "NAME")]
    database: String,
    /// Tasks among which the topics' partitions are shared
    #[arg(long, short, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    tasks: u16,
    /// What becomes the points' time: a field, or sys_time() for the moment of writing
    #[arg(long, default_value = "sys_time()", value_name = "FIELD", value_parser = timestamp)]
    timestamp: String,
    /// User in InfluxDB; the password comes from the file, or from INFLUXDB_PASSWORD
    #[arg(long, short, env = "INFLUXDB_USER", default_value = "-", value_name = "NAME")]
    username: String,
    /// File that holds that user's password
    #[arg(long, env = "INFLUXDB_PASSWORD_FILE", value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl SinkArgs {
    /// The settings for `topics`, in any order and as often as they come.
    pub(super) fn config(&self, topics: &[String]) -> Result<Config, Failure> {
        let mut topics = topics.to_vec();
        topics.sort();
        topics.dedup();
        // Nothing else is a topic to Kafka, and a statement must stay one.
        if let Some(wrong) = topics.iter().find(|topic| !is_topic(topic)) {
            return Err(Failure::Usage(format!(
                "{wrong:?} is no name of a topic: expected letters, digits, '.', '_' and '-'"
            )));
        }
        let statements: Vec<String> = topics
            .iter()
            .map(|topic| {
                format!(
                    "INSERT INTO {topic} SELECT * FROM {topic} WITHTIMESTAMP {}",
                    self.timestamp
                )
            })
            .collect();
        let mut config = Config::from(
            [
                ("connector.class", CLASS),
                ("connect.influx.url", &self.influxdb),
                ("connect.influx.db", &self.database),
                ("connect.influx.username", &self.username),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        config.insert("tasks.max".to_owned(), self.tasks.to_string());
        config.insert("topics".to_owned(), topics.join(","));
        config.insert("connect.influx.kcql".to_owned(), statements.join(";"));
        if let Some(password) = self.password()? {
            config.insert("connect.influx.password".to_owned(), password.reveal().to_owned());
        }
        Ok(config)
    }

    fn password(&self) -> Result<Option<Secret>, Failure> {
        match &self.password_file {
            Some(path) => Secret::from_file(path)
                .map(Some)
                .map_err(|error| Failure::Usage(stage::chain(&error))),
            None => Ok(std::env::var("INFLUXDB_PASSWORD").ok().map(Secret::new)),
        }
    }
}

/// The settings of any connector without its secrets, to be shown.
pub(super) fn shown(config: &Config) -> Config {
    let is_secret = |key: &str| {
        let key = key.to_lowercase();
        ["password", "secret", "token", "credential"]
            .iter()
            .any(|word| key.contains(word))
    };
    config
        .iter()
        .map(|(key, value)| match is_secret(key) {
            true => (key.clone(), "(hidden)".to_owned()),
            false => (key.clone(), value.clone()),
        })
        .collect()
}

fn is_topic(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn timestamp(text: &str) -> Result<String, String> {
    let is_field = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_field || text == "sys_time()" {
        Ok(text.to_owned())
    } else {
        Err("expected the name of a field (letters, digits, '_'), or sys_time()".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> SinkArgs {
        SinkArgs {
            topics: Vec::new(),
            name: "influxdb-sink".to_owned(),
            influxdb: "http://influxdb:8086".to_owned(),
            database: "efd".to_owned(),
            tasks: 2,
            timestamp: "sys_time()".to_owned(),
            username: "-".to_owned(),
            password_file: None,
        }
    }

    #[test]
    fn each_topic_has_one_statement() {
        let topics = ["b", "a", "b"].map(str::to_owned);
        let config = args().config(&topics).unwrap();
        assert_eq!(config["topics"], "a,b");
        assert_eq!(
            config["connect.influx.kcql"],
            "INSERT INTO a SELECT * FROM a WITHTIMESTAMP sys_time();INSERT INTO b SELECT * FROM b WITHTIMESTAMP sys_time()"
        );
    }

    #[test]
    fn a_statement_cannot_be_left() {
        let topics = ["a;DROP".to_owned()];
        assert!(
            args()
                .config(&topics)
                .unwrap_err()
                .to_string()
                .contains("no name of a topic")
        );
        assert!(timestamp("time WITHTAG (x)").is_err());
    }

    #[test]
    fn the_password_is_not_shown() {
        let config = Config::from([("connect.influx.password".to_owned(), "s3cr3t".to_owned())]);
        assert_eq!(shown(&config)["connect.influx.password"], "(hidden)");
    }
}
