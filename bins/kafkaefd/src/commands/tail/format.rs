//! How a message is written: as JSON, as a readable line, as its raw bytes, or in a custom format.

use std::fmt::Write as _;
use std::str::FromStr;

use operator::messages::decode::{Decoded, Form};
use operator::messages::json::json;
use operator::messages::message::{Message, shown_text};
use stage::config::Timestamp;
use stage::sanitize::{self, Printable};

use crate::terminal::faint;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Format {
    /// One JSON object per line.
    Json,
    /// One readable line.
    Text,
    /// The value's bytes and a line feed.
    Raw,
    /// A custom format.
    Custom(Vec<Piece>),
}

/// A piece of a custom format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(String),
    /// A placeholder, by the letter that kcat uses for it.
    Placeholder(char),
}

/// What the message is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Medium {
    /// A file or a pipe: everything is written unchanged.
    Plain,
    /// A terminal: control characters in messages are escaped.
    Terminal,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const KNOWN: &str = "%t topic, %p partition, %o offset, %k key, %K key length, %s value, %S value length, \
                             %T timestamp, %h headers, %%";
        match text {
            "json" => return Ok(Self::Json),
            "text" => return Ok(Self::Text),
            "raw" => return Ok(Self::Raw),
            _ => {}
        }
        let (mut pieces, mut literal) = (Vec::new(), String::new());
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '\\' => match rest.next() {
                    Some('n') => literal.push('\n'),
                    Some('t') => literal.push('\t'),
                    Some('r') => literal.push('\r'),
                    Some('0') => literal.push('\0'),
                    Some('\\') => literal.push('\\'),
                    other => {
                        let other = other.map(String::from).unwrap_or_default();
                        return Err(format!(r"\{other} is not one of \n \t \r \0 \\"));
                    }
                },
                '%' => match rest.next() {
                    Some('%') => literal.push('%'),
                    Some(letter) if "tpokKsSTh".contains(letter) => {
                        if !literal.is_empty() {
                            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                        }
                        pieces.push(Piece::Placeholder(letter));
                    }
                    other => {
                        let other = other.map(String::from).unwrap_or_default();
                        return Err(format!("%{other} is not one of {KNOWN}"));
                    }
                },
                plain => literal.push(plain),
            }
        }
        if pieces.is_empty() {
            return Err(format!(
                "expected json, text, raw, or a format that contains some of {KNOWN}"
            ));
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self::Custom(pieces))
    }
}

impl Format {
    /// Whether the decoded value is shown.
    pub(super) fn shows_decoded(&self) -> bool {
        match self {
            Self::Json | Self::Text => true,
            Self::Raw => false,
            Self::Custom(pieces) => pieces.contains(&Piece::Placeholder('s')),
        }
    }

    /// Whether the key is shown.
    pub(super) fn shows_key(&self) -> bool {
        match self {
            Self::Json | Self::Text => true,
            Self::Raw => false,
            Self::Custom(pieces) => pieces.contains(&Piece::Placeholder('k')),
        }
    }

    /// Appends a message to `out`.
    pub(super) fn write(&self, message: &Message, decoded: &Decoded, medium: Medium, out: &mut Vec<u8>) {
        match self {
            Self::Json => {
                let text = json(message, decoded).to_string();
                out.extend_from_slice(sanitize::json(&text).as_bytes());
                out.push(b'\n');
            }
            Self::Text => {
                out.extend_from_slice(line(message, decoded, medium).as_bytes());
                out.push(b'\n');
            }
            Self::Raw => {
                out.extend_from_slice(message.value.as_deref().unwrap_or_default());
                out.push(b'\n');
            }
            Self::Custom(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Literal(text) => out.extend_from_slice(text.as_bytes()),
                        Piece::Placeholder(letter) => {
                            let text = placeholder_text(*letter, message, decoded);
                            match medium {
                                Medium::Plain => out.extend_from_slice(text.as_bytes()),
                                Medium::Terminal => {
                                    out.extend_from_slice(Printable(text).to_string().as_bytes())
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn line(message: &Message, decoded: &Decoded, medium: Medium) -> String {
    let time = message
        .timestamp
        .map_or_else(|| "-".to_owned(), |millis| Timestamp(millis).to_string());
    let mut head = format!(
        "{time} {}[{}]@{}",
        message.topic, message.partition, message.offset
    );
    if message.key.is_some() {
        let _ = write!(head, " key={}", decoded.key_text(message));
    }
    let mut tail = String::new();
    for (name, value) in message.headers.iter().flatten() {
        let _ = write!(
            tail,
            " {name}={}",
            shown_text(value.as_deref().unwrap_or_default())
        );
    }
    if message.headers.is_none() {
        tail.push_str(" (unreadable headers: a name is not UTF-8)");
    }
    if let Some(problem) = &decoded.key_problem {
        let _ = write!(tail, " (key: {problem})");
    }
    if let Some(problem) = &decoded.problem {
        let _ = write!(tail, " ({problem})");
    }
    let value = match decoded.form {
        Form::Nothing => "(no value)".to_owned(),
        _ => decoded.text(),
    };
    let (head, value, tail) = (Printable(head), Printable(value), Printable(tail));
    match medium {
        Medium::Terminal => format!("{} {value}{}", faint(head), faint(tail)),
        Medium::Plain => format!("{head} {value}{tail}"),
    }
}

fn placeholder_text(letter: char, message: &Message, decoded: &Decoded) -> String {
    /// As in kcat, a missing key or value has the length -1.
    fn length(bytes: Option<&Vec<u8>>) -> String {
        bytes.map_or_else(|| "-1".to_owned(), |bytes| bytes.len().to_string())
    }
    match letter {
        't' => message.topic.clone(),
        'p' => message.partition.to_string(),
        'o' => message.offset.to_string(),
        'k' => decoded.key_text(message),
        'K' => length(message.key.as_ref()),
        's' => decoded.text(),
        'S' => length(message.value.as_ref()),
        'T' => message.timestamp.unwrap_or(-1).to_string(),
        _ => {
            let headers = message.headers.iter().flatten();
            let pairs: Vec<String> = headers
                .map(|(name, value)| format!("{name}={}", shown_text(value.as_deref().unwrap_or_default())))
                .collect();
            pairs.join(",")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use operator::messages::decode::Form;

    fn written(format: &str, medium: Medium) -> String {
        let message = Message {
            topic: "t".to_owned(),
            partition: 1,
            offset: 2,
            timestamp: Some(0),
            key: Some(b"k".to_vec()),
            value: Some(b"a\x1bb".to_vec()),
            headers: Some(vec![("h".to_owned(), Some(vec![0xff])), ("i".to_owned(), None)]),
        };
        let decoded = Decoded {
            form: Form::Text,
            value: "a\x1bb".into(),
            problem: None,
            key: None,
            key_problem: None,
        };
        let mut out = Vec::new();
        let format: Format = format.parse().unwrap();
        format.write(&message, &decoded, medium, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn messages_are_written_in_each_format() {
        assert_eq!(
            written("json", Medium::Plain),
            "{\"topic\":\"t\",\"partition\":1,\"offset\":2,\"timestamp\":0,\"key\":\"k\",\"form\":\"text\",\
             \"value\":\"a\\u001bb\",\"headers\":{\"h\":\"ff\",\"i\":null},\
             \"header_list\":[{\"key\":\"h\",\"value\":\"ff\",\"form\":\"hex\"},{\"key\":\"i\",\"value\":null}]}\n"
        );
        assert_eq!(
            written("text", Medium::Plain),
            "1970-01-01T00:00:00Z t[1]@2 key=k a\\u{1b}b h=ff i=\n"
        );
        assert_eq!(written("raw", Medium::Plain), "a\x1bb\n");
        let all = r"%t %p %o %k %K %s %S %T %h%%\t\\\n";
        assert_eq!(written(all, Medium::Plain), "t 1 2 k 1 a\x1bb 3 0 h=ff,i=%\t\\\n");
        assert!(written(all, Medium::Terminal).contains(r"a\u{1b}b"));
    }

    #[test]
    fn errors_in_formats_list_the_valid_ones() {
        for (text, expected) in [
            ("jsno", "json, text, raw"),
            ("", "json, text, raw"),
            ("%x", "%x is not one of %t"),
            ("%", "% is not one of %t"),
            (r"%s\q", r"\q is not one of \n"),
        ] {
            let error = text.parse::<Format>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
