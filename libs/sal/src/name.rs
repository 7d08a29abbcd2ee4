//! The names of SAL topics, shared by messages, interface files and Kafka topics.

use std::fmt;
use std::str::FromStr;

/// The longest topic name that is accepted, in bytes. Kafka allows 249 for `lsst.<subname>.<topic>` as a
/// whole.
pub const MAX_TOPIC_BYTES: usize = 200;

/// What a SAL topic is for: SAL's own three kinds, and the acknowledgement of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Measured values, published at a rate.
    Telemetry,
    /// A message published once, when something happens.
    Event,
    /// A request to a component.
    Command,
    /// A component's answer to a command; never on the text wire.
    Ackcmd,
}

impl Kind {
    /// The word in a message's prefix, `<Component>_<word> `, and in the names of events and commands.
    pub fn wire_word(self) -> &'static str {
        match self {
            Kind::Telemetry => "telemetry",
            Kind::Event => "logevent",
            Kind::Command => "command",
            Kind::Ackcmd => "ackcmd",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Event => "event",
            other => other.wire_word(),
        })
    }
}

/// A checked topic name as in interface files (`EFDB_Topic`), e.g. `MTM1M3TS_logevent_detailedState`: an
/// ASCII letter, then ASCII letters, digits and `_`, with a component before the first `_` and a SAL name
/// after it, at most [`MAX_TOPIC_BYTES`] long. It is also valid as an Avro name and as part of a Kafka
/// topic's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName {
    text: String,
    underscore: usize,
}

impl TopicName {
    /// Checks `text`; nothing is trimmed or repaired.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if text.len() > MAX_TOPIC_BYTES {
            return Err(NameError::TooLong { bytes: text.len() });
        }
        if !text.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return Err(NameError::Start { name: text });
        }
        if let Some(bad) = text.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '_') {
            return Err(NameError::Character { name: text, bad });
        }
        match text.find('_') {
            Some(underscore) if underscore + 1 < text.len() => Ok(Self { text, underscore }),
            _ => Err(NameError::NoComponent { name: text }),
        }
    }

    /// Joins a component and a SAL name.
    pub fn join(component: &str, sal_name: &str) -> Result<Self, NameError> {
        Self::new(format!("{component}_{sal_name}"))
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The component (subsystem): the part before the first `_`.
    pub fn component(&self) -> &str {
        self.text.get(..self.underscore).unwrap_or_default()
    }

    /// The topic's name within the component: the part after the first `_`, e.g. `logevent_detailedState`.
    pub fn sal_name(&self) -> &str {
        self.text.get(self.underscore + 1..).unwrap_or_default()
    }

    /// The kind that the SAL name implies; telemetry unless the name says otherwise.
    pub fn kind(&self) -> Kind {
        let sal_name = self.sal_name();
        if sal_name.starts_with("logevent_") {
            Kind::Event
        } else if sal_name.starts_with("command_") {
            Kind::Command
        } else if sal_name == "ackcmd" || sal_name.starts_with("ackcmd_") {
            Kind::Ackcmd
        } else {
            Kind::Telemetry
        }
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for TopicName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

/// Why a text is not a topic name. A retry never helps; a message with such a name is a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Longer than [`MAX_TOPIC_BYTES`].
    #[error("a topic name has at most {MAX_TOPIC_BYTES} bytes, this one has {bytes}")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// Empty, or the first character is not a letter.
    #[error("a topic name starts with an ASCII letter: '{name}'")]
    Start {
        /// The rejected text.
        name: String,
    },
    /// A character that Avro and SAL do not allow.
    #[error("a topic name has ASCII letters, digits and '_' only, not {bad:?}: '{name}'")]
    Character {
        /// The rejected text.
        name: String,
        /// The first such character.
        bad: char,
    },
    /// No `_`, or nothing after it.
    #[error("a topic name is <component>_<name>: '{name}'")]
    NoComponent {
        /// The rejected text.
        name: String,
    },
}

/// The component (subsystem) of a Kafka topic: `ATDome` of `ATDome_telemetry`, `lsst.sal.ATDome_x`, `lsst.sal.ATDome.x`, and
/// of a mirrored topic such as `summit.lsst.sal.ATDome_x`. A label, for which no topic is refused.
///
/// ```
/// assert_eq!(sal::name::subsystem("lsst.sal.ATDome_logevent_heartbeat"), "ATDome");
/// ```
pub fn subsystem(kafka_topic: &str) -> &str {
    let mut parts = kafka_topic.rsplit('.');
    let last = parts.next().unwrap_or(kafka_topic);
    // In the dialect ts_xml the component is a part of its own. It begins with a capital letter, unlike `sal`, which is in
    // that place in the dialect efd; a subname that does so as well follows `lsst`.
    if let (Some(component), Some(before)) = (parts.next(), parts.next())
        && component.starts_with(|first: char| first.is_ascii_uppercase())
        && before != "lsst"
    {
        return component;
    }
    match last.split_once('_') {
        Some((component, _)) if !component.is_empty() => component,
        _ => last,
    }
}

/// Checks the second part of a Kafka topic's name, `sal` in `lsst.sal.Test_scalars`: characters that Kafka
/// allows, and short enough for every SAL topic to fit. Used as clap's `value_parser`.
pub fn check_subname(text: &str) -> Result<String, SubnameError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let fits = (1..=MAX_SUBNAME_BYTES).contains(&text.len());
    if fits && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err(SubnameError(text.to_owned()))
    }
}

/// `lsst.<subname>.<topic>` is then at most 246 bytes long; Kafka allows 249.
const MAX_SUBNAME_BYTES: usize = 40;

/// A text that cannot be part of a Kafka topic's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a subname has 1 to {MAX_SUBNAME_BYTES} ASCII letters, digits, '.', '_' and '-', unlike '{0}'")]
pub struct SubnameError(pub String);

/// The second part of a Kafka topic's name, unless a site runs several systems on one cluster.
pub const DEFAULT_SUBNAME: &str = "sal";

/// How SAL topics become Kafka topics and Avro records: as in 2019, or as in today's ts_xml.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// kafka-efd-demo, 2019: `lsst.sal.<Topic>`, first field `kafka_timestamp`.
    #[default]
    Efd,
    /// ts_xml, today: `lsst.sal.<Component>.<sal name>`, private fields `private_sndStamp` and so on.
    TsXml,
}

impl Dialect {
    /// The Kafka topic of a SAL topic. `subname` is [`DEFAULT_SUBNAME`] unless a site runs several systems
    /// on one cluster.
    pub fn kafka_topic(self, topic: &TopicName, subname: &str) -> String {
        match self {
            Dialect::Efd => format!("lsst.{subname}.{topic}"),
            Dialect::TsXml => format!("lsst.{subname}.{}.{}", topic.component(), topic.sal_name()),
        }
    }

    /// The registry subject of a SAL topic's values: the Kafka topic plus `-value`.
    pub fn subject(self, topic: &TopicName, subname: &str) -> String {
        format!("{}-value", self.kafka_topic(topic, subname))
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dialect::Efd => "efd",
            Dialect::TsXml => "ts_xml",
        })
    }
}

impl FromStr for Dialect {
    type Err = DialectError;

    fn from_str(text: &str) -> Result<Self, DialectError> {
        match text {
            "efd" => Ok(Dialect::Efd),
            "ts_xml" => Ok(Dialect::TsXml),
            _ => Err(DialectError(text.to_owned())),
        }
    }
}

/// A text that is not the name of a dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a dialect is efd or ts_xml, not '{0}'")]
pub struct DialectError(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_name_has_a_component_a_sal_name_and_a_kind() {
        for (text, component, sal_name, kind) in [
            ("MTM1M3TS_thermalData", "MTM1M3TS", "thermalData", Kind::Telemetry),
            (
                "MTM1M3TS_logevent_detailedState",
                "MTM1M3TS",
                "logevent_detailedState",
                Kind::Event,
            ),
            (
                "Script_command_configure",
                "Script",
                "command_configure",
                Kind::Command,
            ),
            ("Script_ackcmd", "Script", "ackcmd", Kind::Ackcmd),
            ("OCS_commander", "OCS", "commander", Kind::Telemetry),
            (
                "ATCamera_focal_plane_reb_data",
                "ATCamera",
                "focal_plane_reb_data",
                Kind::Telemetry,
            ),
        ] {
            let name = TopicName::new(text).unwrap();
            assert_eq!(
                (name.component(), name.sal_name(), name.kind()),
                (component, sal_name, kind)
            );
            assert_eq!(TopicName::join(component, sal_name).unwrap(), name);
        }
    }

    #[test]
    fn errors_say_what_a_topic_name_is() {
        let error = |text: &str| text.parse::<TopicName>().unwrap_err().to_string();
        assert_eq!(error(""), "a topic name starts with an ASCII letter: ''");
        assert_eq!(error("1_a"), "a topic name starts with an ASCII letter: '1_a'");
        assert_eq!(
            error("Test_a-b"),
            "a topic name has ASCII letters, digits and '_' only, not '-': 'Test_a-b'"
        );
        assert_eq!(error("Test"), "a topic name is <component>_<name>: 'Test'");
        assert_eq!(error("Test_"), "a topic name is <component>_<name>: 'Test_'");
        assert_eq!(
            error(&format!("T_{}", "a".repeat(199))),
            "a topic name has at most 200 bytes, this one has 201"
        );
        assert!(TopicName::new(format!("T_{}", "a".repeat(198))).is_ok());
    }

    #[test]
    fn a_subname_is_part_of_a_kafka_topic() {
        assert_eq!(check_subname("dc1.test-a_b").as_deref(), Ok("dc1.test-a_b"));
        for bad in ["", "a b", "é", &"a".repeat(41)] {
            assert_eq!(
                check_subname(bad).unwrap_err().to_string(),
                format!("a subname has 1 to 40 ASCII letters, digits, '.', '_' and '-', unlike '{bad}'")
            );
        }
    }

    #[test]
    fn a_kafka_topic_has_a_subsystem() {
        let topic = TopicName::new("ATMCS_mount_AzEl_Encoders").unwrap();
        for subname in ["sal", "EFD", "dc1.test"] {
            for dialect in [Dialect::Efd, Dialect::TsXml] {
                let name = dialect.kafka_topic(&topic, subname);
                assert_eq!(subsystem(&name), "ATMCS", "{name}");
                assert_eq!(subsystem(&format!("summit.{name}")), "ATMCS", "{name}");
            }
        }
        for (name, expected) in [
            ("MTM1M3_telemetry", "MTM1M3"),
            ("Test_logevent", "Test"),
            ("summit.Test_command", "Test"),
            ("hexapod_command", "hexapod"),
            ("lsst.sal.Test.logevent_heartbeat", "Test"),
            ("plain", "plain"),
            ("_x", "_x"),
            ("", ""),
        ] {
            assert_eq!(subsystem(name), expected, "{name}");
        }
    }

    #[test]
    fn a_dialect_names_topics_and_subjects() {
        let topic = TopicName::new("Test_logevent_scalars").unwrap();
        assert_eq!(
            Dialect::Efd.kafka_topic(&topic, "sal"),
            "lsst.sal.Test_logevent_scalars"
        );
        assert_eq!(
            Dialect::TsXml.kafka_topic(&topic, "sal"),
            "lsst.sal.Test.logevent_scalars"
        );
        assert_eq!(
            Dialect::TsXml.subject(&topic, "dc1"),
            "lsst.dc1.Test.logevent_scalars-value"
        );
        for dialect in [Dialect::Efd, Dialect::TsXml] {
            assert_eq!(dialect.to_string().parse::<Dialect>().unwrap(), dialect);
        }
        assert_eq!(
            "EFD".parse::<Dialect>().unwrap_err().to_string(),
            "a dialect is efd or ts_xml, not 'EFD'"
        );
    }
}
