//! Where injected messages come from: files or a topic, which are repeated from the beginning when they end.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::time::Duration;

use crate::cluster::{Cluster, Topic};
use crate::failure::Failure;
use crate::messages::message::Message;
use crate::messages::reader::{Met, Reader, Start, Stop};

/// A longer length than any broker accepts means that the file is not framed.
const MAX_BYTES: u32 = 256 * 1024 * 1024;
const POLL_TIMEOUT: Duration = Duration::from_millis(500);

/// How messages are separated in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One per line, without the line feed; empty lines are skipped.
    Lines,
    /// Each after its length in bytes, which is four bytes, big-endian.
    Lengths,
}

/// An endless source of messages.
pub(super) trait Source {
    /// The next message of this round; `None` at its end.
    fn next(&mut self) -> Result<Option<Message>, Failure>;
    /// Starts the next round.
    fn restart(&mut self) -> Result<(), Failure>;
}

/// Files, read in the order given.
pub(super) struct Files {
    paths: Vec<PathBuf>,
    framing: Framing,
    /// How many files have been read to the end.
    done: usize,
    open: Option<BufReader<File>>,
}

/// A topic, from its beginning to its end at the start of the round.
pub(super) struct FromTopic<'c> {
    cluster: &'c Cluster,
    topic: &'c Topic,
    reader: Reader,
}

impl Files {
    /// Opens every file once, so that a missing file is reported now and not hours later.
    pub(super) fn new(paths: Vec<PathBuf>, framing: Framing) -> Result<Self, Failure> {
        for path in &paths {
            let opened = File::open(path).and_then(|file| match file.metadata()?.is_dir() {
                true => Err(io::ErrorKind::IsADirectory.into()),
                false => Ok(()),
            });
            opened.map_err(Failure::file(format!("reading {}", path.display())))?;
        }
        Ok(Self {
            paths,
            framing,
            done: 0,
            open: None,
        })
    }
}

impl Source for Files {
    fn next(&mut self) -> Result<Option<Message>, Failure> {
        while let Some(path) = self.paths.get(self.done) {
            let reading = || Failure::io(format!("reading {}", path.display()));
            let file = match &mut self.open {
                Some(file) => file,
                None => self
                    .open
                    .insert(BufReader::new(File::open(path).map_err(reading())?)),
            };
            if let Some(value) = self.framing.read(file).map_err(reading())? {
                return Ok(Some(Message {
                    value: Some(value),
                    headers: Some(Vec::new()),
                    ..Message::default()
                }));
            }
            self.open = None;
            self.done += 1;
        }
        Ok(None)
    }

    fn restart(&mut self) -> Result<(), Failure> {
        (self.done, self.open) = (0, None);
        Ok(())
    }
}

impl Framing {
    fn read(self, file: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::Lines => loop {
                let mut line = Vec::new();
                if file.read_until(b'\n', &mut line)? == 0 {
                    return Ok(None);
                }
                line.pop_if(|last| *last == b'\n');
                if !line.is_empty() {
                    return Ok(Some(line));
                }
            },
            Self::Lengths => {
                if file.fill_buf()?.is_empty() {
                    return Ok(None);
                }
                let mut length = [0; 4];
                file.read_exact(&mut length)?;
                let length = u32::from_be_bytes(length);
                let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
                if length > MAX_BYTES {
                    return Err(invalid(format!(
                        "a message of {length} bytes: expected each message after its length, four bytes big-endian"
                    )));
                }
                let mut message = Vec::new();
                let read = file.take(length.into()).read_to_end(&mut message)?;
                if read < length as usize {
                    return Err(invalid(format!(
                        "the last message has {read} of its {length} bytes"
                    )));
                }
                Ok(Some(message))
            }
        }
    }
}

impl<'c> FromTopic<'c> {
    pub(super) fn new(cluster: &'c Cluster, topic: &'c Topic) -> Result<Self, Failure> {
        Ok(Self {
            cluster,
            topic,
            reader: Reader::open(cluster, topic, None, Start::Beginning, Stop::AtEnd)?,
        })
    }
}

impl Source for FromTopic<'_> {
    fn next(&mut self) -> Result<Option<Message>, Failure> {
        loop {
            match self.reader.next(POLL_TIMEOUT)? {
                Met::Message(message) => return Ok(Some(*message)),
                Met::Nothing => {}
                Met::End => return Ok(None),
            }
        }
    }

    fn restart(&mut self) -> Result<(), Failure> {
        self.reader = Reader::open(self.cluster, self.topic, None, Start::Beginning, Stop::AtEnd)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(framing: Framing, mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let mut found = Vec::new();
        loop {
            match framing.read(&mut bytes) {
                Ok(Some(message)) => found.push(message),
                Ok(None) => return Ok(found),
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    #[test]
    fn files_are_split_into_messages() {
        assert_eq!(
            all(Framing::Lines, b"a\n\nb\r\nlast").unwrap(),
            [&b"a"[..], b"b\r", b"last"]
        );
        assert_eq!(
            all(Framing::Lengths, b"\0\0\0\x02a\n\0\0\0\0\0\0\0\x01b").unwrap(),
            [&b"a\n"[..], b"", b"b"]
        );
        let cut = all(Framing::Lengths, b"\0\0\0\x05ab").unwrap_err();
        assert_eq!(cut, "the last message has 2 of its 5 bytes");
        assert!(
            all(Framing::Lengths, b"text")
                .unwrap_err()
                .contains("four bytes big-endian")
        );
        assert!(all(Framing::Lengths, b"\0\0").is_err());
    }
}
