//! `saltransform check`: the same transformation on files, without Kafka. What it accepts, `run` accepts, with the same
//! directory as its `--xml-dir`.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use confluent_avro::frame::{Frame, FrameError};
use confluent_avro::read::DecodeError;
use confluent_avro::schema::{ParseError, Schema};
use sal::avro::{FieldTypes, Options};
use sal::encode::Encoder;
use sal::plan::{Plan, PlanError};
use sal::wire::{Message, WireError};
use schema_dir::{SchemaDir, SchemaDirError};
use serde_json::{Value, json};
use stage::config::EXIT_USAGE;
use stage::sanitize;
use stage::unix_micros;

use crate::config::{CheckArgs, time_scale};
use crate::versions::compile;

/// The line that separates messages with line breaks.
const SEPARATOR: &[u8] = b"----";

/// The check cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The schemas cannot be read.
    #[error(transparent)]
    SchemaDir(#[from] SchemaDirError),
    /// A file of messages cannot be read.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
}

/// Why one message cannot be carried.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("no schema for topic {0} in that directory")]
    UnknownTopic(String),
    #[error("the schema of this topic cannot be used")]
    Plan(#[from] PlanError),
    #[error("the schema of this topic is not Avro")]
    Avro(#[from] ParseError),
    #[error("the record does not decode with its own schema")]
    Record(#[from] DecodeError),
    #[error("the record has no frame")]
    Frame(#[from] FrameError),
}

/// Checks every message of every file; exit code 1 if any failed, 64 if nothing could be checked.
pub fn main(args: &CheckArgs) -> ExitCode {
    match check(args, &mut io::stdout().lock()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            stage::stderr_line!("saltransform check: {}", stage::chain(&error));
            match error {
                CheckError::Output(_) => ExitCode::FAILURE,
                CheckError::SchemaDir(_) | CheckError::File { .. } => ExitCode::from(EXIT_USAGE),
            }
        }
    }
}

/// Writes one JSON object per message to `out`. Returns how many failed.
///
/// `{"topic","record"}`, or `{"error","stage","byte","field"}` where byte and field are null if there is none.
/// Records are as [`confluent_avro::json`] shows them.
pub fn check(args: &CheckArgs, out: &mut impl Write) -> Result<usize, CheckError> {
    let options = Options {
        dialect: args.naming.dialect,
        subname: args.naming.subname.clone(),
        wire_extras: args.wire_extras,
        subsystems: Vec::new(),
    };
    let dir = SchemaDir::read(&args.schemas)?;
    let found = dir.schemas(&options);
    for error in &found.errors {
        stage::stderr_line!("saltransform check: {}", stage::chain(error));
    }
    let scale = time_scale(args.time_scale, args.naming.dialect);
    let schemas = found
        .schemas
        .into_iter()
        .map(|schema| (schema.topic.as_str().to_owned(), schema.text))
        .collect();
    let mut checker = Checker {
        schemas,
        types: dir.field_types(&options),
        plans: HashMap::new(),
        encoder: Encoder::new(),
        frame: Vec::new(),
        scale,
    };
    let mut failed = 0;
    for path in &args.files {
        let content = read(path).map_err(|source| CheckError::File {
            path: path.clone(),
            source,
        })?;
        for text in messages(&content) {
            let line = match checker.check(text) {
                Ok((topic, record)) => json!({"topic": topic, "record": record}),
                Err(refusal) => {
                    failed += 1;
                    refusal.json()
                }
            };
            let line = line.to_string();
            match writeln!(out, "{}", sanitize::json(&line)) {
                // A reader that closed the pipe needs no more.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(failed),
                written => written.map_err(CheckError::Output)?,
            }
        }
    }
    Ok(failed)
}

struct Checker {
    schemas: HashMap<String, String>,
    types: FieldTypes,
    plans: HashMap<String, (Plan, Schema)>,
    encoder: Encoder,
    frame: Vec<u8>,
    scale: sal::time::TimeScale,
}

impl Checker {
    fn check(&mut self, text: &[u8]) -> Result<(String, Value), Refusal> {
        let message = Message::parse(text)?;
        let topic = message.topic().to_owned();
        if !self.plans.contains_key(&topic) {
            let raw = self
                .schemas
                .get(&topic)
                .ok_or_else(|| Refusal::UnknownTopic(topic.clone()))?;
            let plan = compile(&self.types, &topic, raw, self.scale)?;
            self.plans.insert(topic.clone(), (plan, Schema::parse(raw)?));
        }
        let (plan, schema) = self
            .plans
            .get(&topic)
            .ok_or_else(|| Refusal::UnknownTopic(topic.clone()))?;
        self.encoder
            .encode(plan, &message, 0, unix_micros(), &mut self.frame)?;
        let frame = Frame::read(Some(&self.frame))?;
        Ok((topic, schema.to_json(frame.avro)?))
    }
}

impl Refusal {
    fn json(&self) -> Value {
        let (step, byte, field) = match self {
            Self::Wire(error) => (error.step(), Some(error.byte()), error.field()),
            Self::UnknownTopic(_) | Self::Plan(_) | Self::Avro(_) => ("schema", None, None),
            Self::Record(_) | Self::Frame(_) => ("decode", None, None),
        };
        json!({"error": stage::chain(self), "stage": step, "byte": byte, "field": field})
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        let mut content = Vec::new();
        io::stdin().read_to_end(&mut content)?;
        return Ok(content);
    }
    std::fs::read(path)
}

/// The messages of a file: its lines, or, if any line is `----`, the blocks between those lines, without leading
/// comments (`#`).
fn messages(content: &[u8]) -> Vec<&[u8]> {
    let lines: Vec<&[u8]> = content.split(|byte| *byte == b'\n').collect();
    if !lines.iter().any(|line| line.trim_ascii_end() == SEPARATOR) {
        let messages = lines
            .into_iter()
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        return messages
            .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
            .collect();
    }
    let (mut blocks, mut start, mut at) = (Vec::new(), 0, 0);
    for line in lines {
        if line.trim_ascii_end() == SEPARATOR {
            blocks.push(content.get(start..at).unwrap_or_default());
            start = at + line.len() + 1;
        }
        at += line.len() + 1;
    }
    blocks.push(content.get(start.min(content.len())..).unwrap_or_default());
    blocks
        .into_iter()
        .map(without_comments)
        .filter(|block| !block.is_empty())
        .collect()
}

fn without_comments(mut block: &[u8]) -> &[u8] {
    while block.starts_with(b"#") {
        let end = block
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(block.len(), |end| end + 1);
        block = block.get(end..).unwrap_or_default();
    }
    block.strip_suffix(b"\n").unwrap_or(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_messages_unless_blocks_are_marked() {
        assert_eq!(messages(b"a\n\nb\r\n# no\nc"), [&b"a"[..], b"b", b"c"]);
        assert_eq!(
            messages(b"# head\n----\n# A1\none\n----\n# B\ntwo\nlines\n----\n"),
            [&b"one"[..], b"two\nlines"]
        );
        assert_eq!(messages(b"----\nlast"), [&b"last"[..]]);
    }
}
