//! One output with its filter, sample and format. An output that fails does not end the others.

use std::io::{self, Write};

use operator::failure::Failure;
use operator::messages::decode::{Decoded, Needs};
use operator::messages::filter::{AbsentFields, Filter};
use operator::messages::message::Message;

use super::config::OutputConfig;
use super::format::Medium;
use super::sink::Sink;
use crate::exit::Done;
use crate::terminal::{count, note, warn};

/// An output, which is open or has ended.
pub(super) struct Output {
    config: OutputConfig,
    /// `None` once the output has ended.
    sink: Option<Sink>,
    medium: Medium,
    /// Messages that passed the filter.
    passed: u64,
    written: u64,
    buffer: Vec<u8>,
    failed: bool,
    /// The fields that its filter looks for in vain.
    absent: AbsentFields,
}

/// Whether an output has written a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Yes,
    No,
}

impl Output {
    pub(super) fn open(config: OutputConfig) -> Result<Self, Failure> {
        let sink = Sink::open(&config.to)?;
        let absent = config.filter.as_ref().map(Filter::fields).unwrap_or_default();
        Ok(Self {
            config,
            absent,
            medium: sink.medium(),
            sink: Some(sink),
            passed: 0,
            written: 0,
            buffer: Vec::new(),
            failed: false,
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.sink.is_some()
    }

    pub(super) fn needs(&self) -> Needs {
        let is_filtered = self.config.filter.is_some();
        Needs {
            key: self.is_open() && (is_filtered || self.config.format.shows_key()),
            value: self.is_open() && (is_filtered || self.config.format.shows_decoded()),
        }
    }

    /// Writes the message if it passes the filter and is in the sample.
    pub(super) fn offer(&mut self, message: &Message, decoded: &Decoded) -> Written {
        let Some(sink) = &mut self.sink else {
            return Written::No;
        };
        self.absent.look(decoded);
        let filter = self.config.filter.as_ref();
        if filter.is_some_and(|filter| !filter.holds(message, decoded)) {
            return Written::No;
        }
        self.passed += 1;
        if !self.config.sample.takes(self.passed - 1) {
            return Written::No;
        }
        self.buffer.clear();
        self.config
            .format
            .write(message, decoded, self.medium, &mut self.buffer);
        match sink.write_all(&self.buffer) {
            Ok(()) => {
                self.written += 1;
                Written::Yes
            }
            Err(error) => {
                self.end(&error);
                Written::No
            }
        }
    }

    pub(super) fn flush(&mut self) {
        if let Some(Err(error)) = self.sink.as_mut().map(Write::flush) {
            self.end(&error);
        }
    }

    /// Ends the output if its command has ended, which a write would report only later.
    pub(super) fn check_command(&mut self) {
        if self.sink.as_mut().is_some_and(Sink::has_ended) {
            self.end(&io::ErrorKind::BrokenPipe.into());
        }
    }

    /// Closes the output; with `several` its counts are printed.
    pub(super) fn close(mut self, several: bool) -> Done {
        if let Some(sink) = self.sink.take() {
            match sink.close() {
                Ok(Some(status)) if !status.success() => {
                    self.failed = true;
                    note(&warn(format!("kafkaefd: {} ended with {status}", self.config.to)));
                }
                Ok(_) => {}
                Err(error) => self.end(&error),
            }
        }
        if several {
            note(&format!(
                "{}: {} written of {} that passed its filter",
                self.config.to,
                count(self.written),
                count(self.passed)
            ));
        }
        for sentence in self.absent.sentences() {
            note(&warn(stage::Printable(format!("kafkaefd: {sentence}"))));
            self.failed |= self.passed == 0;
        }
        if self.failed { Done::Partly } else { Done::All }
    }

    fn end(&mut self, error: &io::Error) {
        let broken = error.kind() == io::ErrorKind::BrokenPipe;
        let sink = self.sink.take();
        // A reader that closed stdout, such as `head`, has read enough.
        if broken && self.config.to == "-" {
            return;
        }
        self.failed = true;
        let why = match sink.map(Sink::close) {
            Some(Ok(Some(status))) => format!("the command ended: {status}"),
            _ => error.to_string(),
        };
        note(&warn(format!(
            "kafkaefd: stopped writing to {}: {why}",
            self.config.to
        )));
    }
}
