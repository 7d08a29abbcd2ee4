//! A message's value as JSON, whatever it is: a Confluent frame by the registry's schema, SAL text by the schema that its
//! topic's records have, JSON, other text, or bytes. It never fails: what cannot be decoded is shown as it is, with why.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use confluent_avro::frame::{Frame, FrameError};
use sal::encode::Encoder;
use sal::name::{DEFAULT_SUBNAME, Dialect, TopicName};
use sal::plan::Plan;
use sal::time::TimeScale;
use sal::wire::Message as SalMessage;
use serde_json::Value;
use stage::config::RegistryArgs;
use stage::readable::hex;
use stage::records::{RecordDecoder, RecordProblem};
use stage::registry::{Registry, RegistryError};

use super::message::{Message, shown, shown_text};
use crate::failure::Failure;

/// How long the registry is not asked again for what it could not answer.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// What of a message is decoded; asking the registry for nothing would wait for it in vain while it is unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Its key.
    pub key: bool,
    /// Its value.
    pub value: bool,
}

/// What a value was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// There is none: a tombstone.
    Nothing,
    /// A Confluent frame.
    Avro,
    /// SAL text.
    Sal,
    /// A JSON object or array.
    Json,
    /// Other UTF-8.
    Text,
    /// Bytes, as hexadecimal digits.
    Hex,
}

/// A value, decoded as far as can be.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// What it was taken for.
    pub form: Form,
    /// As JSON.
    pub value: Value,
    /// Why it could not be decoded further.
    pub problem: Option<String>,
    /// The message's key, if it is a Confluent frame that could be decoded.
    pub key: Option<Value>,
    /// Why a key that looks like a frame could not.
    pub key_problem: Option<String>,
}

/// Decodes values; keeps schemas.
pub struct Decoder {
    avro: RecordDecoder,
    sal: HashMap<String, (u32, Plan)>,
    encoder: Encoder,
    frame: Vec<u8>,
    /// What the registry could not answer, by subject or id.
    missing: HashMap<String, (Instant, RecordProblem)>,
    unanswered: Option<RegistryError>,
}

impl Form {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Avro => "avro",
            Self::Sal => "sal",
            Self::Json => "json",
            Self::Text => "text",
            Self::Hex => "hex",
        }
    }
}

impl Decoded {
    pub(crate) fn new(form: Form, value: Value) -> Self {
        Self {
            form,
            value,
            problem: None,
            key: None,
            key_problem: None,
        }
    }

    /// Of a message whose value nobody looks at.
    pub fn nothing() -> Self {
        Self::new(Form::Nothing, Value::Null)
    }

    /// The key on one line: texts as they are, all else as JSON. Empty if there is none.
    pub fn key_text(&self, message: &Message) -> String {
        match (&self.key, &message.key) {
            (Some(Value::String(text)), _) => text.clone(),
            (Some(key), _) => key.to_string(),
            (None, Some(key)) => shown_text(key),
            (None, None) => String::new(),
        }
    }

    /// The key as JSON; null if there is none.
    pub fn key_json(&self, message: &Message) -> Value {
        let own = || message.key.as_deref().map(shown).unwrap_or_default();
        self.key.clone().unwrap_or_else(own)
    }

    /// The value on one line: texts as they are, all else as JSON.
    pub fn text(&self) -> String {
        match (&self.value, self.form) {
            (_, Form::Nothing) => String::new(),
            (Value::String(text), _) => text.clone(),
            (value, _) => value.to_string(),
        }
    }
}

impl Decoder {
    /// Asks the registry that the flags name, once something needs it.
    pub fn new(args: &RegistryArgs) -> Result<Self, Failure> {
        Ok(Self {
            avro: RecordDecoder::new(Registry::new(args)?),
            sal: HashMap::new(),
            encoder: Encoder::new(),
            frame: Vec::new(),
            missing: HashMap::new(),
            unanswered: None,
        })
    }

    /// The same, with the branch of every union named, as in Avro's own JSON encoding.
    pub fn typed(mut self, is_typed: bool) -> Self {
        self.avro = self.avro.typed(is_typed);
        self
    }

    /// Decodes what is needed of a message: its key, and its value.
    pub async fn decode_message(&mut self, message: &Message, needs: Needs) -> Decoded {
        let mut decoded = if needs.value {
            self.decode(message.value.as_deref(), message.timestamp).await
        } else {
            Decoded::nothing()
        };
        if let Some(key) = message.key.as_deref().filter(|_| needs.key)
            && let Ok(frame) = Frame::read(Some(key))
        {
            match self.record(&frame).await {
                Ok(key) => decoded.key = Some(key),
                // A number in eight bytes looks like a frame as well.
                Err(RecordProblem::UnknownId(_)) => {}
                Err(problem) => decoded.key_problem = Some(problem.to_string()),
            }
        }
        decoded
    }

    /// The first question that the registry did not answer, after which values are shown undecoded.
    pub fn unanswered(&self) -> Option<&RegistryError> {
        self.unanswered.as_ref()
    }

    /// Decodes a value. `timestamp` is its message's: SAL text gets it as the time at which Kafka had it.
    pub async fn decode(&mut self, value: Option<&[u8]>, timestamp: Option<i64>) -> Decoded {
        let bytes = value.unwrap_or_default();
        match Frame::read(value) {
            Err(FrameError::Tombstone) => return Decoded::new(Form::Nothing, Value::Null),
            Ok(frame) => {
                return match self.record(&frame).await {
                    Ok(record) => Decoded::new(Form::Avro, record),
                    Err(problem) => Decoded {
                        problem: Some(problem.to_string()),
                        ..Decoded::new(Form::Hex, hex(bytes).into())
                    },
                };
            }
            Err(_) => {}
        }
        if let Ok(message) = SalMessage::parse(bytes) {
            return self.sal(&message, timestamp).await;
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if text.trim_start().starts_with(['{', '[']) => match serde_json::from_str(text) {
                Ok(json) => Decoded::new(Form::Json, json),
                Err(_) => Decoded::new(Form::Text, text.into()),
            },
            Ok(text) => Decoded::new(Form::Text, text.into()),
            Err(_) => Decoded::new(Form::Hex, hex(bytes).into()),
        }
    }

    async fn record(&mut self, frame: &Frame<'_>) -> Result<Value, RecordProblem> {
        let what = format!("schema id {}", frame.schema_id);
        self.is_not_missing(&what)?;
        match self.avro.decode(frame).await {
            Ok(Ok(record)) => Ok(record),
            Ok(Err(problem)) => {
                // An unknown id is asked for anew with each message, a record that does not decode costs nothing.
                if matches!(problem, RecordProblem::UnknownId(_)) {
                    return Err(self.remember(what, problem));
                }
                Err(problem)
            }
            Err(error) => {
                let problem = RecordProblem::Undecodable(stage::chain(&error));
                self.unanswered.get_or_insert(error);
                Err(self.remember(what, problem))
            }
        }
    }

    async fn sal(&mut self, message: &SalMessage<'_>, timestamp: Option<i64>) -> Decoded {
        let text = String::from_utf8_lossy(message.input()).into_owned();
        match self.sal_record(message, timestamp).await {
            Ok(record) => Decoded::new(Form::Sal, record),
            Err(problem) => Decoded {
                problem: Some(problem),
                ..Decoded::new(Form::Sal, text.into())
            },
        }
    }

    async fn sal_record(
        &mut self,
        message: &SalMessage<'_>,
        timestamp: Option<i64>,
    ) -> Result<Value, String> {
        let topic = message.topic();
        if !self.sal.contains_key(topic) {
            self.learn(topic).await?;
        }
        let Some((id, plan)) = self.sal.get(topic) else {
            return Err(format!("no schema for {topic}"));
        };
        let id = *id;
        let micros = timestamp.unwrap_or_default().saturating_mul(1_000);
        let mut frame = std::mem::take(&mut self.frame);
        let encoded = self.encoder.encode(plan, message, id, micros, &mut frame);
        let decoded = match encoded {
            Ok(_) => match Frame::read(Some(&frame)) {
                Ok(read) => self.record(&read).await.map_err(|problem| problem.to_string()),
                Err(error) => Err(error.to_string()),
            },
            Err(error) => Err(stage::chain(&error)),
        };
        self.frame = frame;
        decoded
    }

    /// Finds the schema of a SAL topic's records, in either dialect.
    async fn learn(&mut self, topic: &str) -> Result<(), String> {
        let name = TopicName::new(topic).map_err(|error| error.to_string())?;
        self.is_not_missing(topic)
            .map_err(|problem| problem.to_string())?;
        let mut problem = String::new();
        for (dialect, scale) in [(Dialect::Efd, TimeScale::Utc), (Dialect::TsXml, TimeScale::Tai)] {
            let found = self
                .avro
                .registry()
                .schema_by_subject(&dialect.subject(&name, DEFAULT_SUBNAME))
                .await;
            match found.map(|schema| (schema.id, Plan::compile(&schema.raw, scale))) {
                Ok((id, Ok(plan))) => {
                    self.sal.insert(topic.to_owned(), (id, plan));
                    return Ok(());
                }
                Ok((_, Err(error))) => problem = stage::chain(&error),
                Err(error) => {
                    problem = stage::chain(&error);
                    if !matches!(error, RegistryError::Missing { .. }) {
                        self.unanswered.get_or_insert(error);
                    }
                }
            }
        }
        let problem = RecordProblem::Undecodable(problem);
        Err(self.remember(topic.to_owned(), problem).to_string())
    }

    fn is_not_missing(&self, what: &str) -> Result<(), RecordProblem> {
        match self.missing.get(what) {
            Some((since, problem)) if since.elapsed() < RETRY_INTERVAL => Err(problem.clone()),
            _ => Ok(()),
        }
    }

    fn remember(&mut self, what: String, problem: RecordProblem) -> RecordProblem {
        self.missing.insert(what, (Instant::now(), problem.clone()));
        problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everything_is_taken_for_something() {
        // A port that nobody listens on: the registry is unavailable.
        let mut decoder = Decoder::new(&RegistryArgs::at("http://127.0.0.1:1")).unwrap();
        for (value, form, json) in [
            (None, Form::Nothing, "null"),
            (Some(&b"{\"a\": [1, 2]}"[..]), Form::Json, r#"{"a":[1,2]}"#),
            (Some(b"{not json"), Form::Text, r#""{not json""#),
            (Some(b"plain"), Form::Text, r#""plain""#),
            (Some(b""), Form::Text, r#""""#),
            (Some(b"\xff\x00"), Form::Hex, r#""ff00""#),
            (
                Some(b"\x00\x00\x00\x00"),
                Form::Text,
                r#""\u0000\u0000\u0000\u0000""#,
            ),
        ] {
            let decoded = decoder.decode(value, None).await;
            assert_eq!((decoded.form, decoded.value.to_string()), (form, json.to_owned()));
            assert_eq!(decoded.problem, None);
        }
        let decoded = decoder.decode(Some(b"\x00\x00\x00\x00\x07\x02"), None).await;
        assert_eq!(
            (decoded.form, decoded.text()),
            (Form::Hex, "000000000702".to_owned())
        );
        assert!(decoded.problem.unwrap().contains("schema id 7"));
        let decoded = decoder.decode(Some(b"Test_scalars:( 1)"), None).await;
        assert_eq!(
            (decoded.form, decoded.text()),
            (Form::Sal, "Test_scalars:( 1)".to_owned())
        );
        assert!(decoded.problem.is_some());
    }
}
