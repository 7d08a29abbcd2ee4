//! The settings of the InfluxDB sink of 2019 (Landoop's stream reactor): what influxsink replaces, and what people who
//! still run Kafka Connect want to create as they did.

use std::str::FromStr;

use stage::config::Secret;

use super::Config;
use crate::failure::Failure;

/// The connector's class.
const CLASS: &str = "com.datamountaineer.streamreactor.connect.influx.InfluxSinkConnector";

/// The sink.
#[derive(Debug, Clone)]
pub struct InfluxdbSink {
    /// InfluxDB's address, as Kafka Connect's workers reach it.
    pub influxdb: String,
    /// Database in InfluxDB, which has to exist.
    pub database: String,
    /// Tasks among which the topics' partitions are shared.
    pub tasks: u16,
    /// What becomes the points' time.
    pub timestamp: PointTime,
    /// User in InfluxDB.
    pub username: String,
    /// That user's password.
    pub password: Option<Secret>,
}

/// What becomes the points' time: a field, or `sys_time()` for the moment of writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointTime(String);

impl FromStr for PointTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_field = !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if is_field || text == "sys_time()" {
            Ok(Self(text.to_owned()))
        } else {
            Err("expected the name of a field (letters, digits, '_'), or sys_time()".to_owned())
        }
    }
}

impl InfluxdbSink {
    /// The settings for `topics`, in any order and as often as they come.
    pub fn config(&self, topics: &[String]) -> Result<Config, Failure> {
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
                    self.timestamp.0
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
        if let Some(password) = &self.password {
            config.insert("connect.influx.password".to_owned(), password.reveal().to_owned());
        }
        Ok(config)
    }
}

fn is_topic(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sink() -> InfluxdbSink {
        InfluxdbSink {
            influxdb: "http://influxdb:8086".to_owned(),
            database: "efd".to_owned(),
            tasks: 2,
            timestamp: "sys_time()".parse().unwrap(),
            username: "-".to_owned(),
            password: None,
        }
    }

    #[test]
    fn each_topic_has_one_statement() {
        let topics = ["b", "a", "b"].map(str::to_owned);
        let config = sink().config(&topics).unwrap();
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
            sink()
                .config(&topics)
                .unwrap_err()
                .to_string()
                .contains("no name of a topic")
        );
        assert!("time WITHTAG (x)".parse::<PointTime>().is_err());
    }
}
