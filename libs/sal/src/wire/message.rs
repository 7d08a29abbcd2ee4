//! The header of a text message: the topic that it belongs to, read before any schema is known. [`Message`]
//! then goes to encode together with the topic's plan.

use nom::bytes::complete::{tag, take_while1};
use nom::combinator::{map_opt, opt};
use nom::sequence::terminated;
use nom::{Finish, IResult, Parser};

use super::error::{Fault, MAX_MESSAGE_BYTES, Problem, WireError};
use crate::name::MAX_TOPIC_BYTES;

/// A message with a parsed header and unparsed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    input: &'a [u8],
    topic: &'a str,
    values_at: usize,
}

impl<'a> Message<'a> {
    /// Reads `[S_kind ]topic:( ` in both forms that SAL has used. Nothing is copied. The error's stage is
    /// `parse`.
    pub fn parse(input: &'a [u8]) -> Result<Self, WireError> {
        if input.len() > MAX_MESSAGE_BYTES {
            return Err(WireError::new(
                Problem::MessageTooLong,
                input,
                MAX_MESSAGE_BYTES,
                None,
            ));
        }
        let (values, topic) = header(input)
            .finish()
            .map_err(|fault| WireError::new(fault.problem, input, input.len() - fault.rest.len(), None))?;
        Ok(Self {
            input,
            topic,
            values_at: input.len() - values.len(),
        })
    }

    /// The topic's name, e.g. `MTM1M3TS_logevent_detailedState`, checked like a [`crate::name::TopicName`].
    pub fn topic(&self) -> &'a str {
        self.topic
    }

    /// The whole message.
    pub fn input(&self) -> &'a [u8] {
        self.input
    }

    /// The values, from the first one to the closing parenthesis.
    pub(crate) fn values(&self) -> &'a [u8] {
        self.input.get(self.values_at..).unwrap_or_default()
    }
}

fn header(input: &[u8]) -> IResult<&[u8], &str, Fault<'_>> {
    let (after_word, word) = opt(terminated(name, tag(&b" "[..]))).parse(input)?;
    let (rest, topic) =
        terminated(map_opt(name, as_topic), (tag(&b":("[..]), opt(tag(&b" "[..])))).parse(after_word)?;
    match word {
        Some(word) if !tells_of(word, topic.as_bytes()) => Err(nom::Err::Error(Fault {
            problem: Problem::HeaderMismatch,
            rest: after_word,
        })),
        _ => Ok((rest, topic)),
    }
}

/// ASCII letters, digits and `_`.
fn name(input: &[u8]) -> IResult<&[u8], &[u8], Fault<'_>> {
    take_while1(|byte: u8| byte.is_ascii_alphanumeric() || byte == b'_').parse(input)
}

/// The rules of [`crate::name::TopicName`], which cannot be used here because it owns its text.
fn as_topic(name: &[u8]) -> Option<&str> {
    let underscore = name.iter().position(|byte| *byte == b'_')?;
    let holds = name.len() <= MAX_TOPIC_BYTES
        && name.first().is_some_and(u8::is_ascii_alphabetic)
        && underscore + 1 < name.len();
    holds.then(|| std::str::from_utf8(name).ok()).flatten()
}

/// Whether `word` is `S_telemetry`, `S_logevent` or `S_command`, where `S` is the topic's component.
fn tells_of(word: &[u8], topic: &[u8]) -> bool {
    let component = topic.split(|byte| *byte == b'_').next().unwrap_or_default();
    let kind = word
        .strip_prefix(component)
        .and_then(|kind| kind.strip_prefix(b"_"));
    matches!(kind, Some(b"telemetry" | b"logevent" | b"command"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_header_are_read() {
        for (input, topic, values) in [
            ("Test_telemetry Test_scalars:( 1)", "Test_scalars", "1)"),
            (
                "Test_logevent Test_logevent_scalars:( 1)",
                "Test_logevent_scalars",
                "1)",
            ),
            ("Test_command Test_command_wait:(1)", "Test_command_wait", "1)"),
            (
                "MTM1M3TS_thermalData:( 'a b:( ')",
                "MTM1M3TS_thermalData",
                "'a b:( ')",
            ),
        ] {
            let message = Message::parse(input.as_bytes()).unwrap();
            assert_eq!(message.topic(), topic);
            assert_eq!(message.values(), values.as_bytes());
        }
    }

    #[test]
    fn a_bad_header_is_refused_with_its_place() {
        let header = "expected a header `[<component>_<kind> ]<topic>:(` at byte ";
        for (input, text) in [
            ("", format!("{header}0, found the end of the message")),
            ("{\"a\": 1}", format!("{header}0, found \"{{\\\"a\\\": 1}}\"")),
            (
                "Test_scalars",
                format!("{header}12, found the end of the message"),
            ),
            ("Test_scalars (1)", format!("{header}13, found \"(1)\"")),
            ("Test:( 1)", format!("{header}0, found \"Test:( 1)\"")),
            ("1_a:( 1)", format!("{header}0, found \"1_a:( 1)\"")),
            (
                "Hexapod_telemetry Test_scalars:( 1)",
                "expected the topic that matches the header's first word at byte 18, \
                 found \"Test_scalars:( 1)\""
                    .to_owned(),
            ),
        ] {
            let error = Message::parse(input.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), text);
            assert_eq!((error.step(), error.reason()), ("parse", "bad_header"));
        }
    }

    #[test]
    fn a_message_has_at_most_100_000_bytes() {
        let mut input = b"Test_scalars:( '".to_vec();
        input.resize(MAX_MESSAGE_BYTES, b'x');
        assert!(Message::parse(&input).is_ok());
        input.push(b'x');
        let error = Message::parse(&input).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected at most 100000 bytes in a message at byte 100000, found \"x\""
        );
        assert_eq!(error.reason(), "message_too_long");
    }
}
