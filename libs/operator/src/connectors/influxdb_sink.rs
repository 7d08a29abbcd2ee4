//! The settings of the InfluxDB sink of 2019 (Landoop's stream reactor): what influxsink replaces, and what people who
//! still run Kafka Connect want to create as they did, with kafka-efd of 2019 or with kafka-connect-manager 0.8 to 1.3,
//! which came after it.

use std::str::FromStr;

use stage::address::Address;
use stage::config::Secret;

use super::Config;
use crate::failure::Failure;

/// The connector's class.
const CLASS: &str = "com.datamountaineer.streamreactor.connect.influx.InfluxSinkConnector";

/// The sink.
#[derive(Debug, Clone)]
pub struct InfluxdbSink {
    /// The connector's name, unique in its Kafka Connect.
    pub name: String,
    /// InfluxDB's address, as Kafka Connect's workers reach it.
    pub influxdb: Address,
    /// Database in InfluxDB, which has to exist.
    pub database: String,
    /// Tasks among which the topics' partitions are shared.
    pub tasks: u16,
    /// What becomes the points' time.
    pub timestamp: PointTime,
    /// The unit of that field; without it, the connector's default.
    pub timestamp_unit: Option<TimestampUnit>,
    /// Fields that become tags.
    pub tags: Vec<FieldName>,
    /// What is left out of a topic's name in its measurement's; nothing if it is empty.
    pub remove_prefix: String,
    /// What to do about errors; without it, the connector's default, which is to fail.
    pub errors: Option<ErrorHandling>,
    /// User in InfluxDB.
    pub username: String,
    /// That user's password.
    pub password: Option<Secret>,
}

/// The unit of a timestamp field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampUnit {
    /// `SECONDS`
    Seconds,
    /// `MILLISECONDS`
    Milliseconds,
    /// `MICROSECONDS`, as kafka-connect-manager writes since 1.0.
    Microseconds,
    /// `NANOSECONDS`
    Nanoseconds,
}

/// What the connector does about an error of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorHandling {
    /// What it does.
    pub policy: ErrorPolicy,
    /// How often it writes a message again, with [`ErrorPolicy::Retry`].
    pub max_retries: u32,
    /// Milliseconds between two attempts.
    pub retry_interval: u32,
}

/// `connect.influx.error.policy`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorPolicy {
    /// `NOOP`: the message is lost.
    Noop,
    /// `THROW`: the task fails.
    Throw,
    /// `RETRY`: it is written again.
    Retry,
}

/// The name of a field in a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldName(String);

impl FromStr for FieldName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if is_field(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err("expected the name of a field: letters, digits, '_'".to_owned())
        }
    }
}

fn is_field(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty() && text.bytes().all(is_part)
}

impl TimestampUnit {
    fn word(self) -> &'static str {
        match self {
            Self::Seconds => "SECONDS",
            Self::Milliseconds => "MILLISECONDS",
            Self::Microseconds => "MICROSECONDS",
            Self::Nanoseconds => "NANOSECONDS",
        }
    }
}

impl ErrorPolicy {
    fn word(self) -> &'static str {
        match self {
            Self::Noop => "NOOP",
            Self::Throw => "THROW",
            Self::Retry => "RETRY",
        }
    }
}

/// What becomes the points' time: a field, or `sys_time()` for the moment of writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointTime(String);

impl FromStr for PointTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if is_field(text) || text == "sys_time()" {
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
                "{wrong:?} is not a valid topic name: expected letters, digits, '.', '_' and '-'"
            )));
        }
        let statements = topics.iter().map(|topic| self.statement(topic));
        let statements = statements.collect::<Result<Vec<String>, _>>()?;
        let mut config = Config::from(
            [
                ("connector.class", CLASS),
                ("connect.influx.url", self.influxdb.reveal()),
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
        // The form of 2019 has the name beside the settings only.
        if self.is_later_form() {
            config.insert("name".to_owned(), self.name.clone());
        }
        if let Some(errors) = self.errors {
            let settings = [
                ("error.policy", errors.policy.word().to_owned()),
                ("max.retries", errors.max_retries.to_string()),
                ("retry.interval", errors.retry_interval.to_string()),
            ];
            config.extend(settings.map(|(key, value)| (format!("connect.influx.{key}"), value)));
        }
        Ok(config)
    }

    /// Whether anything is set that kafkaefd of 2019 could not set.
    fn is_later_form(&self) -> bool {
        self.errors.is_some()
            || self.timestamp_unit.is_some()
            || !self.tags.is_empty()
            || !self.remove_prefix.is_empty()
    }

    /// How one topic is written.
    fn statement(&self, topic: &str) -> Result<String, Failure> {
        let measurement = topic.strip_prefix(&self.remove_prefix).unwrap_or(topic);
        if measurement.is_empty() {
            return Err(Failure::Usage(format!(
                "without the prefix {} nothing is left of the topic {topic} to name its measurement",
                self.remove_prefix
            )));
        }
        let mut statement = format!(
            "INSERT INTO {measurement} SELECT * FROM {topic} WITHTIMESTAMP {}",
            self.timestamp.0
        );
        if let Some(unit) = self.timestamp_unit {
            statement.push_str(" TIMESTAMPUNIT=");
            statement.push_str(unit.word());
        }
        if !self.tags.is_empty() {
            let tags: Vec<&str> = self.tags.iter().map(|tag| tag.0.as_str()).collect();
            statement.push_str(&format!(" WITHTAG({})", tags.join(",")));
        }
        Ok(statement)
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
            name: "influxdb-sink".to_owned(),
            influxdb: "http://influxdb:8086".into(),
            database: "efd".to_owned(),
            tasks: 2,
            timestamp: "sys_time()".parse().unwrap(),
            timestamp_unit: None,
            tags: Vec::new(),
            remove_prefix: String::new(),
            errors: None,
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

    /// As kafka-connect-manager 1.3 writes it for these options.
    #[test]
    fn the_later_forms_of_the_manager_are_options() {
        let sink = InfluxdbSink {
            name: "sink-2".to_owned(),
            timestamp: "private_efdStamp".parse().unwrap(),
            timestamp_unit: Some(TimestampUnit::Microseconds),
            tags: vec!["salIndex".parse().unwrap(), "host".parse().unwrap()],
            remove_prefix: "lsst.sal.".to_owned(),
            errors: Some(ErrorHandling {
                policy: ErrorPolicy::Retry,
                max_retries: 10,
                retry_interval: 60_000,
            }),
            ..sink()
        };
        let config = sink
            .config(&["lsst.sal.Test.a".to_owned(), "other".to_owned()])
            .unwrap();
        for (key, value) in [
            ("name", "sink-2"),
            ("connect.influx.error.policy", "RETRY"),
            ("connect.influx.max.retries", "10"),
            ("connect.influx.retry.interval", "60000"),
            (
                "connect.influx.kcql",
                "INSERT INTO Test.a SELECT * FROM lsst.sal.Test.a WITHTIMESTAMP private_efdStamp TIMESTAMPUNIT=MICROSECONDS \
                 WITHTAG(salIndex,host);INSERT INTO other SELECT * FROM other WITHTIMESTAMP private_efdStamp \
                 TIMESTAMPUNIT=MICROSECONDS WITHTAG(salIndex,host)",
            ),
        ] {
            assert_eq!(config[key], value);
        }
        let nothing_left = sink.config(&["lsst.sal.".to_owned()]).unwrap_err();
        assert!(
            nothing_left
                .to_string()
                .contains("nothing is left of the topic lsst.sal.")
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
                .contains("is not a valid topic name")
        );
        assert!("time WITHTAG (x)".parse::<PointTime>().is_err());
        assert!("a) TIMESTAMPUNIT=SECONDS".parse::<FieldName>().is_err());
    }
}
